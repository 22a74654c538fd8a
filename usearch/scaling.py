"""Masks brought to another grid over the same picture, on run lengths, without decoding them.

A pixel of the new grid takes the value at its centre: pixel i of n takes pixel
floor((2i + 1) m / 2n) of m. A mask that is enlarged and brought back is the same mask.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from usearch.masks import Counts, rle_to_counts

_Places = npt.NDArray[np.int64]


def scaled_counts(counts: Counts, size: tuple[int, int], to: tuple[int, int]) -> Counts:
    """Run lengths on another grid.

    Args:
        counts: Column-major run lengths on the grid `size`, (height, width).
        size: The grid they are on.
        to: The grid wanted, (height, width).

    Returns:
        Column-major run lengths that sum to the pixels of `to`. A mask that is made smaller
        may lose all its pixels.
    """
    if size == to:
        return counts
    height, width = to
    column, top, bottom = _column_runs(counts, size[0])
    rows, columns = _first_pixels(size[0], height), _first_pixels(size[1], width)
    top, bottom = rows[top], rows[bottom]
    # Each column of the old grid is so many columns of the new one.
    times = columns[column + 1] - columns[column]
    times[bottom <= top] = 0
    first = np.cumsum(times) - times
    which = np.repeat(np.arange(len(column)), times)
    x = columns[column][which] + np.arange(len(which)) - first[which]
    start, stop = x * height + top[which], x * height + bottom[which]
    # Runs of one column were repeated one after the other; pixels run column by column.
    order = np.argsort(start, kind="stable")
    return runs_to_counts(start[order], stop[order], height * width)


def scaled_rle(rle: bytes, size: tuple[int, int], to: tuple[int, int]) -> Counts:
    """As `scaled_counts`, of COCO compressed run lengths."""
    return scaled_counts(rle_to_counts(rle, size), size, to)


def _column_runs(counts: Counts, height: int) -> tuple[_Places, _Places, _Places]:
    """Runs of set pixels, cut where a column ends: column, first row, row behind the last."""
    ends = np.cumsum(counts)
    start, stop = ends[0::2][: len(counts) // 2], ends[1::2]
    kept = stop > start
    start, stop = start[kept], stop[kept]
    first, last = start // height, (stop - 1) // height
    n = last - first + 1
    which = np.repeat(np.arange(len(start)), n)
    column = first[which] + np.arange(len(which)) - (np.cumsum(n) - n)[which]
    top = np.maximum(start[which] - column * height, 0)
    bottom = np.minimum(stop[which] - column * height, height)
    return column, top, bottom


def _first_pixels(old: int, new: int) -> _Places:
    """For each of `old` pixels, and behind them, the first of `new` pixels whose centre it has."""
    pixel = np.arange(old + 1, dtype=np.int64)
    return -((old - 2 * new * pixel) // (2 * old))


def runs_to_counts(start: Counts, stop: Counts, pixels: int) -> Counts:
    """Run lengths of sorted runs [start, stop) that may touch and do not overlap."""
    if not len(start):
        return np.array([pixels], np.int64)
    opens = np.concatenate(([True], start[1:] != stop[:-1]))
    closes = np.concatenate((opens[1:], [True]))
    bounds = np.stack((start[opens], stop[closes]), 1).ravel()
    if bounds[-1] == pixels:
        bounds = bounds[:-1]
    return np.diff(bounds, prepend=0, append=pixels)
