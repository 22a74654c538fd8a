"""Vectors of pictures, boxes, points and stored segments that are part of a question.

A photo that the store knows, by its content or its path, is answered from the vectors it
already has, and no network runs. Any other picture is cut and embedded as `usearch index`
would do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usearch import masks
from usearch.errors import UsageError
from usearch.questions import Picture, Point, Region

if TYPE_CHECKING:
    from usearch.records import FloatArray, Image
    from usearch.store import Snapshot

WHOLE = 0.98
"""A segment that covers so much of its photo stands for the photo."""

SAME_BOX = 0.75
"""A stored segment stands for a box that it overlaps so much (intersection over union)."""

SMALLEST = 0.001
"""Share of the photo below which a segment under a point is more likely a speck than a thing."""

Place = Picture | Region | Point


@dataclass(frozen=True, slots=True)
class ShownPhoto:
    """A picture of a question, decoded.

    Attributes:
        name: What to call it in messages.
        image: uint8 [h, w, 3], upright, perhaps scaled down.
        width: Of the picture as shown, in pixels.
        height: As `width`.
    """

    name: str
    image: Image
    width: int
    height: int


def segment_vector(snapshot: Snapshot, segment_id: int) -> FloatArray:
    """float32 [D]: the vector of a stored segment.

    Raises:
        UsageError: The store has no such segment, or not any more.
    """
    row = segment_row(snapshot, segment_id)
    vector: FloatArray = snapshot.vectors(np.array([row], np.int64))[0]
    return vector


def segment_row(snapshot: Snapshot, segment_id: int) -> int:
    """Row of a segment in this version of the store.

    Raises:
        UsageError: The store has no such segment, or not any more.
    """
    photo, index = divmod(segment_id, 65_536)
    try:
        rows = snapshot.rows_of_photo(photo)
    except UsageError:
        rows = np.zeros(0, np.int64)
    if not 0 <= index < len(rows):
        raise UsageError(
            f"there is no segment {segment_id} in {snapshot.path}, or not any more",
            "ids are in the answers: usearch query TEXT --json",
        )
    return int(rows[index])


def stored_vector(snapshot: Snapshot, photo_id: int, place: Place, name: str) -> FloatArray | None:
    """The vector of a place in a stored photo, float32 [D], or None where nothing stored fits.

    The whole photo is its segment that covers all of it, or else the mean of its outermost
    segments weighted by area; a box is the segment with the same box; a point is the smallest
    segment under it.

    Args:
        snapshot: The store.
        photo_id: A photo of it.
        place: What of the photo is meant.
        name: What to call the photo in messages.

    Raises:
        UsageError: The place lies outside the photo, or on no segment.
    """
    from usearch.store.parts import numbers

    rows = snapshot.rows_of_photo(photo_id)
    if not len(rows):
        return None
    table = snapshot.segments(rows)
    shares = numbers(table["area_share"])
    width, height = table["width"][0].as_py(), table["height"][0].as_py()
    if isinstance(place, Picture):
        return _whole(snapshot, rows, shares, numbers(table["depth"]))
    if isinstance(place, Region):
        box = clipped(place, width, height, name)
        boxes = np.stack([numbers(table[side]) for side in ("x0", "y0", "x1", "y1")], 1)
        overlap = box_overlap(boxes, np.array(box))
        best = int(overlap.argmax())
        return None if overlap[best] < SAME_BOX else _vector(snapshot, rows[best])
    require_inside(place, width, height, name)
    counts = [
        (row["rle"], (row["mask_h"], row["mask_w"]))
        for row in table.select(["rle", "mask_h", "mask_w"]).to_pylist()
    ]
    under = [i for i, (rle, size) in enumerate(counts) if _covers(rle, size, place, width, height)]
    return _vector(snapshot, rows[_smallest(under, shares, place, name)])


def embedded_vector(shown: ShownPhoto, place: Place, segmenter: Any, embedder: Any) -> FloatArray:
    """The vector of a place in a picture that the store does not know, float32 [D].

    The whole picture is one segment that covers it, a box one of that shape; for a point the
    picture is cut, and the smallest segment under it is taken.

    Args:
        shown: The picture.
        place: What of it is meant.
        segmenter: As `indexer.presets.load_indexer` gives it; used for points only.
        embedder: Likewise.

    Raises:
        UsageError: The place lies outside the picture, or on no segment.
    """
    size = shown.image.shape[0], shown.image.shape[1]
    if isinstance(place, Point):
        require_inside(place, shown.width, shown.height, shown.name)
        cut = segmenter.segment(shown.image)
        under = [
            i
            for i, rle in enumerate(cut.rles)
            if _covers(rle, cut.size, place, shown.width, shown.height)
        ]
        shares = cut.areas / (cut.size[0] * cut.size[1])
        chosen = _smallest(under, shares, place, shown.name)
        segments = masks.segments_from_masks([masks.decode(cut.rles[chosen], cut.size)], np.ones(1))
    else:
        inside = np.ones(size, bool)
        if isinstance(place, Region):
            box = clipped(place, shown.width, shown.height, shown.name)
            inside = _box_mask(box, size, shown.width, shown.height)
        segments = masks.segments_from_masks([inside], np.ones(1))
    vector: FloatArray = embedder.embed(shown.image, segments)[0]
    return vector


def clipped(
    region: Region, width: int, height: int, name: str
) -> tuple[float, float, float, float]:
    """The part of a box that lies in a photo of this size.

    Raises:
        UsageError: No part of it does.
    """
    x0, y0, x1, y1 = region.box
    box = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if not (box[0] < box[2] and box[1] < box[3]):
        raise UsageError(
            f"the box {x0:g},{y0:g},{x1 - x0:g},{y1 - y0:g} lies outside {name}, "
            f"which is {width} x {height} pixels as shown",
            "a box is x,y,width,height from the top left corner",
        )
    return box


def require_inside(point: Point, width: int, height: int, name: str) -> None:
    """Refuse a point that is not in a photo of this size.

    Raises:
        UsageError: It lies outside.
    """
    if not (0 <= point.x < width and 0 <= point.y < height):
        raise UsageError(
            f"the point {point.x:g},{point.y:g} lies outside {name}, "
            f"which is {width} x {height} pixels as shown",
            "a point is x,y from the top left corner",
        )


def box_overlap(boxes: FloatArray, box: Any) -> FloatArray:
    """Intersection over union of n boxes, [n, 4], with one, [4]: float [n]."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    shared = np.clip(high - low, 0, None).prod(1)
    both = (boxes[:, 2:] - boxes[:, :2]).prod(1) + np.prod(box[2:] - box[:2]) - shared
    overlap: FloatArray = shared / np.maximum(both, 1e-9)
    return overlap


def _whole(snapshot: Snapshot, rows: Any, shares: Any, depths: Any) -> FloatArray:
    largest = int(shares.argmax())
    if shares[largest] >= WHOLE:
        return _vector(snapshot, rows[largest])
    outermost = depths == 0
    mean = shares[outermost] @ snapshot.vectors(rows[outermost])
    vector: FloatArray = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return vector


def _vector(snapshot: Snapshot, row: Any) -> FloatArray:
    vector: FloatArray = snapshot.vectors(np.array([row], np.int64))[0]
    return vector


def _covers(rle: bytes, size: tuple[int, int], point: Point, width: int, height: int) -> bool:
    """Whether a mask is set at a point of the photo; nothing is decoded to pixels."""
    y = min(int(point.y * size[0] / height), size[0] - 1)
    x = min(int(point.x * size[1] / width), size[1] - 1)
    ends = np.cumsum(masks.rle_to_counts(rle, size))
    # Runs go down the columns and begin with one of pixels that are not set.
    return bool(np.searchsorted(ends, x * size[0] + y, side="right") % 2)


def _smallest(under: list[int], shares: Any, point: Point, name: str) -> int:
    """Of the segments under a point, the smallest that is no speck."""
    if not under:
        raise UsageError(
            f"no segment lies at {point.x:g},{point.y:g} in {name}",
            "give a box instead: x,y,width,height",
        )
    sensible = [i for i in under if shares[i] >= SMALLEST]
    return min(sensible or under, key=lambda i: float(shares[i]))


def _box_mask(
    box: tuple[float, float, float, float], size: tuple[int, int], width: int, height: int
) -> masks.Mask:
    """The pixels of a grid whose centres lie in a box of the photo; at least one."""
    inside = np.zeros(size, bool)
    x0, x1 = (value * size[1] / width for value in (box[0], box[2]))
    y0, y1 = (value * size[0] / height for value in (box[1], box[3]))
    left, top = min(round(x0), size[1] - 1), min(round(y0), size[0] - 1)
    inside[top : max(top + 1, round(y1)), left : max(left + 1, round(x1))] = True
    return inside


def known_photo(snapshot: Snapshot, path: Path, content: str) -> int | None:
    """Id of the stored photo with this content, or of the file that is gone; None for none.

    Args:
        snapshot: The store.
        path: The picture's file.
        content: Hash of what it holds; "" when it cannot be read.
    """
    import pyarrow.compute as pc

    photos = snapshot.photos()
    photos = photos.filter(pc.greater(photos["n_segments"], 0))
    if content:
        same = photos.filter(pc.equal(photos["hash"], content))["photo_id"].to_pylist()
        return int(same[0]) if same else None
    from usearch.store import stored_name

    name = stored_name(str(path.absolute()))
    for row in photos.select(["root", "path", "photo_id"]).to_pylist():
        if name.endswith(row["path"]) and f"{row['root'].rstrip('/')}/{row['path']}" == name:
            return int(row["photo_id"])
    return None
