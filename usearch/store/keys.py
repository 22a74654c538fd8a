"""Visual keys: what a backbone saw of each segment, beside the vectors that texts share.

A part may have them (`keys.f16`, the space in its entry of the manifest) or not, and a row of a
part that has them may be without: all zero. So keys can be added to a store bit by bit, and a
store without any is as good as ever for all that needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from usearch.errors import StoreError
from usearch.records import EmbeddingSpace, FloatArray
from usearch.store import parts as part_files
from usearch.store.part import Part
from usearch.store.parts import HalfArray, RowArray
from usearch.store.vectors import Block, BoolArray, Found, search_blocks

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot

_AT_ONCE = 65_536


def newest_space(parts: Sequence[Part]) -> EmbeddingSpace | None:
    """The space of the keys of some parts: that of the last part that has any."""
    return next((p.entry.keys for p in reversed(parts) if p.entry.keys is not None), None)


def half_keys(keys: FloatArray) -> HalfArray:
    """Keys as they are stored: float16 [n, K], unit length; all zero where one is not usable."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(keys.astype(np.float64), axis=1, keepdims=True)
    good = np.isfinite(lengths) & (lengths > 0)
    half: HalfArray = np.divide(keys, lengths, out=np.zeros_like(keys), where=good).astype(
        np.float16
    )
    return half


def gather_keys(snapshot: Snapshot, rows: RowArray, space: EmbeddingSpace) -> HalfArray:
    """Keys of rows, float16 [n, K], in their order; all zero where there is none.

    Args:
        snapshot: The store.
        rows: int64 [n]; those of removed photos are not refused.
        space: Keys of another space count as none.

    Raises:
        StoreError: They are damaged.
    """
    part_of = np.searchsorted(snapshot.offsets, rows, side="right") - 1
    out = np.zeros((len(rows), space.dim), np.float16)
    for at in np.flatnonzero(np.bincount(part_of)):
        keys = _keys_in(snapshot.parts[at], space)
        if keys is not None:
            place = part_of == at
            out[place] = keys[rows[place] - snapshot.offsets[at]]
    return out


def keyed_rows(snapshot: Snapshot, space: EmbeddingSpace) -> BoolArray:
    """bool, for each row of a snapshot whether it is there and has a key of this space."""
    keyed = np.zeros(int(snapshot.offsets[-1]), bool)
    for offset, part in zip(snapshot.offsets, snapshot.parts, strict=False):
        keys = _keys_in(part, space)
        for start in range(0, 0 if keys is None else len(keys), _AT_ONCE):
            assert keys is not None
            some = keys[start : start + _AT_ONCE].view(np.uint16)
            keyed[offset + start : offset + start + len(some)] = some.any(1)
    return keyed & snapshot.alive


def photos_without_keys(snapshot: Snapshot, space: EmbeddingSpace | None) -> set[int]:
    """Ids of the photos that have segments and none of them a key of this space.

    Args:
        snapshot: The store.
        space: None: of the newest keys that the store has.
    """
    space = newest_space(snapshot.parts) if space is None else space
    n_rows = int(snapshot.offsets[-1])
    keyed = np.zeros(n_rows, bool) if space is None else keyed_rows(snapshot, space)
    without: set[int] = set()
    for photo in part_files.numbers(snapshot.photos()["photo_id"]).tolist():
        rows = snapshot.rows_of_photo(photo)
        if len(rows) and not keyed[rows].any():
            without.add(photo)
    return without


def search_keys(
    snapshot: Snapshot, queries: FloatArray, k: int, allowed: BoolArray, space: EmbeddingSpace
) -> Found:
    """The rows whose keys are nearest; exact.

    Args:
        snapshot: The store.
        queries: float32 [q, K], unit length.
        k: How many; at least 1.
        allowed: bool, for each row of the snapshot; only of rows of `keyed_rows`.
        space: Of the keys.

    Returns:
        Cosines float32 [q, k'] and rows int64 [q, k'], best first, k' = min(k, rows allowed).

    Raises:
        StoreError: Keys are damaged.
    """
    blocks = []
    for offset, part in zip(snapshot.offsets, snapshot.parts, strict=False):
        keys = _keys_in(part, space)
        alive = allowed[offset : offset + part.entry.segments]
        if keys is not None and alive.any():
            blocks.append(Block(int(offset), keys, None if alive.all() else alive))
    cosines, rows = search_blocks(blocks, queries, k)
    return np.clip(cosines, -1.0, 1.0), rows


def _keys_in(part: Part, space: EmbeddingSpace) -> HalfArray | None:
    """Keys of a part, checked; None where it has none of this space."""
    if part.keys is None or part.entry.keys is None or part.entry.keys.id != space.id:
        return None
    if part.entry.keys.dim != space.dim:
        raise StoreError(
            f"{part.folder} has keys of {part.entry.keys.dim} values, {space.name} has {space.dim}"
        )
    part.verify(part_files.KEYS)
    return part.keys
