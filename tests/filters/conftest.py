"""What the tests of filters share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import filter_samples
import pytest

from usearch.store import Snapshot, open_snapshot


@pytest.fixture(scope="session", autouse=True)
def _no_fsync() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        yield


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    path = tmp_path_factory.mktemp("filters") / "s"
    filter_samples.make_store(path)
    return open_snapshot(path)
