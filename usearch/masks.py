"""Masks: COCO run lengths, boxes, areas and the weights that pool patches. NumPy only.

A mask is bool [H, W]. Its stored form is the COCO compressed RLE: column-major run
lengths that begin with a run of zeros, delta-coded against the run two before and written
as ASCII in groups of five bits (the format of pycocotools, which the tests use as judge).
Bytes from a file are checked before anything is allocated from them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from usearch.errors import InputError
from usearch.records import FloatArray, IntArray, Segments

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

_MAX_GROUPS = 7
"""A 32-bit number takes at most seven groups of five bits; more is not a COCO RLE."""


def mask_to_counts(mask: Mask) -> Counts:
    """Column-major run lengths of a mask, starting with a (possibly empty) run of zeros."""
    flat = np.asarray(mask, dtype=bool).ravel(order="F")
    if flat.size == 0:
        return np.zeros(0, np.int64)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], edges, [flat.size])).astype(np.int64)
    counts = np.diff(bounds)
    return np.concatenate((np.zeros(1, np.int64), counts)) if flat[0] else counts


def counts_to_mask(counts: Counts, size: tuple[int, int]) -> Mask:
    """The mask, bool [H, W], of run lengths that sum to H x W."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")


def counts_to_rle(counts: Counts) -> bytes:
    """COCO's compressed form of run lengths."""
    delta = counts.astype(np.int64, copy=True)
    delta[3:] -= counts[1:-2]
    groups: list[npt.NDArray[np.uint8]] = []
    alive: list[npt.NDArray[np.bool_]] = []
    active = np.ones(len(delta), bool)
    while active.any():
        low = (delta & 0x1F).astype(np.uint8)
        delta >>= 5
        more = np.where(low & 0x10, delta != -1, delta != 0) & active
        groups.append(low + 48 + (more.astype(np.uint8) << 5))
        alive.append(active)
        active = more
    if not groups:
        return b""
    return bytes(np.stack(groups, 1)[np.stack(alive, 1)])


def rle_to_counts(rle: bytes, size: tuple[int, int]) -> Counts:
    """Run lengths of a compressed RLE.

    Raises:
        InputError: The bytes are no COCO RLE of a mask of this size.
    """
    height, width = size
    if height <= 0 or width <= 0:
        raise InputError(f"a mask of {width} x {height} pixels")
    raw = np.frombuffer(rle, np.uint8)
    code = raw.astype(np.int64) - 48
    if len(raw) == 0 or code.min() < 0 or code.max() > 63:
        raise InputError("mask run lengths hold bytes that COCO's RLE never has")
    more = (code & 0x20) != 0
    if more[-1]:
        raise InputError("mask run lengths end in the middle of a number")
    first = np.concatenate(([0], np.flatnonzero(~more)[:-1] + 1))
    number = np.cumsum(np.concatenate(([False], ~more[:-1])))
    place = np.arange(len(code)) - first[number]
    if place.max() >= _MAX_GROUPS:
        raise InputError("mask run lengths hold a number beyond 32 bits")
    delta = np.zeros(len(first), np.int64)
    np.add.at(delta, number, (code & 0x1F) << (5 * place))
    last = np.flatnonzero(~more)
    negative = (code[last] & 0x10) != 0
    delta[negative] -= np.int64(1) << (5 * (place[last][negative] + 1))
    counts = delta
    if len(counts) > 3:
        counts[1::2] = np.cumsum(counts[1::2])
        counts[2::2] = np.cumsum(counts[2::2])
    if counts.min() < 0 or counts.max() > height * width or counts.sum() != height * width:
        raise InputError(f"mask run lengths do not fill {width} x {height} pixels")
    return counts


def encode(mask: Mask) -> bytes:
    """COCO compressed RLE of a mask, bool [H, W]."""
    return counts_to_rle(mask_to_counts(mask))


def decode(rle: bytes, size: tuple[int, int]) -> Mask:
    """Mask, bool [H, W], of a compressed RLE; `size` is (height, width).

    Raises:
        InputError: As `rle_to_counts`.
    """
    return counts_to_mask(rle_to_counts(rle, size), size)


def area(counts: Counts) -> int:
    """Number of pixels set."""
    return int(counts[1::2].sum())


def box_of(counts: Counts, height: int) -> tuple[int, int, int, int]:
    """Half-open box x0 y0 x1 y1 of run lengths, in pixels; zeros for an empty mask."""
    ends = np.cumsum(counts)
    start = ends[0::2][: len(counts) // 2]
    stop = ends[1::2]
    keep = stop > start
    start, stop = start[keep], stop[keep]
    if len(start) == 0:
        return 0, 0, 0, 0
    x0, x1 = int(start[0] // height), int((stop[-1] - 1) // height) + 1
    if ((stop - 1) // height > start // height).any():
        # A run that goes on into the next column has the last row of one and the first of
        # the other: the box spans the full height.
        return x0, 0, x1, height
    return x0, int((start % height).min()), x1, int(((stop - 1) % height).max()) + 1


def segments_from_counts(
    counts: list[Counts],
    size: tuple[int, int],
    scores: npt.ArrayLike,
    parents: npt.ArrayLike | None = None,
) -> Segments:
    """Segments record of run lengths, in the order given. Empty masks are not allowed.

    Args:
        counts: n arrays of run lengths on the grid `size`.
        size: (height, width).
        scores: n values in 0..1.
        parents: n rows or -1; None where nesting is unknown.
    """
    n = len(counts)
    parent = np.full(n, -1, np.int32) if parents is None else np.asarray(parents, np.int32)
    boxes = np.array([box_of(c, size[0]) for c in counts], np.float32).reshape(n, 4)
    areas = np.array([area(c) for c in counts], np.int32)
    if (areas == 0).any():
        raise ValueError(f"segment {int(np.argmin(areas))} is empty")
    return Segments(
        size=size,
        rles=[counts_to_rle(c) for c in counts],
        boxes=boxes,
        areas=areas,
        scores=np.asarray(scores, np.float32),
        parents=parent,
        depths=depths_of(parent),
    )


def segments_from_masks(
    masks: list[Mask], scores: npt.ArrayLike, parents: npt.ArrayLike | None = None
) -> Segments:
    """Segments record of at least one mask, bool [H, W] each; see `segments_from_counts`."""
    height, width = masks[0].shape
    return segments_from_counts(
        [mask_to_counts(m) for m in masks], (height, width), scores, parents
    )


def depths_of(parents: IntArray) -> IntArray:
    """Depth of each row in the forest that `parents` describes (-1 = a root, depth 0)."""
    depths = np.zeros(len(parents), np.int32)
    rows = parents.copy()
    while (rows >= 0).any():
        alive = rows >= 0
        depths[alive] += 1
        rows[alive] = parents[rows[alive]]
    return depths


def cell_overlap(pixels: int, cells: int) -> FloatArray:
    """float32 [cells, pixels]: the share of each of `cells` equal cells that a pixel fills."""
    edges = np.linspace(0.0, pixels, cells + 1)
    low = np.maximum(edges[:-1, None], np.arange(pixels)[None])
    high = np.minimum(edges[1:, None], np.arange(1, pixels + 1)[None])
    overlap: FloatArray = (np.clip(high - low, 0.0, None) * (cells / pixels)).astype(np.float32)
    return overlap


def pooling_weights(segments: Segments, grid: tuple[int, int]) -> FloatArray:
    """Area weights of each segment over a grid of patches (USE, section 3.2).

    The mask is integrated exactly over each patch, whatever the two sizes are; weights of
    a segment sum to 1. A mask that a rounding would lose puts weight 1 on the patch of its
    box's centre.

    Args:
        segments: n segments.
        grid: (rows, columns) of patches over the whole picture.

    Returns:
        float32 [n, rows * columns], rows of patches one after the other.
    """
    height, width = segments.size
    rows, columns = grid
    over_y = cell_overlap(height, rows)
    over_x = cell_overlap(width, columns)
    weights = np.zeros((len(segments), rows, columns), np.float32)
    for i, rle in enumerate(segments.rles):
        x0, y0, x1, y1 = segments.boxes[i].astype(int)
        inside = decode(rle, segments.size)[y0:y1, x0:x1].astype(np.float32)
        r0, r1 = y0 * rows // height, -(-y1 * rows // height)
        c0, c1 = x0 * columns // width, -(-x1 * columns // width)
        weights[i, r0:r1, c0:c1] = over_y[r0:r1, y0:y1] @ inside @ over_x[c0:c1, x0:x1].T
        if not weights[i].sum() > 0:
            centre = (y0 + y1) * rows // (2 * height), (x0 + x1) * columns // (2 * width)
            weights[i, min(centre[0], rows - 1), min(centre[1], columns - 1)] = 1.0
    flat: FloatArray = weights.reshape(len(segments), rows * columns)
    flat /= flat.sum(1, keepdims=True)
    return flat
