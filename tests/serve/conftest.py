"""A small store of coloured tiles behind the application, without a socket."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_preset

for _package in ("starlette", "uvicorn", "httpx"):
    pytest.importorskip(_package, reason="the extra serve and httpx are needed")

from served_store import client_of, index  # noqa: E402


def _filled(folder: Path) -> Path:
    toy_preset.quarters(folder / "photos" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(folder / "photos" / "sub" / "b.png", "green", "green", "blue", "blue")
    index(folder)
    return folder


@pytest.fixture(scope="session")
def _kept_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        toy_preset.install(patch)
        folder = _filled(tmp_path_factory.mktemp("served"))
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A folder of its own with `photos/` and a store: two photos of four tiles each."""
    toy_preset.install(monkeypatch)
    return _filled(tmp_path)


@pytest.fixture
def kept_folder(_kept_folder: Path, monkeypatch) -> Path:
    """The same for tests that change nothing in it: it is made once."""
    toy_preset.install(monkeypatch)
    return _kept_folder


@pytest.fixture
def client(kept_folder: Path):
    """A client of the application, as the machine's own browser would be."""
    with client_of(kept_folder) as client:
        yield client
