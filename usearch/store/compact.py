"""What keeps a store small: merging parts and dropping the dead.

Small parts are merged as they pile up (eight of a size make one of the next), so the number
of parts grows with the logarithm of the store. Merging keeps the order of photos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from usearch.records import EmbeddingSpace
from usearch.store import commits
from usearch.store import manifest as manifests
from usearch.store import parts as part_files
from usearch.store.ivf import carried_index, ensure_index
from usearch.store.keys import gather_keys, newest_space
from usearch.store.lock import WriteLock
from usearch.store.manifest import PartEntry
from usearch.store.part import Part
from usearch.store.parts import RowArray, SegmentRows
from usearch.store.snapshot import Snapshot

PART_ROWS = 1 << 17
"""Segments in a merged part: damage to a file costs no more than the photos of one part."""

_FAN = 8
_CHUNK = 16_384
_DEAD_SHARE = 0.25
_DEAD_ROWS = 10_000


def merge_small(snapshot: Snapshot) -> Snapshot:
    """Merge the last parts where eight or more have about the same size."""
    covered = snapshot.manifest.index.parts if snapshot.manifest.index else 0
    entries = snapshot.manifest.parts
    full = [i + 1 for i, e in enumerate(entries) if e.segments > PART_ROWS // 2]
    covered = max([covered, *full])
    first = len(entries)
    while first > covered and len(entries) - first < _FAN:
        level = _level(entries[first - 1])
        while first > covered and _level(entries[first - 1]) <= level:
            first -= 1
    if len(entries) - first < _FAN:
        return snapshot
    merged = merge_parts(snapshot, first, len(entries))
    new = commits.commit(snapshot, replace(snapshot.manifest, parts=(*entries[:first], *merged)))
    commits.collect(snapshot.path)
    return new


def _level(entry: PartEntry) -> int:
    """Rows in powers of eight."""
    return int(np.log2(max(entry.segments, entry.photos, 1)) / 3)


def drop_dead(snapshot: Snapshot) -> Snapshot:
    """Compact when a quarter of the rows belongs to removed photos, and they are many."""
    dead = sum(e.dead_rows for e in snapshot.manifest.parts)
    if dead > _DEAD_ROWS and dead > _DEAD_SHARE * (dead + snapshot.n_segments):
        return compact_all(snapshot)
    return snapshot


def compact_store(path: Path) -> int:
    """Merge parts into as few as there can be and drop what is dead.

    Returns:
        Bytes freed (files that a reader still holds are freed when it lets go).

    Raises:
        StoreBusy: Somebody is writing the store.
    """
    path = Path(path).absolute()
    manifests.read(path)
    lock = WriteLock(path)
    try:
        before = _size(path)
        opened = Snapshot(path, manifests.read(path))
        snapshot = ensure_index(compact_all(opened))
        if snapshot is not opened:
            # The version before is given up as well, or its parts would stay.
            commits.commit(snapshot, snapshot.manifest)
        commits.collect(path)
        return max(0, before - _size(path))
    finally:
        lock.release()


def compact_all(snapshot: Snapshot) -> Snapshot:
    """As few parts as there can be, of all that is alive; nothing where that is so already."""
    entries = snapshot.manifest.parts
    clean = all(not e.removed and not e.moves for e in entries)
    if clean and all(e.segments > PART_ROWS // 2 for e in entries[:-1]):
        return snapshot
    merged = replace(
        snapshot.manifest, parts=tuple(merge_parts(snapshot, 0, len(entries))), index=None
    )
    index = carried_index(snapshot, Snapshot(snapshot.path, merged))
    return commits.commit(snapshot, replace(merged, index=index))


def merge_parts(snapshot: Snapshot, first: int, last: int) -> list[PartEntry]:
    """Write the parts first..last-1 of a snapshot anew, without what is dead.

    Returns:
        The new parts, of at most `PART_ROWS` segments each (but whole photos); none when
        nothing is left.
    """
    chosen = snapshot.parts[first:last]
    for part in chosen:
        part.verify(part_files.VECTORS)
    own = np.concatenate(
        [np.zeros(0, np.int64), *(part_files.numbers(p.photos["photo_id"]) for p in chosen)]
    )
    live = snapshot.photos()
    photos = live.filter(pa.array(np.isin(part_files.numbers(live["photo_id"]), own)))
    moves = _moves(chosen, np.setdiff1d(part_files.numbers(live["photo_id"]), own))
    begin, end = int(snapshot.offsets[first]), int(snapshot.offsets[last])
    rows = begin + np.flatnonzero(snapshot.alive[begin:end])
    ends = np.cumsum(part_files.numbers(photos["n_segments"]), dtype=np.int64)
    space = newest_space(chosen)
    entries: list[PartEntry] = []
    at = done = 0
    while at < len(photos) or len(moves):
        stop = max(at + 1, int(np.searchsorted(ends, done + PART_ROWS, side="right")))
        some = photos.slice(at, stop - at)
        until = done + sum(some["n_segments"].to_pylist())
        entries.append(
            part_files.write_part(
                snapshot.path,
                snapshot.version + 1,
                photos=some,
                segments=_chunks(snapshot, rows[done:until], space),
                moves=moves,
                keys=space,
            )
        )
        at, done, moves = stop, until, moves.slice(0, 0)
    return entries


def _chunks(
    snapshot: Snapshot, rows: RowArray, keys: EmbeddingSpace | None
) -> Iterator[SegmentRows]:
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK]
        yield SegmentRows(
            snapshot.stored_segments(some),
            snapshot.gather(some),
            None if keys is None else gather_keys(snapshot, some, keys),
        )


def _moves(chosen: Sequence[Part], elsewhere: RowArray) -> pa.Table:
    """The last move of each photo that is alive in another part."""
    table = pa.concat_tables(
        [part_files.no_rows(part_files.PHOTO_SCHEMA)] + [p.moves for p in chosen]
    )
    last = {photo_id: i for i, photo_id in enumerate(table["photo_id"].to_pylist())}
    kept = sorted(i for photo_id, i in last.items() if photo_id in set(elsewhere.tolist()))
    return table.take(pa.array(kept, pa.int64()))


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
