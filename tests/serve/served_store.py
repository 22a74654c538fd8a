"""A folder with photos and a store, and clients of the application over it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toys import load_toys

from indexer.pipeline import index_photos

with warnings.catch_warnings():
    # Its client names a class of anyio by the name that it had.
    warnings.simplefilter("ignore", DeprecationWarning)
    from starlette.testclient import TestClient


def index(folder: Path) -> None:
    """Index `photos/` into `.usearch`, once more."""
    index_photos([folder / "photos"], folder / ".usearch", load_toys, preset="mini", workers=0)


def app_of(folder: Path, limits=None, *, clock=time.monotonic, **options):
    """The application over the folder's store."""
    from usearch.serve.app import build_app
    from usearch.serve.live import LiveStore

    return build_app(LiveStore(folder / ".usearch", clock), limits, **options)


def client_of(folder: Path, limits=None, *, base="http://127.0.0.1:8765", **options) -> TestClient:
    """A client of a new application over the folder's store."""
    app = app_of(folder, limits, **options)
    return TestClient(app, base_url=base, follow_redirects=False, raise_server_exceptions=False)


_SERVE = """
import sys
sys.path[:0] = sys.argv.pop(1).split(":")
import toy_preset
toy_preset.install()
from usearch.cli import main
sys.exit(main(["serve", *sys.argv[1:]]))
"""


@dataclass
class Serving:
    """A running `usearch serve`: its process, and the address that it printed."""

    process: subprocess.Popen[str]
    address: str

    def stop(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """Exit code, the rest of stdout, and stderr."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Serving]:
    """`usearch serve` over the folder's store, in a process of its own, on a free port."""
    here = Path(__file__).parent
    path = os.pathsep.join(str(place) for place in (here.parent, here.parent / "cli"))
    words = [sys.executable, "-c", _SERVE, path, "--port", "0", *options]
    process = subprocess.Popen(
        words,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "USEARCH_TESTS_ALLOW_LOOPBACK": "1"},
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    try:
        assert address, process.communicate(timeout=30)[1]
        yield Serving(process, address)
    finally:
        process.kill()
        process.communicate()
