"""Hierarchies of regions: the two most alike neighbours merge until one region is left.

Likeness mixes the strength of the common border, colour and texture, times the size of the
smaller of the two to a power, as in selective search (Uijlings et al., IJCV 2013): small
regions are swallowed first and large ones stay apart. One photo gets several hierarchies
with different mixes, because no single likeness finds every object.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.segmenters.regions import Regions
from usearch.records import FloatArray

Nodes = npt.NDArray[np.bool_]
"""bool [k, n]: which of the n regions each of k nodes holds."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the cues in the distance of two regions, and the power of the size."""

    border: float
    colour: float
    texture: float
    size_power: float


def merge(regions: Regions, mix: Mix) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """The binary hierarchy of the regions under a mix of cues.

    Args:
        regions: n regions that hang together.
        mix: How alike two regions are.

    Returns:
        parents: int64 [2n - 1], parent of each node, the n regions first; the root is its own.
        altitudes: float32 [2n - 1], distance at which a node was made, never below its children's.
    """
    count = len(regions)
    total = 2 * count - 1
    areas = np.zeros(total, np.float64)
    areas[:count] = regions.areas
    # One row a node, scaled so that the L1 distance of two rows is their distance.
    rows = np.zeros((total, _width(regions)), np.float32)
    rows[:count] = _rows(regions, mix)
    share = 1.0 / regions.areas.sum()
    neighbours: list[dict[int, tuple[float, float]]] = [{} for _ in range(total)]
    first, second = regions.borders.T
    for u, v, length, strength in zip(
        first.tolist(), second.tolist(), regions.lengths.tolist(),
        (regions.lengths * regions.strengths).tolist(), strict=True,
    ):  # fmt: skip
        neighbours[u][v] = neighbours[v][u] = (length, strength)
    smaller = np.minimum(areas[first], areas[second]) * share
    alike = np.abs(rows[first] - rows[second]).sum(1) + mix.border * regions.strengths
    distances = alike * smaller**mix.size_power
    heap = list(zip(distances.tolist(), first.tolist(), second.tolist(), strict=True))
    heapq.heapify(heap)
    parents = np.arange(total)
    altitudes = np.zeros(total, np.float32)
    alive = [True] * count + [False] * (count - 1)
    node = count
    while heap:
        distance, u, v = heapq.heappop(heap)
        if not (alive[u] and alive[v]):
            continue
        alive[u] = alive[v] = False
        alive[node] = True
        parents[u] = parents[v] = node
        altitudes[node] = max(distance, altitudes[u], altitudes[v])
        areas[node] = areas[u] + areas[v]
        rows[node] = (rows[u] * areas[u] + rows[v] * areas[v]) / areas[node]
        around = _join(neighbours, u, v, alive)
        neighbours[node] = around
        if around:
            others = np.fromiter(around, np.int64, len(around))
            border = np.array(list(around.values()))
            alike = np.abs(rows[others] - rows[node]).sum(1)
            alike += mix.border * border[:, 1] / border[:, 0]
            distances = alike * (np.minimum(areas[others], areas[node]) * share) ** mix.size_power
            for other, value in zip(others.tolist(), distances.tolist(), strict=True):
                neighbours[other][node] = around[other]
                heapq.heappush(heap, (value, other, node))
        node += 1
    return parents, altitudes


def _join(
    neighbours: list[dict[int, tuple[float, float]]], u: int, v: int, alive: list[bool]
) -> dict[int, tuple[float, float]]:
    """Borders of the union of u and v; those of the two are dropped."""
    around = {other: border for other, border in neighbours[u].items() if alive[other]}
    for other, (length, strength) in neighbours[v].items():
        if alive[other]:
            before = around.get(other, (0.0, 0.0))
            around[other] = (before[0] + length, before[1] + strength)
    neighbours[u] = neighbours[v] = {}
    return around


def _width(regions: Regions) -> int:
    return 3 + int(regions.colour_bins.shape[1] + regions.texture_bins.shape[1])


def _rows(regions: Regions, mix: Mix) -> FloatArray:
    """float32 [n, d]: cues of each region, scaled by their weights."""
    return np.concatenate(
        (
            regions.colours * (mix.colour / 25),
            regions.colour_bins * (mix.colour / 6),
            regions.texture_bins * (mix.texture / 2),
        ),
        axis=1,
    )


def members(parents: npt.NDArray[np.int64], count: int) -> Nodes:
    """Which of the `count` regions each node of a hierarchy holds, bool [2 count - 1, count]."""
    nodes = np.zeros((len(parents), count), bool)
    nodes[np.arange(count), np.arange(count)] = True
    for node, parent in enumerate(parents[:-1].tolist()):
        nodes[parent] |= nodes[node]
    return nodes


MIXES = (Mix(1, 1, 1, 0.8), Mix(1, 0, 0, 0.8), Mix(0, 1, 0.3, 0.8))
