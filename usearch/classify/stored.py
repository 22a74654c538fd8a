"""Photos of a store: their segments and vectors, and what classes they hold.

No photo is opened and no network runs on pixels: what was stored is all that is read, some
thousand segments at a time, so memory does not grow with the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch import masks
from usearch.classify.bank import Voters
from usearch.classify.ensemble import Second
from usearch.classify.neighbours import Bank, voters_of
from usearch.classify.rule import (
    PAPERS_RULE,
    Classified,
    Rule,
    Shares,
    classify_segments,
    shares_of,
)
from usearch.classify.texts import ClassTexts
from usearch.errors import StoreError
from usearch.records import EmbeddingSpace, FloatArray, Segments

if TYPE_CHECKING:
    import pyarrow as pa

    from usearch.store import Snapshot

_AT_ONCE = 8_192
"""Segments that are read together, more where one photo has more."""


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """What a store holds of one photo.

    Attributes:
        photo: Its id.
        root: Absolute folder that was indexed.
        path: Relative to `root`, with '/'.
        width: Of the photo as shown, in pixels.
        height: As `width`.
        segments: n segments on the mask grid, parents among them.
        segment_ids: int64 [n].
        vectors: float32 [n, D].
        hash: Of the file's content, hex.
        keys: float32 [n, K], visual keys, a row of zeros where there is none; None where they
            were not asked for.
    """

    photo: int
    root: str
    path: str
    width: int
    height: int
    segments: Segments
    segment_ids: npt.NDArray[np.int64]
    vectors: FloatArray
    hash: str = ""
    keys: FloatArray | None = None

    @property
    def image(self) -> str:
        """Absolute path of the photo."""
        return str(Path(self.root) / self.path)


@dataclass(frozen=True, slots=True)
class PhotoShares:
    """The classes of one photo, as numbers.

    Attributes:
        image: Absolute path of the photo.
        photo: Its id in the store; None for a photo of none.
        width: Of the photo as shown, in pixels.
        height: As `width`.
        n_segments: Segments that were asked.
        shares: Of the photo's pixels, by class.
        counts: int64 [C], segments of each class.
        best: float32 [C], best score among the segments of each class, NaN where there is
            none; None where the class texts have no scores.
    """

    image: str
    photo: int | None
    width: int
    height: int
    n_segments: int
    shares: Shares
    counts: npt.NDArray[np.int64]
    best: FloatArray | None


def stored_photos(
    snapshot: Snapshot,
    photos: Iterable[int] | None = None,
    rows: npt.NDArray[np.int64] | None = None,
    keys: EmbeddingSpace | None = None,
) -> Iterator[StoredPhoto]:
    """Photos of a store with their segments, by id.

    Args:
        snapshot: The store.
        photos: Ids of the photos wanted; None for all. Photos that could not be read when
            they were indexed are left out.
        rows: Only these segments, ascending, as a filter gives them, and only photos that
            have one of them; None for all.
        keys: Space of the visual keys to read along; None for none.

    Raises:
        StoreError: A file of the store is damaged.
    """
    from usearch.store.parts import take

    table = snapshot.photos().select(
        ["photo_id", "path", "root", "width", "height", "hash", "status", "n_segments"]
    )
    if photos is not None:
        there = np.isin(table["photo_id"].to_numpy(), np.fromiter(photos, np.int64))
        table = take(table, np.flatnonzero(there))
    batch: list[tuple[dict[str, Any], npt.NDArray[np.int64]]] = []
    held = 0
    for record in _records(table):
        if record["status"] != "ok":
            continue
        own = snapshot.rows_of_photo(record["photo_id"])
        if rows is not None:
            first, behind = (own[0], own[-1] + 1) if len(own) else (0, 0)
            own = rows[np.searchsorted(rows, first) : np.searchsorted(rows, behind)]
            if not len(own):
                continue
        batch.append((record, own))
        held += len(own)
        if held >= _AT_ONCE:
            yield from _read(snapshot, batch, keys)
            batch, held = [], 0
    yield from _read(snapshot, batch, keys)


def photo_shares(
    found: Classified, image: str, width: int, height: int, photo: int | None = None
) -> PhotoShares:
    """The numbers of a photo whose classes are known; shares are those of its map."""
    classes = found.segment_labels < found.n_classes
    of_class = found.segment_labels[classes]
    best = None
    if found.scores is not None:
        best = np.full(found.n_classes, -1.0, np.float32)
        np.maximum.at(best, of_class, found.scores[classes])
        best[best < 0] = np.nan
    return PhotoShares(
        image=image,
        photo=photo,
        width=width,
        height=height,
        n_segments=len(found.segment_labels),
        shares=shares_of(found, (height, width)),
        counts=np.bincount(of_class, minlength=found.n_classes),
        best=best,
    )


def classify_store(
    snapshot: Snapshot,
    classes: ClassTexts,
    rule: Rule = PAPERS_RULE,
    *,
    rows: npt.NDArray[np.int64] | None = None,
    bank: Bank | None = None,
    second: Callable[[StoredPhoto], Second] | None = None,
) -> Iterator[PhotoShares]:
    """The classes of every photo of a store, by id; the rule is that of `usearch segment`.

    Args:
        snapshot: The store.
        classes: Of the store's own space.
        rule: What of the rule is chosen.
        rows: Only these segments, as a filter gives them; None for all.
        bank: Whose segments vote along; None for none.
        second: Gives what a second model says of a photo's segments; None for none.
    """
    for photo in stored_photos(snapshot, rows=rows, keys=None if bank is None else bank.space):
        voters = photo_voters(bank, photo)
        seen = None if second is None else second(photo)
        found = classify_segments(
            photo.segments, photo.vectors, classes, rule, voters=voters, second=seen
        )
        yield photo_shares(found, photo.image, photo.width, photo.height, photo.photo)


def photo_voters(bank: Bank | None, photo: StoredPhoto) -> Voters | None:
    """The neighbours of a stored photo's segments; None without a bank or without keys."""
    if bank is None or photo.keys is None:
        return None
    return voters_of(bank, photo.keys, photo.hash)


def _records(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=1024):
        yield from batch.to_pylist()


def _read(
    snapshot: Snapshot,
    batch: list[tuple[dict[str, Any], npt.NDArray[np.int64]]],
    space: EmbeddingSpace | None,
) -> Iterator[StoredPhoto]:
    from usearch.store import real_name
    from usearch.store.keys import gather_keys

    if not batch:
        return
    rows = np.concatenate([own for _, own in batch])
    table = snapshot.stored_segments(rows)
    vectors = snapshot.vectors(rows)
    keys = None if space is None else gather_keys(snapshot, rows, space).astype(np.float32)
    start = 0
    for record, own in batch:
        stop = start + len(own)
        size = record["height"], record["width"]
        ids, segments = _segments(table.slice(start, len(own)), size)
        yield StoredPhoto(
            photo=record["photo_id"],
            root=real_name(record["root"]),
            path=real_name(record["path"]),
            width=size[1],
            height=size[0],
            segments=segments,
            segment_ids=ids,
            vectors=vectors[start:stop],
            hash=record["hash"],
            keys=None if keys is None else keys[start:stop],
        )
        start = stop


def _segments(
    table: pa.Table, photo_size: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], Segments]:
    """Ids and segments of one photo; a parent that is not among them counts as none."""
    n = len(table)
    heights, widths = (table[name].to_numpy() for name in ("mask_h", "mask_w"))
    size = (int(heights[0]), int(widths[0])) if n else photo_size
    if n and ((heights != size[0]).any() or (widths != size[1]).any()):
        raise StoreError("segments of one photo have masks of different sizes")
    ids = table["segment_id"].to_numpy().astype(np.int64)
    above = table["parent"].fill_null(-1).to_numpy().astype(np.int64)
    order = np.argsort(ids, kind="stable")
    at = np.searchsorted(ids, above, sorter=order)
    parents = np.full(n, -1, np.int32)
    there = at < n
    there[there] = ids[order[at[there]]] == above[there]
    parents[there] = order[at[there]]
    boxes = np.stack([table[name].to_numpy() for name in ("x0", "y0", "x1", "y1")], 1)
    scale = np.array([size[1] / photo_size[1], size[0] / photo_size[0]] * 2, np.float32)
    shares = table["area_share"].to_numpy().astype(np.float64)
    return ids, Segments(
        size=size,
        rles=[one if isinstance(one, bytes) else one.encode() for one in table["rle"].to_pylist()],
        boxes=(boxes * scale).astype(np.float32),
        areas=np.round(shares * size[0] * size[1]).astype(np.int32),
        scores=table["score"].to_numpy().astype(np.float32),
        parents=parents,
        depths=masks.depths_of(parents),
    )
