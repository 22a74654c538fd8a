"""Where labels fit on a map: inside their regions, at the roomiest spot, none over another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.int64]

_MOSTLY = 0.94
"""Share of a label that must lie in its region; borders are ragged, labels are not."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place for a label.

    Attributes:
        value: Value of the region on the map.
        x: Centre, in cells of the grid.
        y: As `x`.
        scale: One of the scales offered, the largest that fits.
    """

    value: int
    x: float
    y: float
    scale: float


def label_places(
    grid: npt.NDArray[Any],
    room: Callable[[int, float], tuple[int, int] | None],
    scales: tuple[float, ...],
    least: int,
) -> list[Place]:
    """Places for the labels of a map's connected regions, the largest region first.

    Args:
        grid: [h, w], values of a map, small: a few hundred cells a side.
        room: (width, height) in cells that the label of a value takes at a scale, at least 1;
            None for a value without label.
        scales: Tried one after the other.
        least: Cells below which a region gets no label.
    """
    parts = connected_parts(grid)
    deep = depths(parts)
    free = np.ones(grid.shape, bool)
    places: list[Place] = []
    areas = np.bincount(parts.ravel())
    for part in np.argsort(-areas, kind="stable"):
        if areas[part] < least:
            break
        inside = parts == part
        value = int(grid[inside][0])
        for scale in scales:
            wanted = room(value, scale)
            spot = None if wanted is None else _spot(inside, free, deep, wanted)
            if wanted is not None and spot is not None:
                (width, height), (left, top) = wanted, spot
                free[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1] = (
                    False
                )
                places.append(Place(value, left + width / 2, top + height / 2, scale))
                break
    return places


def _spot(
    inside: npt.NDArray[np.bool_],
    free: npt.NDArray[np.bool_],
    deep: Grid,
    wanted: tuple[int, int],
) -> tuple[int, int] | None:
    """Left and top of the deepest spot where a box lies in a region and on nothing taken."""
    width, height = wanted
    if width > inside.shape[1] or height > inside.shape[0]:
        return None
    own = box_sums(inside & free, width, height)
    fits = (own >= _MOSTLY * width * height) & (box_sums(~free, width, height) == 0)
    if not fits.any():
        return None
    # The middle of the box as deep as can be, and as much of the box inside as can be.
    middle = np.where(inside, deep, 0)[height // 2 :, width // 2 :][: own.shape[0], : own.shape[1]]
    worth = np.where(fits, middle + own / (width * height), -1.0)
    top, left = divmod(int(worth.argmax()), own.shape[1])
    return left, top


def box_sums(cells: npt.NDArray[np.bool_], width: int, height: int) -> Grid:
    """Cells set in the box that begins at each place where one fits, int64."""
    sums = np.pad(cells.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    total: Grid = (
        sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
        + sums[:-height, :-width]
    )  # fmt: skip
    return total


def connected_parts(labels: npt.NDArray[Any]) -> Grid:
    """Number of the connected part (4 neighbours, one value) that each pixel lies in, from 0."""
    import higra

    if labels.size == 1:
        return np.zeros(labels.shape, np.int64)
    graph = higra.get_4_adjacency_graph(labels.shape)
    differs = higra.weight_graph(graph, labels.astype(np.float64), higra.WeightFunction.L0)
    parts: Grid = higra.graph_cut_2_labelisation(graph, differs).astype(np.int64)
    return parts.reshape(labels.shape) - 1


def depths(parts: Grid) -> Grid:
    """Steps from each pixel to the nearest one outside its part or the picture; at least 1."""
    depth = np.ones(parts.shape, np.int64)
    edged = np.pad(parts, 1, constant_values=-1)
    left = np.ones(parts.shape, bool)
    for there in _around(edged):
        left &= there == parts
    while left.any():
        depth += left
        edged_left = np.pad(left, 1)
        left = left & np.logical_and.reduce(_around(edged_left))
    return depth


def _around(edged: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The four neighbours of each pixel of an array that has an edge of one pixel."""
    return [edged[:-2, 1:-1], edged[2:, 1:-1], edged[1:-1, :-2], edged[1:-1, 2:]]
