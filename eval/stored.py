"""Labelled photos met again in a store: their stored segments and vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usearch import masks
from usearch.errors import InputError
from usearch.records import FloatArray, Segments

if TYPE_CHECKING:
    from usearch.store import Snapshot


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """What a store holds of one photo.

    Attributes:
        path: The photo file.
        segments: n segments on the mask grid, in the order of the segmenter's ranking.
        vectors: float32 [n, D].
    """

    path: Path
    segments: Segments
    vectors: FloatArray


def stored_photos(snapshot: Snapshot, paths: Iterable[Path]) -> Iterator[StoredPhoto]:
    """The segments of photos, in the order of `paths`.

    Raises:
        InputError: The store has no such photo, or could not read it.
    """
    known = {Path(row.root, row.path).resolve(): row for row in snapshot.photo_records()}
    for path in paths:
        row = known.get(path.resolve())
        if row is None or row.status != "ok":
            why = "is not in the store" if row is None else f"could not be indexed: {row.status}"
            raise InputError(f"{path} {why}")
        rows = snapshot.rows_of_photo(row.photo_id)
        table = snapshot.segments(rows).select(["mask_h", "mask_w", "rle", "score"]).to_pydict()
        if len(rows) == 0:
            size, segments = (row.height, row.width), None
        else:
            size = (table["mask_h"][0], table["mask_w"][0])
            segments = masks.segments_from_counts(
                [masks.rle_to_counts(rle_bytes(rle), size) for rle in table["rle"]],
                size,
                table["score"],
            )
        yield StoredPhoto(path, segments or _no_segments(size), snapshot.vectors(rows))


def rle_bytes(rle: str | bytes) -> bytes:
    """RLE counts as bytes, however the table holds them."""
    return rle.encode("ascii") if isinstance(rle, str) else rle


def _no_segments(size: tuple[int, int]) -> Segments:
    return masks.segments_from_counts([], size, np.zeros(0, np.float32))
