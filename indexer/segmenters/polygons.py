"""Polygons to masks, pixel for pixel as COCO's own code (pycocotools, `rleFrPoly`) does.

The outline is drawn on a grid five times as fine; where it steps from one column of pixels
to the next, the row of that step toggles inside and outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from usearch.masks import Counts, counts_to_mask, mask_to_counts

_FINER = 5


def polygon_counts(points: npt.ArrayLike, size: tuple[int, int]) -> Counts:
    """COCO run lengths of one polygon.

    Args:
        points: [2k] or [k, 2] with k >= 3, x and y in pixels; parts outside are cut off.
        size: (height, width).
    """
    height, width = size
    corners = np.asarray(points, np.float64).reshape(-1, 2)
    # C's conversion to int, which cuts towards zero.
    grid = np.trunc(_FINER * corners + 0.5).astype(np.int64)
    u, v = _outline(grid)
    step = np.flatnonzero(u[1:] != u[:-1]) + 1
    column = (np.where(u[step] < u[step - 1], u[step], u[step] - 1) + 0.5) / _FINER - 0.5
    row = (np.minimum(v[step], v[step - 1]) + 0.5) / _FINER - 0.5
    kept = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    x = column[kept].astype(np.int64)
    y = np.ceil(np.clip(row[kept], 0, height)).astype(np.int64)
    places, times = np.unique(x * height + y, return_counts=True)
    toggles = places[(times % 2 == 1) & (places < height * width)]
    return np.asarray(np.diff(toggles, prepend=0, append=height * width), np.int64)


def polygons_counts(polygons: Sequence[npt.ArrayLike], size: tuple[int, int]) -> Counts:
    """COCO run lengths of the union of at least one polygon; see `polygon_counts`."""
    if len(polygons) == 1:
        return polygon_counts(polygons[0], size)
    union = np.zeros(size, bool)
    for points in polygons:
        union |= counts_to_mask(polygon_counts(points, size), size)
    return mask_to_counts(union)


def _outline(grid: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Points along the closed outline, each side from corner to corner, both ends included."""
    start, stop = grid, np.roll(grid, -1, axis=0)
    reach = np.abs(stop - start)
    length = reach.max(1)
    flat = reach[:, 0] >= reach[:, 1]
    main = np.where(flat, 0, 1)
    side = np.arange(len(grid))
    flip = start[side, main] > stop[side, main]
    low = np.where(flip[:, None], stop, start)
    high = np.where(flip[:, None], start, stop)
    slope = (high[side, 1 - main] - low[side, 1 - main]) / np.maximum(length, 1)
    owner = np.repeat(side, length + 1)
    first = np.cumsum(length + 1) - (length + 1)
    along = np.arange(len(owner)) - first[owner]
    along = np.where(flip[owner], length[owner] - along, along)
    major = low[side, main][owner] + along
    minor = np.trunc(low[side, 1 - main][owner] + slope[owner] * along + 0.5).astype(np.int64)
    return np.where(flat[owner], major, minor), np.where(flat[owner], minor, major)
