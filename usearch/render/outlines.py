"""Outlines of masks as SVG path data: exact, or as smooth as the mask's grid allows."""

from __future__ import annotations

import math

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
    scale = np.array([width / mask_size[1], height / mask_size[0]])
    step = (0.1 if tolerance else 0.001) * float(scale.min())
    decimals = min(6, max(0, math.ceil(-math.log10(step))))
    pieces = []
    for loop in loops(decode(rle, mask_size)):
        smooth = smoothed(loop, tolerance) if tolerance > 0 else loop.astype(np.float64)
        pieces.append(_subpath(smooth * scale, decimals))
    return "".join(pieces)


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
    edged = np.pad(np.asarray(mask, bool), 1)
    nw, ne, sw, se = edged[:-1, :-1], edged[:-1, 1:], edged[1:, :-1], edged[1:, 1:]
    crossing = (nw == se) & (ne == sw) & (nw != ne)
    times = (nw ^ ne ^ sw ^ se).astype(np.int64) + 2 * crossing
    y, x = np.nonzero(times)
    y, x = (np.repeat(values, times[y, x]) for values in (y, x))
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
    corners = np.concatenate((loop, loop[:1]))
    lengths = np.abs(np.diff(corners, axis=0)).sum(1)
    if lengths.sum() < _SMALLEST_SMOOTHED or len(loop) > _LONGEST_SMOOTHED:
        return loop.astype(np.float64)
    direction = np.sign(np.diff(corners, axis=0))
    starts = np.repeat(loop, lengths, 0)
    nth = np.arange(len(starts)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    middles = starts + np.repeat(direction, lengths, 0) * (nth + 0.5)[:, None]
    for _ in range(2):
        middles = (np.roll(middles, 1, 0) + 2 * middles + np.roll(middles, -1, 0)) / 4
    kept: Points = middles[_kept(middles, tolerance)]
    return kept


def _kept(points: Points, tolerance: float) -> npt.NDArray[np.int64]:
    """Which points of a closed loop to keep (Douglas and Peucker 1973), ascending."""
    far = int(((points - points[0]) ** 2).sum(1).argmax())
    closed = np.concatenate((points, points[:1]))
    keep = np.zeros(len(closed), bool)
    keep[[0, far]] = True
    pending = [(0, far), (far, len(points))]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        inner = closed[first + 1 : last] - closed[first]
        chord = closed[last] - closed[first]
        length = max(float(np.hypot(*chord)), 1e-12)
        # Distance to the segment, not to the endless line: a spike may lie beyond its ends.
        along = np.clip(inner @ chord / length**2, 0.0, 1.0)
        away = np.hypot(*(inner - along[:, None] * chord).T)
        worst = int(away.argmax())
        if away[worst] > tolerance:
            split = first + 1 + worst
            keep[split] = True
            pending += [(first, split), (split, last)]
    return np.flatnonzero(keep[:-1])


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


def _number(value: int, decimals: int) -> str:
    """The text of value / 10**decimals in as few characters as SVG allows."""
    if decimals == 0:
        return str(value)
    whole, rest = divmod(abs(value), 10**decimals)
    fraction = f"{rest:0{decimals}d}".rstrip("0")
    text = (str(whole) if whole or not fraction else "") + (f".{fraction}" if fraction else "")
    return f"-{text}" if value < 0 and text != "0" else text
