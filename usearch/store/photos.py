"""The photos of a version: those that are there, under their newest paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from usearch.store.manifest import Manifest
from usearch.store.part import Part
from usearch.store.parts import PHOTO_SCHEMA, RowArray, no_rows, numbers


def placed_photos(parts: Sequence[Part], manifest: Manifest) -> tuple[pa.Table, RowArray, RowArray]:
    """Rows of photos and moves, ids of the photos that are there, and their rows in it."""
    rows = pa.concat_tables([no_rows(PHOTO_SCHEMA)] + [p.photos for p in parts])
    moves = pa.concat_tables([no_rows(PHOTO_SCHEMA)] + [p.moves for p in parts])
    removed = {r.photo_id for e in manifest.parts for r in e.removed}
    ids = numbers(rows["photo_id"])
    place = np.arange(len(ids))
    order = np.argsort(ids, kind="stable")
    for i, moved in enumerate(moves["photo_id"].to_pylist()):
        at = int(np.searchsorted(ids, moved, sorter=order))
        if at < len(ids) and ids[order[at]] == moved:
            place[order[at]] = len(ids) + i
    live = order[~np.isin(ids[order], list(removed))] if removed else order
    return pa.concat_tables([rows, moves]), ids[live], place[live]


def photo_rows_in(
    parts: Sequence[Part], offsets: RowArray, there: RowArray
) -> tuple[RowArray, RowArray, RowArray]:
    """Ids, first rows and row counts of the photos that are there, by id.

    Args:
        parts: The parts of a version.
        offsets: Where the rows of each begin.
        there: Ids of the photos that are there.
    """
    ids, first, counts = [], [], []
    for offset, part in zip(offsets, parts, strict=False):
        n = numbers(part.photos["n_segments"]).astype(np.int64)
        ids.append(numbers(part.photos["photo_id"]))
        first.append(int(offset) + np.cumsum(n) - n)
        counts.append(n)
    joined = [np.concatenate([np.zeros(0, np.int64), *column]) for column in (ids, first, counts)]
    kept = np.isin(joined[0], there)
    order = np.argsort(joined[0][kept], kind="stable")
    return joined[0][kept][order], joined[1][kept][order], joined[2][kept][order]
