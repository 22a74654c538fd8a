"""The store that is served, as new as its manifest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.errors import StoreError
from usearch.opened import OpenStore
from usearch.serve.problems import tell_owner
from usearch.store import open_snapshot

if TYPE_CHECKING:
    from usearch.store import Snapshot

_MODELS = ("preset", "encoder", "calibration", "templates", "contrast", "image_side")
"""What an `OpenStore` keeps that belongs to the preset and not to the version."""

_PAUSE = 1.0
"""Seconds between two looks at the manifest."""


class LiveStore:
    """A store that is opened again when another process has committed to it.

    Whoever asks gets an `OpenStore` and keeps it to the end of a request: a commit in
    between changes nothing for them. Models are loaded once and handed on.

    Args:
        path: The store's folder.
        model: As `OpenStore` takes it.
        clock: Seconds that only grow.

    Raises:
        StoreError: The store cannot be opened now. Later on, a store that is damaged while it
            is served stays as it was.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        *,
        model: str | None = None,
    ) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._looked = clock()
        self._opened = OpenStore(open_snapshot(path), model)

    def current(self) -> OpenStore:
        """The newest version, looked for at most once a second."""
        if self._clock() - self._looked < _PAUSE or not self._lock.acquire(blocking=False):
            return self._opened
        try:
            self._looked = self._clock()
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                self._open()
        finally:
            self._lock.release()
        return self._opened

    def reload(self) -> OpenStore:
        """The newest version, looked for now.

        Raises:
            StoreError: The store cannot be read any more.
        """
        with self._lock:
            self._seen, self._looked = self._stamp(), self._clock()
            self._opened = reopened(self._opened, open_snapshot(self.path))
        return self._opened

    def _open(self) -> None:
        try:
            self._opened = reopened(self._opened, open_snapshot(self.path))
        except StoreError as problem:
            tell_owner(problem)

    def _stamp(self) -> tuple[int, int, int]:
        try:
            status = (self.path / "manifest.json").stat()
        except OSError:
            return 0, 0, 0
        return status.st_ino, status.st_size, status.st_mtime_ns


def reopened(opened: OpenStore, snapshot: Snapshot) -> OpenStore:
    """Another version of a store, with the models that are already loaded where they fit."""
    fresh, old = OpenStore(snapshot, opened.model), opened.snapshot
    if (old.preset, old.space.id, old.segmenter) == (
        snapshot.preset,
        snapshot.space.id,
        snapshot.segmenter,
    ):
        vars(fresh).update({name: vars(opened)[name] for name in _MODELS if name in vars(opened)})
    return fresh
