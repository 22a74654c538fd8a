"""The photos of a data set in a store: indexed once, whatever class lists are asked of them.

A photo that the store has is not read again: neither after a kill, nor for another class list, nor
where another data set has the same file at another place (ADE20K comes as two archives).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.one_photo import Load
from indexer.photos import PhotoError, hash_file
from indexer.pipeline import index_photos
from usearch.classify import StoredPhoto, stored_photos
from usearch.errors import StoreNotFound
from usearch.store import Snapshot, open_snapshot

if TYPE_CHECKING:
    from indexer.reports import Progress
    from usearch.store import PhotoRow

_AT_ONCE = 64
"""Photos that are read from the store together."""


@dataclass(frozen=True, slots=True)
class Collected:
    """Photos of a data set in a store.

    Attributes:
        snapshot: The store.
        ids: Photo id of each photo that the store could read.
        failed: Why the others could not be read.
        indexed: Photos indexed in this run.
        known: Photos that were in the store before, under whatever path.
        seconds: What indexing took.
        stopped_by: Signal that ended indexing early; None when it came to its end.
    """

    snapshot: Snapshot
    ids: Mapping[Path, int]
    failed: Mapping[Path, str]
    indexed: int
    known: int
    seconds: float
    stopped_by: int | None = None


def collect(
    photos: Sequence[Path],
    store: Path,
    load: Load,
    preset: str,
    *,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Collected:
    """Brings photos into a store, those that are not in it yet.

    Args:
        photos: The photos; nothing else of their folders is looked at.
        store: The store's folder; made when absent.
        load: Makes segmenter and embedder; called only when there is a photo to index.
        preset: Name of what `load` loads, for the manifest.
        workers: As for `indexer.pipeline.index_photos`.
        progress: As there.

    Raises:
        InputError: A photo is missing.
        StoreError: The store is damaged, newer, of another space, or cut in another way.
        ModelError: Weights or a package are missing.
    """
    snapshot = _snapshot_if_any(store)
    rows = {} if snapshot is None else _rows_of(snapshot, photos)
    missing = [photo for photo in photos if photo not in rows]
    seconds, stopped = 0.0, None
    if missing or snapshot is None:
        report = index_photos(
            missing, store, load, preset=preset, workers=workers, progress=progress
        )
        seconds, stopped = report.seconds, report.stopped_by
        snapshot = open_snapshot(store)
        rows |= _rows_of(snapshot, missing)
    ok = {photo: row.photo_id for photo, row in rows.items() if row.status == "ok"}
    failed = {p: row.detail or row.status for p, row in rows.items() if row.status != "ok"}
    new = sum(photo in rows for photo in missing)
    return Collected(snapshot, ok, failed, new, len(photos) - len(missing), seconds, stopped)


def stored(collected: Collected, photos: Sequence[Path]) -> Iterator[StoredPhoto]:
    """Segments and vectors of photos in their order; those that failed are left out.

    No photo is opened.
    """
    there = [collected.ids[photo] for photo in photos if photo in collected.ids]
    for start in range(0, len(there), _AT_ONCE):
        wanted = there[start : start + _AT_ONCE]
        found = {one.photo: one for one in stored_photos(collected.snapshot, set(wanted))}
        yield from (found[photo_id] for photo_id in wanted)


def _snapshot_if_any(store: Path) -> Snapshot | None:
    try:
        return open_snapshot(store)
    except StoreNotFound:
        return None


def _rows_of(snapshot: Snapshot, photos: Sequence[Path]) -> dict[Path, PhotoRow]:
    """Rows of the photos that the store knows: by path, size and time, else by content."""
    by_path: dict[str, PhotoRow] = {}
    by_size: dict[int, list[PhotoRow]] = defaultdict(list)
    for row in snapshot.photo_records():
        by_path[os.path.realpath(f"{row.root}/{row.path}")] = row
        if row.status == "ok":
            by_size[row.bytes].append(row)
    out: dict[Path, PhotoRow] = {}
    for photo in photos:
        try:
            status = photo.stat()
        except OSError:
            continue  # the indexer says what is wrong with it
        here = by_path.get(os.path.realpath(photo))
        same_file = (status.st_size, status.st_mtime_ns)
        if here is not None and (here.bytes, here.mtime_ns) == same_file:
            out[photo] = here
        elif twins := by_size.get(status.st_size):
            content = _hash(photo)
            same = next((twin for twin in twins if twin.hash == content), None)
            if same is not None:
                out[photo] = same
    return out


def _hash(photo: Path) -> str:
    try:
        return hash_file(photo)
    except PhotoError:
        return ""
