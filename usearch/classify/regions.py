"""Pixels that exactly the same segments cover: found on run lengths, no mask is decoded.

Along the pixels in column order a segment switches on and off at the bounds of its runs.
Everything that is asked of pixels (a sum over the segments that cover them, how many there
are, also at another size) is the same all over a region, so it is asked once a region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from usearch.classify.values import ClassMap
from usearch.errors import InputError
from usearch.records import Segments

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Regions:
    """A picture as runs of pixels, each run part of a region.

    Attributes:
        size: (height, width) of the grid.
        starts: int64 [r], where each run begins, in column order; ascending from 0.
        region: int64 [r], the region of each run.
        members: bool [k, n], the segments that cover each region.
    """

    size: tuple[int, int]
    starts: Places
    region: Places
    members: npt.NDArray[np.bool_]


def find_regions(segments: Segments) -> Regions:
    """The regions of a photo.

    Each segment has a random 64-bit key; the keys of the segments that are on, xor-ed, name
    the set of them. Two different sets share a name with probability 2**-64.

    Raises:
        InputError: Run lengths that are none.
    """
    n, size = len(segments), segments.size
    if n == 0:
        zero = np.zeros(1, np.int64)
        return Regions(size, zero, zero, np.zeros((1, 0), bool))
    bounds, owner = run_bounds(segments.rles, size)
    order = np.argsort(bounds, kind="stable")
    where, who = bounds[order], owner[order]
    keys = np.random.default_rng(0).integers(1, 2**63, n, dtype=np.uint64)
    on = np.bitwise_xor.accumulate(keys[who])
    # Of the switches at one place only the last one opens a run.
    last = np.flatnonzero(np.diff(where, append=size[0] * size[1]) > 0)
    starts, on = where[last], on[last]
    if len(starts) == 0 or starts[0] > 0:
        starts, on = np.concatenate(([0], starts)), np.concatenate((np.zeros(1, np.uint64), on))
        last = np.concatenate(([-1], last))
    _, example, region = np.unique(on, return_index=True, return_inverse=True)
    return Regions(size, starts, region.ravel(), _members(who, last[example], n))


def _members(who: Places, at: Places, n: int) -> npt.NDArray[np.bool_]:
    """Segments that are on, bool [k, n], after the switches 0..at; -1 = before all."""
    members = np.zeros((len(at), n), bool)
    for first in range(0, n, 64):
        bit = np.where((who >= first) & (who < first + 64), who - first, 64)
        flips = np.append(np.uint64(1) << np.arange(64, dtype=np.uint64), np.uint64(0))[bit]
        state = np.append(np.bitwise_xor.accumulate(flips), np.uint64(0))[at]
        few = min(64, n - first)
        shifts = np.arange(few, dtype=np.uint64)
        members[:, first : first + few] = (state[:, None] >> shifts) & np.uint64(1)
    return members


def run_bounds(rles: list[bytes], size: tuple[int, int]) -> tuple[Places, Places]:
    """Where the runs of many masks switch on and off.

    Args:
        rles: COCO compressed RLE counts, all on the grid `size`.
        size: (height, width).

    Returns:
        Bounds int64 [b], each mask's own ascending, less than height x width; and the mask that
        each belongs to, int64 [b].

    Raises:
        InputError: Bytes that are no COCO RLE of masks of this size.
    """
    pixels = size[0] * size[1]
    code = np.frombuffer(b"".join(rles), np.uint8).astype(np.int64) - 48
    lengths = np.array([len(rle) for rle in rles], np.int64)
    if len(code) == 0 or (lengths == 0).any() or code.min() < 0 or code.max() > 63:
        raise InputError("mask run lengths hold bytes that COCO's RLE never has")
    more = (code & 0x20) != 0
    if more[np.cumsum(lengths) - 1].any():
        raise InputError("mask run lengths end in the middle of a number")
    last = np.flatnonzero(~more)
    first = np.concatenate(([0], last[:-1] + 1))
    groups = last - first + 1
    if groups.max() > _MAX_GROUPS:
        raise InputError("mask run lengths hold a number beyond 32 bits")
    number = np.repeat(np.arange(len(first)), groups)
    place = np.arange(len(code)) - first[number]
    values = np.add.reduceat((code & 0x1F) << (5 * place), first)
    negative = (code[last] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * groups[negative])
    owner = np.repeat(np.arange(len(rles)), lengths)[first]
    begins = np.searchsorted(owner, np.arange(len(rles)))
    nth = np.arange(len(first)) - begins[owner]
    # From its fourth on a count is stored as the difference to the one two before.
    counts = values.copy()
    for parity in (0, 1):
        mine = np.flatnonzero((nth % 2 == parity) & (nth > 0))
        counts[mine] = _sums(values[mine], owner[mine])
    if counts.min() < 0 or counts.max() > pixels:
        raise InputError(f"mask run lengths do not fill {size[1]} x {size[0]} pixels")
    bounds = _sums(counts, owner)
    ends = np.append(begins[1:], len(first)) - 1
    if (bounds[ends] != pixels).any():
        raise InputError(f"mask run lengths do not fill {size[1]} x {size[0]} pixels")
    inner = np.ones(len(first), bool)
    inner[ends] = False
    inner &= bounds < pixels
    return bounds[inner], owner[inner]


_MAX_GROUPS = 7
"""A 32-bit number takes at most seven groups of five bits; more is not a COCO RLE."""


def _sums(values: Places, owner: Places) -> Places:
    """Running sums of the values of each owner; owners are ascending."""
    if len(values) == 0:
        return values
    total = np.cumsum(values)
    opens = np.flatnonzero(np.diff(owner, prepend=-1))
    before = np.where(opens > 0, total[opens - 1], 0)
    sums: Places = total - np.repeat(before, np.diff(opens, append=len(values)))
    return sums


def region_areas(regions: Regions, size: tuple[int, int] | None = None) -> Places:
    """Pixels of each region, int64 [k], on its own grid or on a grid of another size.

    At another size, what counts is how many pixels `paint` gives to the region.
    """
    height, width = regions.size
    if size is None or size == regions.size:
        ends = np.append(regions.starts[1:], height * width)
        lengths = ends - regions.starts
    else:
        rows, columns = (
            np.bincount(nearest(new, old), minlength=old)
            for new, old in zip(size, regions.size, strict=True)
        )
        above = np.concatenate(([0], np.cumsum(rows)))
        left = np.concatenate(([0], np.cumsum(columns)))
        bounds = np.append(regions.starts, height * width)
        x, y = bounds // height, bounds % height
        before = left[x] * size[0] + np.append(columns, 0)[x] * above[y]
        lengths = np.diff(before)
    # Sums of integers below 2**53 are exact in floats.
    weights = np.bincount(regions.region, weights=lengths, minlength=len(regions.members))
    return weights.astype(np.int64)


def paint(regions: Regions, values: ClassMap, size: tuple[int, int] | None = None) -> ClassMap:
    """A map, [H, W], of one value a region; at another size that of the nearest grid point."""
    height, width = regions.size
    lengths = np.diff(regions.starts, append=height * width)
    grid = np.repeat(values[regions.region], lengths).reshape((height, width), order="F")
    return grid if size is None or size == regions.size else resized_map(grid, size)


def resized_map(grid: ClassMap, size: tuple[int, int]) -> ClassMap:
    """The map at another (height, width): each pixel takes the value at its centre."""
    rows, columns = (nearest(new, old) for new, old in zip(size, grid.shape, strict=True))
    scaled: ClassMap = grid[rows[:, None], columns[None]]
    return scaled


def nearest(new: int, old: int) -> npt.NDArray[np.intp]:
    """For each of `new` pixels the one of `old` that its centre lies in."""
    return ((2 * np.arange(new) + 1) * old // (2 * new)).astype(np.intp)
