"""Outlines of masks as SVG path data: exact, or as smooth as the mask's grid allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from usearch.masks import Mask, decode

Points = npt.NDArray[np.float64]

_SMALLEST_SMOOTHED = 12
"""Loops of fewer unit steps than this keep their corners: smoothing would eat them up."""

_LONGEST_SMOOTHED = 50_000
"""And so do loops of more corners: noise, of which nothing could be left out."""


def outline_path(
    rle: bytes, mask_size: tuple[int, int], width: float, height: float, tolerance: float = 0.5
) -> str:
    """Outline of a mask as the `d` of an SVG path, to be filled by the even-odd rule.

    Holes and parts are subpaths of one path. With `tolerance` 0 it runs along the edges of
    the mask's pixels and filling it gives the mask back. Otherwise steps become slopes, and
    points are left out that lie within the tolerance of the line without them; the outline
    then stays within `tolerance` and one mask pixel of the exact one.

    Args:
        rle: COCO compressed run lengths.
        mask_size: (height, width) of the mask's grid.
        width: What the grid's width is drawn as, such as the photo's in pixels.
        height: What its height is drawn as.
        tolerance: In mask pixels.

    Returns:
        "" for an empty mask.

    Raises:
        InputError: The bytes are no COCO RLE of this size.
    """
    return outline_paths([(rle, mask_size, width, height)], tolerance)[0]


def outline_paths(
    found: Sequence[tuple[bytes, tuple[int, int], float, float]], tolerance: float = 0.5
) -> list[str]:
    """`outline_path` of many masks, given as its first four arguments: quicker than one by one."""
    edges = [loops(decode(rle, mask_size)) for rle, mask_size, _, _ in found]
    flat = [loop for of_mask in edges for loop in of_mask]
    if tolerance > 0:
        points = iter(all_smoothed(flat, tolerance))
    else:
        points = iter([loop.astype(np.float64) for loop in flat])
    paths = []
    for of_mask, (_, (mask_height, mask_width), width, height) in zip(edges, found, strict=True):
        scale = np.array([width / mask_width, height / mask_height])
        step = (0.1 if tolerance else 0.001) * float(scale.min())
        decimals = min(6, max(0, math.ceil(-math.log10(step))))
        paths.append("".join(_subpath(next(points) * scale, decimals) for _ in of_mask))
    return paths


def loops(mask: Mask) -> list[npt.NDArray[np.int64]]:
    """Closed loops of grid lines around a mask and its holes.

    Along a grid line, corners of the outline in order are ends of its edges in pairs. That
    joins each corner to one neighbour in its row and one in its column, and following these
    in turn walks around each loop. Where pixels meet at a corner only, it counts twice.

    Args:
        mask: bool [H, W].

    Returns:
        Corners of each loop, int64 [n, 2] as x, y with x in 0..W and y in 0..H; successive
        ones (the last and the first too) differ in exactly one of the two, in turns.
    """
    mask = np.asarray(mask, bool)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return []
    # Most segments are small: nothing is looked at outside their box.
    top, left = int(rows[0]), int(columns[0])
    edged = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1)
    nw, ne, sw, se = edged[:-1, :-1], edged[:-1, 1:], edged[1:, :-1], edged[1:, 1:]
    crossing = (nw == se) & (ne == sw) & (nw != ne)
    y, x = np.nonzero((nw ^ ne ^ sw ^ se) | crossing)
    if crossing.any():
        times = np.where(crossing[y, x], 2, 1)
        y, x = np.repeat(y, times), np.repeat(x, times)
    y, x = y + top, x + left
    n = len(x)
    # Corners are in row order: neighbours within a row are (0, 1), (2, 3), ...
    in_row = np.arange(n) ^ 1
    order = np.lexsort((y, x))
    in_column = np.empty(n, np.int64)
    in_column[order] = order[np.arange(n) ^ 1]
    return [np.stack((x[walk], y[walk]), 1) for walk in _walks(in_row, in_column)]


def _walks(in_row: npt.NDArray[np.int64], in_column: npt.NDArray[np.int64]) -> list[list[int]]:
    across, along = in_row.tolist(), in_column.tolist()
    seen = bytearray(len(across))
    walks = []
    for start in range(len(across)):
        if seen[start]:
            continue
        walk: list[int] = []
        at = start
        while not seen[at]:
            other = across[at]
            seen[at] = seen[other] = 1
            walk += (at, other)
            at = along[other]
        walks.append(walk)
    return walks


def smoothed(loop: npt.NDArray[np.int64], tolerance: float) -> Points:
    """A loop of `loops` through the middles of its unit steps, its wiggle averaged out, thinned."""
    return all_smoothed([loop], tolerance)[0]


def all_smoothed(found: Sequence[npt.NDArray[np.int64]], tolerance: float) -> list[Points]:
    """`smoothed` of many loops, of one mask or of several: quicker than one after the other."""
    points = [_averaged(loop) for loop in found]
    thinned = iter(_thinned([one for one in points if one is not None], tolerance))
    return [
        loop.astype(np.float64) if one is None else next(thinned)
        for loop, one in zip(found, points, strict=True)
    ]


def _averaged(loop: npt.NDArray[np.int64]) -> Points | None:
    """The middles of a loop's unit steps, their wiggle averaged out; None = keep its corners."""
    corners = np.concatenate((loop, loop[:1]))
    lengths = np.abs(np.diff(corners, axis=0)).sum(1)
    if lengths.sum() < _SMALLEST_SMOOTHED or len(loop) > _LONGEST_SMOOTHED:
        return None
    direction = np.sign(np.diff(corners, axis=0))
    starts = np.repeat(loop, lengths, 0)
    nth = np.arange(len(starts)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    middles: Points = starts + np.repeat(direction, lengths, 0) * (nth + 0.5)[:, None]
    for _ in range(2):
        around = np.concatenate((middles[-1:], middles, middles[:1]))
        middles = (around[:-2] + 2 * middles + around[2:]) / 4
    return middles


def _thinned(closed_loops: Sequence[Points], tolerance: float) -> list[Points]:
    """Loops without the points that lie within the tolerance of the line without them.

    Douglas and Peucker (1973), but all chords of all loops are split at once: as many passes
    as the deepest of them needs, and not one call for each chord.
    """
    if not closed_loops:
        return []
    sizes = np.array([len(loop) + 1 for loop in closed_loops])
    begin = np.cumsum(sizes) - sizes
    x, y = np.concatenate([np.concatenate((loop, loop[:1])) for loop in closed_loops]).T.copy()
    far = [int(((loop - loop[0]) ** 2).sum(1).argmax()) for loop in closed_loops]
    keep = np.zeros(len(x), bool)
    keep[begin] = keep[begin + far] = True
    first = np.concatenate((begin, begin + far))
    last = np.concatenate((begin + far, begin + sizes - 1))
    while True:
        open_ones = last - first > 1
        first, last = first[open_ones], last[open_ones]
        if len(first) == 0:
            break
        split, away = _farthest(x, y, first, last)
        bad = away > tolerance
        split, first, last = split[bad], first[bad], last[bad]
        keep[split] = True
        first, last = np.concatenate((first, split)), np.concatenate((split, last))
    return [
        loop[keep[start : start + len(loop)]]
        for loop, start in zip(closed_loops, begin, strict=True)
    ]


def _farthest(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For each chord between two points the farthest of those in between, and how far it is."""
    counts = last - first - 1
    chord = np.repeat(np.arange(len(first)), counts)
    starts = np.cumsum(counts) - counts
    at = np.arange(len(chord)) + (first + 1 - starts)[chord]
    dx, dy = x[last] - x[first], y[last] - y[first]
    px, py = x[at] - x[first][chord], y[at] - y[first][chord]
    squared = np.maximum(dx * dx + dy * dy, 1e-24)
    # Distance to the segment, not to the endless line: a spike may lie beyond its ends.
    along = ((px * dx[chord] + py * dy[chord]) / squared[chord]).clip(0.0, 1.0)
    away = np.hypot(px - along * dx[chord], py - along * dy[chord])
    worst = np.maximum.reduceat(away, starts)
    equal = np.flatnonzero(away == worst[chord])
    return at[equal[np.searchsorted(chord[equal], np.arange(len(first)))]], worst


def _subpath(points: Points, decimals: int) -> str:
    """One closed subpath. Steps are between rounded points, so that errors never add up."""
    places = np.rint(points * 10**decimals).astype(np.int64)
    if len(places) < 2:
        return ""
    steps = np.diff(places, axis=0)
    steps = steps[steps.any(1)]
    x, y = (_number(int(v), decimals) for v in places[0])
    parts = [f"M{x} {y}"]
    for dx, dy in steps.tolist():
        if dy == 0:
            parts.append(f"h{_number(dx, decimals)}")
        elif dx == 0:
            parts.append(f"v{_number(dy, decimals)}")
        else:
            second = _number(dy, decimals)
            gap = "" if second.startswith("-") else " "
            parts.append(f"l{_number(dx, decimals)}{gap}{second}")
    return "".join(parts) + "z"


@lru_cache(1 << 14)
def _number(value: int, decimals: int) -> str:
    """The text of value / 10**decimals in as few characters as SVG allows."""
    if decimals == 0:
        return str(value)
    whole, rest = divmod(abs(value), 10**decimals)
    fraction = f"{rest:0{decimals}d}".rstrip("0")
    text = (str(whole) if whole or not fraction else "") + (f".{fraction}" if fraction else "")
    return f"-{text}" if value < 0 and text != "0" else text
