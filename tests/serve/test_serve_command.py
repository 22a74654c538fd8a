"""`usearch serve`: a real process on a real socket of this machine, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import sys
import urllib.error
import urllib.request

import pytest
import toy_preset
from served_store import index, serving

from usearch.cli import main

TOKEN = "a-token-of-enough-length"


def get(address, **headers):
    """Status and body of an address, errors included."""
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


@pytest.fixture(autouse=True)
def _loopback(loopback):
    """This module talks to servers of its own."""


def test_it_serves_until_it_is_interrupted(folder):
    with serving(folder) as server:
        assert server.address.startswith("http://127.0.0.1:")
        status, page = get(server.address)
        assert (status, page[:15]) == (200, b"<!doctype html>")
        status, body = get(f"{server.address}api/v1/search?q=red")
        assert json.loads(body)["hits"][0]["path"] == "a.png"
        toy_preset.quarters(folder / "photos" / "c.png", *["red"] * 4)
        index(folder)
        request = urllib.request.Request(f"{server.address}api/v1/reload", method="POST")
        urllib.request.urlopen(request, timeout=30).close()
        assert json.loads(get(f"{server.address}api/v1/search?q=red")[1])["photos"] == 3
        code, out, err = server.stop()
    assert (code, out) == (130, "")
    assert "stopped" in err
    assert "Traceback" not in err


def test_sigterm_ends_it_as_well(kept_folder):
    with serving(kept_folder) as server:
        code, _, err = server.stop(signal.SIGTERM)
    assert code == 143
    assert "Traceback" not in err


def test_a_token_is_asked_for_and_never_printed(kept_folder):
    with serving(kept_folder, "--token", TOKEN) as server:
        assert get(server.address)[0] == 401
        assert get(f"{server.address}api/v1/health")[0] == 401
        status, _ = get(f"{server.address}api/v1/health", Authorization=f"Bearer {TOKEN}")
        assert status == 200
        _, out, err = server.stop()
    assert TOKEN not in server.address + out + err


def test_odd_bytes_get_an_answer_and_harm_nobody(kept_folder):
    with serving(kept_folder) as server:
        port = int(server.address.rsplit(":", 1)[1].strip("/"))
        for data in (
            b"\x16\x03\x01\x02\x00\x01",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
            b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /static/..%2f..%2fapp.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET " + b"a" * 200_000,
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)
                answer = raw.recv(65536)
            assert answer == b"" or answer.split()[1] in (b"400", b"404", b"413"), answer
        assert get(f"{server.address}api/v1/health")[0] == 200
        _, _, err = server.stop()
    assert "Traceback" not in err


def test_a_taken_port_is_8(kept_folder, monkeypatch, capsys):
    monkeypatch.chdir(kept_folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 8
    err = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is taken" in err
    assert "--port 0" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "add --token"),
        (["--host", "::"], "add --token"),
        (["--host", "192.0.2.1"], "add --token"),
        (["--host", "photos.example"], "add --token"),
        (["--host", "0.0.0.0", "--token", "short"], "16 or more"),
        (["--token", "pässwörter sind nicht ascii"], "16 or more"),
        (["--host", "192.0.2.1", "--token", TOKEN], "no address of this machine"),
        (["--port", "70000"], "0 to 65535"),
    ],
)
def test_what_would_be_unsafe_or_makes_no_sense_is_2(kept_folder, monkeypatch, capsys, words, said):
    monkeypatch.chdir(kept_folder)
    monkeypatch.setenv("USEARCH_TESTS_ALLOW_LOOPBACK", "1")
    if words[1] == "192.0.2.1":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))])  # fmt: skip
    assert main(["serve", "--port", "0", *words]) == 2
    assert said in capsys.readouterr().err


def test_without_the_extra_it_is_6(kept_folder, monkeypatch, capsys):
    monkeypatch.chdir(kept_folder)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 6
    assert "use-segments[serve]" in capsys.readouterr().err


def test_without_a_store_it_is_4(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--port", "0"]) == 4
    assert "usearch index" in capsys.readouterr().err
