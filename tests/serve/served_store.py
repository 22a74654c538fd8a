"""A folder with photos and a store, and clients of the application over it."""

from __future__ import annotations

import time
import warnings
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
