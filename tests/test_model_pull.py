"""Fetching weights, against a server of our own on this machine."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from usearch.errors import ModelError, ServiceError, StoreBusy
from usearch.models import pull as pulling
from usearch.models.files import WeightFile
from usearch.models.pull import pull

DATA = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """Serves DATA, in the way that a test sets; remembers where each answer began."""

    daemon_threads = True
    ranges = True
    stop_after = len(DATA)
    sends = DATA
    redirect = ""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.began = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/weights.pth"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        if self.path != "/weights.pth":
            return self.send_error(404)
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            return self.end_headers()
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        server.began.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.sends) - start))
        self.end_headers()
        self.wfile.write(server.sends[start : server.stop_after])
        return None

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def server(loopback):
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def known(server):
    return WeightFile(
        "weights.pth", "Small", len(DATA), hashlib.sha256(DATA).hexdigest(), server.address, "MIT"
    )


def test_a_file_arrives_whole_and_under_its_own_name_only(known, tmp_path):
    said = []
    path = pull(known, tmp_path / "new" / "folder", said.append)
    assert path.read_bytes() == DATA
    assert [p.name for p in path.parent.iterdir()] == ["weights.pth"]
    assert said[-1] == len(DATA) and said == sorted(said)


def test_a_download_that_broke_off_goes_on_where_it_ended(known, server, tmp_path):
    server.stop_after = 300_000
    with pytest.raises(ServiceError, match="too early"):
        pull(known, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.pth.part"]
    server.stop_after = len(DATA)
    assert pull(known, tmp_path).read_bytes() == DATA
    assert server.began == [0, 300_000]


def test_a_server_that_knows_no_ranges_begins_at_the_beginning(known, server, tmp_path):
    (tmp_path / "weights.pth.part").write_bytes(DATA[:1000])
    server.ranges = False
    assert pull(known, tmp_path).read_bytes() == DATA


def test_a_partial_file_that_is_longer_than_the_published_one_is_thrown_away(known, tmp_path):
    (tmp_path / "weights.pth.part").write_bytes(DATA + b"more")
    assert pull(known, tmp_path).read_bytes() == DATA


def test_a_partial_file_that_is_complete_asks_for_nothing(known, server, tmp_path):
    (tmp_path / "weights.pth.part").write_bytes(DATA)
    assert pull(known, tmp_path).read_bytes() == DATA
    assert server.began == []


@pytest.mark.parametrize("wrong", [b"x" * len(DATA), DATA[:-1] + b"x", b"<html>" + DATA])
def test_what_is_not_the_published_file_is_removed_and_never_named(known, server, tmp_path, wrong):
    server.sends, server.stop_after = wrong, len(wrong)
    with pytest.raises(ModelError, match=r"is not weights\.pth"):
        pull(known, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_refuses_is_named_with_its_answer_and_where_the_file_belongs(
    known, server, tmp_path
):
    known = WeightFile(*("weights.pth", "Small", 9, "0" * 64), server.address + "x", "MIT")
    with pytest.raises(ServiceError, match="404") as caught:
        pull(known, tmp_path)
    assert str(tmp_path / "weights.pth") in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_offline_it_says_so_and_leaves_nothing(loopback, tmp_path):
    known = WeightFile("w.pth", "Small", 9, "0" * 64, "http://127.0.0.1:9/w.pth", "MIT")
    with pytest.raises(ServiceError, match="cannot be reached"):
        pull(known, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_is_followed_but_not_out_of_encryption(known, server, tmp_path):
    server.redirect = server.address.replace("weights", "elsewhere")
    with pytest.raises(ServiceError, match="404"):
        pull(known, tmp_path)
    careful = pulling._Careful()
    encrypted = pulling.urllib.request.Request("https://example.org/w.pth")
    with pytest.raises(pulling.urllib.error.URLError, match="not encrypted"):
        careful.redirect_request(encrypted, None, 302, "Found", {}, "http://example.org/w.pth")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/w.pth"])
def test_nothing_but_http_is_opened(loopback, tmp_path, address):
    known = WeightFile("w.pth", "Small", 9, "0" * 64, address, "MIT")
    with pytest.raises(ServiceError):
        pull(known, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_downloads_of_one_file_do_not_meet(known, tmp_path):
    import fcntl

    with (tmp_path / "weights.pth.part").open("ab") as other:
        other.write(b"theirs")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy):
            pull(known, tmp_path)
    assert (tmp_path / "weights.pth.part").read_bytes() == b"theirs"
