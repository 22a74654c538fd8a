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

from usearch.store import commits
from usearch.store import manifest as manifests
from usearch.store import parts as part_files
from usearch.store.ivf import ensure_index
from usearch.store.lock import WriteLock
from usearch.store.manifest import PartEntry
from usearch.store.parts import HalfArray, Part, RowArray
from usearch.store.snapshot import Snapshot

_FAN = 8
_DEAD_SHARE = 0.25
_DEAD_ROWS = 10_000


def merge_small(snapshot: Snapshot) -> Snapshot:
    """Merge the last parts where eight or more have about the same size."""
    covered = snapshot.manifest.index.parts if snapshot.manifest.index else 0
    entries = snapshot.manifest.parts
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
    """Merge all parts into one and drop what is dead.

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
    """One part of all that is alive; nothing is done where that is already so."""
    entries = snapshot.manifest.parts
    if not entries or (len(entries) == 1 and not entries[0].removed and not entries[0].moves):
        return snapshot
    merged = merge_parts(snapshot, 0, len(entries))
    return commits.commit(snapshot, replace(snapshot.manifest, parts=tuple(merged), index=None))


def merge_parts(snapshot: Snapshot, first: int, last: int) -> list[PartEntry]:
    """Write the parts first..last-1 of a snapshot as one, without what is dead.

    Returns:
        One entry, or none when nothing is left.
    """
    chosen = snapshot.parts[first:last]
    own = np.concatenate(
        [np.zeros(0, np.int64), *(p.photos["photo_id"].to_numpy() for p in chosen)]
    )
    live = snapshot.photos()
    photos = live.filter(pa.array(np.isin(live["photo_id"].to_numpy(), own)))
    moves = _moves(chosen, np.setdiff1d(live["photo_id"].to_numpy(), own))
    if not len(photos) and not len(moves):
        return []
    entry = part_files.write_part(
        snapshot.path,
        snapshot.version + 1,
        photos=photos,
        segments=_live_segments(snapshot, first, last),
        moves=moves,
    )
    return [entry]


def _moves(chosen: Sequence[Part], elsewhere: RowArray) -> pa.Table:
    """The last move of each photo that is alive in another part."""
    table = pa.concat_tables([part_files.PHOTO_SCHEMA.empty_table()] + [p.moves for p in chosen])
    last = {photo_id: i for i, photo_id in enumerate(table["photo_id"].to_pylist())}
    kept = sorted(i for photo_id, i in last.items() if photo_id in set(elsewhere.tolist()))
    return table.take(pa.array(kept, pa.int64()))


def _live_segments(
    snapshot: Snapshot, first: int, last: int
) -> Iterator[tuple[pa.Table, HalfArray]]:
    for at in range(first, last):
        part = snapshot.parts[at]
        part.verify(part_files.VECTORS)
        rows = np.flatnonzero(snapshot.alive[snapshot.offsets[at] : snapshot.offsets[at + 1]])
        for start in range(0, len(rows), 16_384):
            some = rows[start : start + 16_384]
            yield part.segments_at(some), part.vectors[some]


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
