"""Which nodes of the hierarchies become segments, and in what order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from indexer.segmenters.merging import Nodes
from indexer.segmenters.regions import Regions
from usearch.records import FloatArray, IntArray

_SMALLEST = 1 / 1500
"""Share of the photo below which a candidate is dropped, at granularity 0.5."""
_SAME = 0.9
"""Two segments with this IoU or more are one; the better one stays."""


def persistence(parents: npt.NDArray[np.int64], altitudes: FloatArray) -> FloatArray:
    """How long each node lives before it is merged, float32 [k]; the root lives longest."""
    life = altitudes[parents] - altitudes
    life[-1] = 1.0 + life.max(initial=0.0)
    return life


def choose(
    regions: Regions,
    hierarchies: Sequence[tuple[npt.NDArray[np.int64], FloatArray]],
    nodes: Sequence[Nodes],
    granularity: float,
    limit: int,
) -> tuple[Nodes, FloatArray]:
    """The segments of a photo, best first.

    Args:
        regions: The n regions of the photo.
        hierarchies: Parents and altitudes of each hierarchy over them.
        nodes: bool [k, n] for each hierarchy, regions of its nodes.
        granularity: 0 prefers large segments, 1 small ones.
        limit: Most segments wanted.

    Returns:
        chosen: bool [c, n], 1 <= c <= limit.
        scores: float32 [c] in 0..1, falling.
    """
    total = float(regions.areas.sum())
    held = [each @ regions.areas / total for each in nodes]
    keys = [
        persistence(*hierarchy) * areas ** (0.5 - granularity)
        for hierarchy, areas in zip(hierarchies, held, strict=True)
    ]
    rank = np.concatenate([np.argsort(np.argsort(-key, kind="stable")) for key in keys])
    pool, areas = np.concatenate(nodes), np.concatenate(held)
    smallest = _SMALLEST * 4 ** (1 - 2 * granularity)
    order = np.argsort(rank, kind="stable")
    order = order[areas[order] >= min(smallest, areas.max())][: 6 * limit]
    picked = distinct(pool[order], regions.areas, limit)
    chosen = pool[order][picked]
    return chosen, np.linspace(1, 0, len(chosen), endpoint=False, dtype=np.float32)


def overlaps(nodes: Nodes, areas: FloatArray) -> FloatArray:
    """IoU of each two nodes, float32 [k, k]."""
    held = nodes.astype(np.float32)
    both = (held * areas) @ held.T
    own = np.diag(both)
    return np.asarray(both / (own[:, None] + own[None] - both), np.float32)


def distinct(nodes: Nodes, areas: FloatArray, limit: int) -> npt.NDArray[np.int64]:
    """Rows of the first `limit` nodes that are not near the same as one before them."""
    same = overlaps(nodes, areas) >= _SAME
    free = np.ones(len(nodes), bool)
    picked: list[int] = []
    for row in range(len(nodes)):
        if free[row]:
            picked.append(row)
            free &= ~same[row]
            if len(picked) == limit:
                break
    return np.array(picked, np.int64)


def parents_of(nodes: Nodes, areas: FloatArray) -> IntArray:
    """Row of the smallest other node that contains each node, or -1: int32 [k]."""
    held = nodes.astype(np.float32)
    missing = held @ (1 - held).T  # regions of i that j lacks
    sizes = held @ areas
    contains = (missing == 0) & (nodes.sum(1)[None] > nodes.sum(1)[:, None])
    candidates = np.where(contains, sizes[None], np.inf)
    parents = candidates.argmin(1).astype(np.int32)
    parents[~contains.any(1)] = -1
    return np.asarray(parents, np.int32)
