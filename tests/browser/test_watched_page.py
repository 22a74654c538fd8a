"""The watch that other browser tests rely on sees what it must."""

from __future__ import annotations


def test_a_quiet_page_has_nothing_to_report(watched, tmp_path):
    (tmp_path / "a.html").write_text("<!doctype html><title>a</title><img src='data:,' alt=''>")
    watched.page.goto((tmp_path / "a.html").as_uri())
    assert watched.page.title() == "a"
    assert watched.requests == [(tmp_path / "a.html").as_uri()]
    assert watched.problems == []


def test_requests_exceptions_and_refusals_are_seen(watched, tmp_path):
    policy = "<meta http-equiv='Content-Security-Policy' content=\"style-src 'none'\">"
    (tmp_path / "b.html").write_text(
        f"<!doctype html>{policy}<p style='color:red'>x</p><img src='missing.png' alt=''>"
        "<script>throw new Error('loud')</script>"
    )
    watched.page.goto((tmp_path / "b.html").as_uri())
    assert (tmp_path / "missing.png").as_uri() in watched.requests
    told = " ".join(watched.problems)
    assert "loud" in told
    assert "Content Security Policy" in told
    assert "missing.png" in told
