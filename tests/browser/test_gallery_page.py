"""The gallery in a real browser: what is drawn where, keys, hostile names, and no request."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from hit_photos import RED, answer_of, disc_photo, hit_of, read_photo
from PIL import Image

from usearch.render.gallery import gallery_html
from usearch.render.safe_text import printable

HOSTILE = (
    '"><img src=x onerror=document.title="owned">.png',
    "</script><script>document.title='owned'</script>",
    "'><svg onload=document.title='owned'>",
    "</title><style>*{display:none}</style>",
    "javascript:alert(1)",
    "&lt;b&gt; \x1b[2J \u202egnp.exe",
    "${document.title='owned'} {{7*7}} <!--",
)


@pytest.fixture
def gallery(tmp_path, watched):
    """Writes a page of answers and opens it; gives the watched page."""

    def opened(*answers, title="red disc", **options):
        html = gallery_html(answers, title=title, read_photo=read_photo, **options)
        path = tmp_path / "gallery.html"
        path.write_text(html, encoding="utf-8")
        watched.page.goto(path.as_uri())
        return watched

    return opened


@pytest.fixture
def three(tmp_path):
    hits = []
    for i, name in enumerate(("a.png", "b.png", "c.png")):
        mask = disc_photo(tmp_path / name, (300, 450), (120 + 90 * i, 140), 50 + 5 * i)
        hits.append(hit_of(tmp_path / name, mask, i + 1, score=0.9 - 0.2 * i))
    return answer_of("red disc", hits)


def quiet(watched):
    """The page asked for itself alone, and nothing went wrong in it."""
    assert watched.problems == []
    assert len(watched.requests) == 1
    assert watched.requests[0].endswith("/gallery.html")
    return True


def pixels(locator):
    with Image.open(io.BytesIO(locator.screenshot())) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_hits_are_shown_with_score_and_path_and_nothing_is_requested(gallery, three):
    watched = gallery(three)
    page = watched.page
    assert page.title() == "red disc"
    assert page.locator("h1").inner_text() == "red disc"
    assert page.locator(".open").count() == 3
    assert page.locator(".score").all_inner_texts() == ["0.90", "0.70", "0.50"]
    assert page.locator(".path").all_inner_texts() == ["a.png", "b.png", "c.png"]
    assert "3 segments in 3 photos, of 40 in 3 photos" in page.locator("header").inner_text()
    page.wait_for_timeout(200)
    assert quiet(watched)


def test_the_outline_is_drawn_where_the_mask_is(gallery, three):
    """In the large view: inside the photo's own red, an outline around it, dimmed beyond."""
    watched = gallery(three)
    page = watched.page
    page.locator(".open").first.click()
    page.wait_for_timeout(300)
    shown = pixels(page.locator("#picture"))
    box = page.evaluate(
        """() => { const s = document.getElementById("picture"), m = s.getScreenCTM(),
        r = s.getBoundingClientRect(); return [m.a, m.d, m.e - r.left, m.f - r.top]; }"""
    )
    scale_x, scale_y, left, top = box

    def at(x, y):
        return shown[round(top + y * scale_y), round(left + x * scale_x)]

    assert np.abs(at(120, 140) - RED).max() < 25
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        across, down = np.cos(angle), np.sin(angle)
        ring = [at(120 + r * across, 140 + r * down) for r in np.linspace(48, 52, 17)]
        # The outline's colour is #ffb020: much green beside its red, unlike disc and noise.
        assert any(np.abs(c - (255, 176, 32)).max() < 60 for c in ring), angle
        inside = at(120 + 40 * across, 140 + 40 * down)
        assert np.abs(inside - RED).max() < 40
    beyond = np.mean([at(x, 280) for x in range(20, 430, 5)])
    with Image.open(three.hits[0].image) as picture:
        plain = np.asarray(picture)[270:290, 20:430].mean()
    assert beyond < 0.8 * plain
    page.keyboard.press("o")
    page.wait_for_timeout(300)
    bare = pixels(page.locator("#picture"))
    assert np.mean(bare) > np.mean(shown) + 10
    assert quiet(watched)


@pytest.mark.slow
def test_filling_the_exact_outline_in_the_browser_gives_the_mask(watched):
    from usearch.masks import encode
    from usearch.render.outlines import outline_path

    rng = np.random.default_rng(3)
    for size in ((17, 23), (40, 31)):
        mask = rng.random(size) < 0.5
        path = outline_path(encode(mask), size, size[1], size[0], tolerance=0)
        filled = watched.page.evaluate(
            """([d, w, h]) => { const c = document.createElement("canvas"); c.width = w;
            c.height = h; const g = c.getContext("2d"); g.fill(new Path2D(d), "evenodd");
            const p = g.getImageData(0, 0, w, h).data;
            return Array.from({length: w * h}, (_, i) => p[4 * i + 3]); }""",
            [path, size[1], size[0]],
        )
        alpha = np.array(filled).reshape(size)
        assert set(np.unique(alpha)) <= {0, 255}
        np.testing.assert_array_equal(alpha == 255, mask)


@pytest.mark.slow
def test_a_view_is_around_the_hit_and_the_grid_is_justified(gallery, tmp_path):
    hits = []
    for i in range(9):
        path = tmp_path / f"{i}.png"
        mask = disc_photo(path, (200 + 40 * (i % 3), 300), (150, 90), 30 + 5 * i)
        hits.append(hit_of(path, mask, i + 1))
    watched = gallery(answer_of("red disc", hits))
    boxes = [tile.bounding_box() for tile in watched.page.locator(".open svg").all()]
    rows = {}
    for box in boxes:
        rows.setdefault(round(box["y"]), []).append(box)
    assert len(rows) > 1
    *full, _last = [rows[y] for y in sorted(rows)]
    for row in full:
        assert max(b["height"] for b in row) - min(b["height"] for b in row) < 3
        right = max(b["x"] + b["width"] for b in row)
        main = watched.page.locator("main").bounding_box()
        assert right == pytest.approx(main["x"] + main["width"], abs=2)
    tile = pixels(watched.page.locator(".open").first)
    middle = tile[tile.shape[0] // 2, tile.shape[1] // 2]
    assert middle[0] > 150 > middle[1]


def test_the_keyboard_does_all(gallery, three):
    watched = gallery(three)
    page = watched.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "open"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "h1-2"
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    assert page.locator("#where").inner_text() == "2 of 3"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#where").inner_text() == "3 of 3"
    assert page.locator("#next").is_disabled()
    page.keyboard.press("Home")
    assert page.locator("#where").inner_text() == "1 of 3"
    assert page.locator("#command").inner_text() == "usearch query --segment 65541"
    whole = page.locator("#picture").get_attribute("viewBox")
    page.keyboard.press("z")
    assert page.locator("#picture").get_attribute("viewBox") != whole == "0 0 450 300"
    for _ in range(12):  # Tab goes round inside the dialog
        page.keyboard.press("Tab")
        inside = page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert inside
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.id") == "h1-1"
    assert quiet(watched)


@pytest.mark.slow
def test_the_command_for_more_like_this_is_copied_and_said(gallery, three):
    watched = gallery(three)
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".copy").nth(1).click()
    page.locator("#said", has_text="131077").wait_for()
    assert page.locator("#said").inner_text() == "Copied: usearch query --segment 131077"
    assert page.evaluate("navigator.clipboard.readText()") == "usearch query --segment 131077"
    page.locator(".open").first.click()
    page.keyboard.press("c")
    page.locator("#said", has_text="65541").wait_for()
    assert page.locator("#said").is_visible()


def test_text_from_outside_is_only_text(gallery, three):
    answers = []
    for evil in HOSTILE:
        shown = dataclasses.replace(three.hits[0], matched=evil, camera=evil, taken_at=evil)
        missing = dataclasses.replace(three.hits[1], path=f"gone/{evil}")
        answers += [answer_of(evil, [shown, missing]), answer_of(evil, [])]
    watched = gallery(*answers, title=" ".join(HOSTILE), links=True)
    page = watched.page
    assert page.locator("h2").count() == 2 * len(HOSTILE) + 1
    assert page.locator("img, iframe, object, embed, form").count() == 0
    assert page.locator("style, script").count() == 2
    told = page.locator(".gone").all_text_contents()
    assert len(told) == len(HOSTILE)
    assert all("gone/" in text for text in told)
    page.locator(".open").first.click()
    for evil in HOSTILE:
        assert page.locator("#asked").inner_text() == printable(evil)
        assert printable(evil) in page.locator("#facts").inner_text()
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    assert page.title() != "owned"
    assert "\u202e" not in page.content()
    assert quiet(watched)


@pytest.mark.slow
def test_even_a_script_that_got_in_would_not_run(tmp_path, watched, three):
    html = gallery_html([three], title="t", read_photo=read_photo)
    planted = html.replace(
        "</main>",
        "<script>document.title='owned'</script>"
        "<p onclick=\"document.title='owned'\" id=trap>x</p>"
        "<img src=https://example.com/x.png onerror=\"document.title='owned'\"></main>",
    )
    path = tmp_path / "gallery.html"
    path.write_text(planted, encoding="utf-8")
    watched.page.goto(path.as_uri())
    watched.page.locator("#trap").click()
    watched.page.wait_for_timeout(200)
    assert watched.page.title() == "t"
    assert sum("Content Security Policy" in problem for problem in watched.problems) >= 3


@pytest.mark.slow
def test_several_answers_are_sections_and_an_empty_one_says_so(gallery, three):
    best = dataclasses.replace(three.hits[2], score=0.12)
    nothing = answer_of("zebra", [], best=best, below=4)
    watched = gallery(three, nothing, title="two questions")
    page = watched.page
    assert page.locator("section").count() == 2
    assert page.locator("h2").all_inner_texts()[:2] == ["red disc", "zebra"]
    assert page.locator(".empty").inner_text() == (
        "Nothing here matches “zebra”. The best of 40 segments in 3 photos scores 0.12; "
        "what scores below 0.50 does not count."
    )
    page.locator("nav a").nth(1).click()
    assert page.url.endswith("#answer-2")
    watched.requests[:] = watched.requests[:1]
    assert quiet(watched)


@pytest.mark.slow
def test_without_scripts_the_pictures_are_there(browser, tmp_path, three):
    path = tmp_path / "gallery.html"
    path.write_text(gallery_html([three], title="t", read_photo=read_photo), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    tile = pixels(page.locator(".open").first)
    context.close()
    middle = tile[tile.shape[0] // 2, tile.shape[1] // 2]
    assert np.abs(middle - RED).max() < 40


@pytest.mark.slow
def test_a_page_without_any_hit_has_no_script_at_all(gallery):
    watched = gallery(answer_of("zebra", [], segments=0), title="zebra")
    assert watched.page.locator("script").count() == 0
    assert "nothing to search" in watched.page.locator(".empty").inner_text()
    assert quiet(watched)


@pytest.mark.slow
def test_a_photo_that_is_gone_is_named_and_the_others_are_shown(gallery, three, tmp_path):
    (tmp_path / "b.png").unlink()
    watched = gallery(three)
    assert watched.page.locator(".open").count() == 2
    assert "b.png is gone" in watched.page.locator(".gone").inner_text()
    watched.page.locator(".open").nth(1).click()
    assert watched.page.locator("#where").inner_text() == "2 of 2"
    assert quiet(watched)


@pytest.mark.slow
def test_a_swipe_goes_to_the_next_hit(gallery, three):
    watched = gallery(three)
    page = watched.page
    page.locator(".open").first.click()
    swipe = """(by) => { const s = document.getElementById("stage");
      const touch = (x) => new Touch({identifier: 1, target: s, clientX: x, clientY: 200});
      s.dispatchEvent(new TouchEvent("touchstart", {touches: [touch(300)]}));
      s.dispatchEvent(new TouchEvent("touchend", {changedTouches: [touch(300 + by)]})); }"""
    for by, place in ((-100, "2 of 3"), (-20, "2 of 3"), (100, "1 of 3")):
        page.evaluate(swipe, by)
        assert page.locator("#where").inner_text() == place
    assert quiet(watched)


@pytest.mark.slow
def test_links_to_originals_are_there_when_asked_for(gallery, three, tmp_path):
    watched = gallery(three)
    assert str(tmp_path) not in watched.page.content()
    watched.page.locator(".open").first.click()
    assert not watched.page.locator("#original").is_visible()
    watched = gallery(three, links=True)
    watched.page.locator(".open").first.click()
    assert watched.page.locator("#original").get_attribute("href") == (tmp_path / "a.png").as_uri()


@pytest.mark.slow
def test_everything_has_a_name_for_those_who_do_not_see_it(gallery, three):
    watched = gallery(three)
    page = watched.page
    assert page.get_by_role("button", name="red disc: hit 1 of 3, score 0.90, a.png").count() == 1
    assert page.get_by_role("list").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a")].filter(
        b => !(b.getAttribute("aria-label") || b.textContent.trim())).length"""
    )
    assert nameless == 0
    page.locator(".open").first.click()
    assert page.get_by_role("dialog", name="the picture, large").count() == 1
    assert page.get_by_role("img", name="red disc: hit 1 of 3").count() == 1


CONTRAST = """() => {
  const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = rgb(c).map(v => v / 255).map(
    v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (rgb(c).length < 4 || rgb(c)[3] > .99) return c; } return "rgb(255,255,255)"; };
  const found = [];
  const all = "h1, h2, p, dt, dd, code, .score, .file, .dir, button, a";
  for (const e of document.querySelectorAll(all)) {
    if (!e.checkVisibility() || !e.textContent.trim() || e.disabled) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
    found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.className || e.tagName]);
  }
  return found;
}"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(gallery, three, watched, scheme):
    watched.page.emulate_media(color_scheme=scheme)
    low = answer_of("red disc", [*three.hits, dataclasses.replace(three.hits[0], score=0.1)])
    gallery(low, answer_of("zebra", []), title="contrast")
    found = watched.page.evaluate(CONTRAST)
    watched.page.locator(".open").first.click()
    found += watched.page.evaluate(CONTRAST)
    assert len(found) > 20
    assert [(round(ratio, 2), what) for ratio, what in found if ratio < 4.5] == []


@pytest.mark.slow
def test_nothing_moves_where_less_motion_is_wanted(gallery, three, watched):
    watched.page.emulate_media(reduced_motion="reduce")
    gallery(three)
    duration = watched.page.locator(".dim").first.evaluate(
        "e => getComputedStyle(e).transitionDuration"
    )
    assert duration == "0s"


@pytest.mark.slow
def test_no_width_needs_sideways_scrolling(gallery, three):
    watched = gallery(answer_of("x" * 200, list(three.hits)), title="y" * 300)
    for width in (320, 390, 768, 1920):
        watched.page.set_viewport_size({"width": width, "height": 700})
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        watched.page.locator(".open").first.click()
        assert watched.page.evaluate("document.getElementById('large').scrollWidth") <= width
        for name in ("#close", "#next", "#picture"):
            box = watched.page.locator(name).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width + 1
        watched.page.keyboard.press("Escape")
