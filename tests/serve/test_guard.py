"""Who may ask: names, origins, tokens, headers, and how much at once."""

from __future__ import annotations

import threading

import pytest
from served_store import client_of

from usearch.serve.limits import Limits

API = "/api/v1"
TOKEN = "a-token-of-enough-length"
PATHS = (
    "/",
    "/openapi.json",
    f"{API}/info",
    f"{API}/photos/0/image",
    "/static/main.js",
    "/nothing",
)


def code(reply):
    return reply.json()["error"]["code"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "10.0.0.1", "[", "a b", ""],
)
def test_a_name_that_is_made_to_lead_here_is_refused(client, path, host):
    reply = client.get(path, headers={"Host": host})
    assert (reply.status_code, code(reply)) == (403, "host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:8765", "[::1]:8765"])
def test_this_machine_has_a_few_names(client, host):
    """Any port: it may have been forwarded."""
    assert client.get(f"{API}/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_other_sites_are_refused(client, headers):
    reply = client.get(f"{API}/photos/0/image", headers=headers)
    assert (reply.status_code, code(reply)) == (403, "origin")
    reply = client.post(f"{API}/search", json={"terms": [{"text": "a"}]}, headers=headers)
    assert (reply.status_code, code(reply)) == (403, "origin")


def test_the_own_page_and_links_to_it_pass(client):
    own = {"Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin"}
    assert client.get(f"{API}/health", headers=own).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/?q=red", headers=link).status_code == 200


def test_no_other_site_is_ever_invited(client):
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for reply in (client.options(f"{API}/search", headers=asked), client.get(f"{API}/health")):
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_every_answer_has_the_headers_that_keep_a_page_safe(client):
    for path in PATHS:
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


# Tokens


@pytest.fixture
def locked(kept_folder):
    with client_of(kept_folder, token=TOKEN) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \xe4\xf6"},
        {"Cookie": f"usearch={TOKEN}"},
        {"Cookie": "usearch="},
        {"Cookie": 'usearch=";;==\\'},
    ],
)
def test_without_the_token_there_is_nothing(locked, headers):
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in PATHS:
        assert locked.get(path, headers=raw).status_code == 401
        assert locked.get(path, params={"token": "wrong"}, headers=raw).status_code == 401


def test_the_token_in_a_header_opens_all(locked):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert locked.get(f"{API}/health", headers=headers).status_code == 200
    assert locked.get("/", headers=headers).status_code == 200


def test_the_token_in_the_address_becomes_a_cookie(locked):
    reply = locked.get("/", params={"q": "red car", "token": TOKEN})
    assert (reply.status_code, reply.headers["location"]) == (303, "/?q=red+car")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert locked.get(f"{API}/health").status_code == 200  # the client keeps cookies


def test_the_token_in_the_address_is_for_the_page_alone(locked):
    """Addresses end up in histories and logs; programs send a header."""
    assert locked.get(f"{API}/health", params={"token": TOKEN}).status_code == 401


def test_a_cookie_ends_with_its_server(kept_folder, locked):
    locked.get("/", params={"token": TOKEN})
    with client_of(kept_folder, token=TOKEN) as restarted:
        restarted.cookies = locked.cookies
        assert restarted.get(f"{API}/health").status_code == 401


def test_with_a_token_numbers_of_this_machine_are_names_of_it(locked):
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "192.168.1.20:8765"}
    assert locked.get(f"{API}/health", headers=headers).status_code == 200
    assert (
        locked.get(f"{API}/health", headers={**headers, "Host": "evil.example"}).status_code == 403
    )


# How much


def test_a_request_that_takes_too_long_is_503(kept_folder, monkeypatch):
    from usearch.opened import OpenStore

    wait = threading.Event()
    monkeypatch.setattr(OpenStore, "ask", lambda *_, **__: wait.wait(20))
    with client_of(kept_folder, Limits(seconds=0.2)) as client:
        reply = client.get(f"{API}/search?q=red")
        assert (reply.status_code, code(reply)) == (503, "timeout")
        assert reply.headers["retry-after"]
        assert client.get(f"{API}/health").status_code == 200
        wait.set()


def test_a_question_with_a_picture_may_take_longer(kept_folder, monkeypatch):
    from usearch.opened import OpenStore

    real = OpenStore.ask

    def slow(*words, **options):
        threading.Event().wait(0.5)
        return real(*words, **options)

    monkeypatch.setattr(OpenStore, "ask", slow)
    with client_of(kept_folder, Limits(seconds=0.2, picture_seconds=20)) as client:
        seen = {"terms": [{"photo": 0, "box": [0, 0, 20, 20]}]}
        assert client.post(f"{API}/search", json=seen).status_code == 200
        assert code(client.get(f"{API}/search?q=red")) == "timeout"


def test_more_work_than_fits_is_refused_until_there_is_room(kept_folder, monkeypatch):
    """Work whose request gave up still counts: it cannot pile up."""
    from usearch.opened import OpenStore

    wait, real = threading.Event(), OpenStore.ask
    monkeypatch.setattr(OpenStore, "ask", lambda *_, **__: wait.wait(20))
    with client_of(kept_folder, Limits(seconds=0.2, threads=1, waiting=1)) as client:
        assert code(client.get(f"{API}/search?q=red")) == "timeout"
        assert code(client.get(f"{API}/search?q=red")) == "busy"
        monkeypatch.setattr(OpenStore, "ask", real)
        wait.set()
        for _ in range(200):
            reply = client.get(f"{API}/search?q=red")
            if reply.status_code == 200:
                break
            wait.wait(0.05) and threading.Event().wait(0.05)
        assert reply.status_code == 200


def test_a_bug_is_told_to_the_owner_and_not_to_the_client(kept_folder, monkeypatch, capsys):
    from usearch.opened import OpenStore

    def broken(*_, **__):
        raise KeyError("/home/me/secret")

    monkeypatch.setattr(OpenStore, "ask", broken)
    with client_of(kept_folder) as client:
        reply = client.get(f"{API}/search?q=red")
    assert (reply.status_code, code(reply)) == (500, "bug")
    assert "secret" not in reply.text
    assert "Traceback" in capsys.readouterr().err
