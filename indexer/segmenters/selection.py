"""Which nodes of the hierarchies become segments, and in what order.

A node's worth is how early it comes when its hierarchy is cut from the top (persistence),
plus how strong its contour is, how compact it is, and how many other nodes agree with it.
Segments are then taken one by one, each time the node of most worth less its overlap with
what was taken: neither the variants of one object nor one scale fill the list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from indexer.segmenters.merging import Nodes
from indexer.segmenters.regions import Regions
from usearch.records import FloatArray, IntArray

Hierarchy = tuple[npt.NDArray[np.int64], FloatArray]
"""Parents and altitudes, as `merging.merge` gives them."""

_SMALLEST = 1 / 1200
"""Share of the photo below which a candidate is dropped, at granularity 0.5."""
_MOST = 1500
"""Candidates that are compared with each other; the cost is quadratic."""
_SAME = 0.9
"""Two segments with this IoU or more are one; the better one stays."""
_AGREEING = 0.8
"""A candidate with this IoU or more votes for another."""

# Fitted on masks of training photos (mean best IoU and recall of the first 50 and 100).
_CONTOUR, _OUTLINE, _AGREEMENT = 3.7, -1.25, 0.2
_OVERLAP = 1.0
_SIZE = 1.0
"""How far granularity shifts the worth, per e-fold of area."""
_MIDDLE = 2.0
"""Worth that reads as a score of about one half."""


def choose(
    regions: Regions,
    hierarchies: Sequence[Hierarchy],
    nodes: Sequence[Nodes],
    granularity: float,
    limit: int,
) -> tuple[Nodes, FloatArray]:
    """The segments of a photo, best first.

    Args:
        regions: The n regions of the photo.
        hierarchies: Hierarchies over them.
        nodes: bool [k, n] for each hierarchy, regions of its nodes.
        granularity: 0 prefers large segments, 1 small ones.
        limit: Most segments wanted.

    Returns:
        chosen: bool [c, n], 1 <= c <= limit.
        scores: float32 [c] in 0..1, falling.
    """
    smallest = _SMALLEST * 4 ** (1 - 2 * granularity)
    pool, early = candidates(regions, hierarchies, nodes, smallest)
    worth = early + shape_worth(regions, pool, granularity)
    best = np.argsort(-worth, kind="stable")[:_MOST]
    pool, worth = pool[best], worth[best]
    iou = overlaps(pool, regions.areas)
    worth += _AGREEMENT * np.log(np.where(iou >= _AGREEING, iou, 0.0).sum(1))
    rows, values = take(iou, worth, limit)
    return pool[rows], 1 / (1 + np.exp(-(values + _MIDDLE)))


def candidates(
    regions: Regions,
    hierarchies: Sequence[Hierarchy],
    nodes: Sequence[Nodes],
    smallest: float,
) -> tuple[Nodes, FloatArray]:
    """Nodes of all hierarchies that are large enough, each set of regions once.

    Returns:
        pool: bool [k, n], k >= 1.
        early: float32 [k], 0 for the first of a hierarchy, then falling with its rank.
    """
    pool = np.concatenate(nodes)
    early = np.concatenate([earliness(*hierarchy) for hierarchy in hierarchies])
    areas = pool @ regions.areas
    large = areas >= min(smallest * float(regions.areas.sum()), areas.max())
    order = np.flatnonzero(large)
    order = order[np.argsort(-early[order], kind="stable")]
    _, first = np.unique(np.packbits(pool[order], axis=1), axis=0, return_index=True)
    kept = order[np.sort(first)]
    return pool[kept], early[kept]


def earliness(parents: npt.NDArray[np.int64], altitudes: FloatArray) -> FloatArray:
    """How early each node comes when nodes are taken by how long they live, float32 [k].

    A node lives from its own altitude to that of its parent; the root lives longest.
    """
    life = altitudes[parents] - altitudes
    life[-1] = np.inf
    rank = np.argsort(np.argsort(-life, kind="stable"), kind="stable")
    return -np.log1p(rank).astype(np.float32)


def shape_worth(regions: Regions, pool: Nodes, granularity: float) -> FloatArray:
    """Worth of each candidate by contour, compactness and size, float32 [k]."""
    held = pool.astype(np.float32)
    areas = held @ regions.areas
    first, second = regions.borders.T
    cut = (pool[:, first] ^ pool[:, second]).astype(np.float32)
    length = cut @ regions.lengths
    strength = (cut @ (regions.lengths * regions.strengths) + 0.3) / (length + 1)
    outline = length + held @ _frame_lengths(regions)
    share = areas / regions.areas.sum()
    worth = _CONTOUR * strength + _OUTLINE * np.log(outline / np.sqrt(areas))
    worth += _SIZE * (0.5 - granularity) * np.log(share)
    return np.asarray(worth, np.float32)


def _frame_lengths(regions: Regions) -> FloatArray:
    """Pixels of each region along the photo's frame, float32 [n]."""
    labels = regions.labels
    around = np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))
    return np.bincount(around, minlength=len(regions)).astype(np.float32)


def overlaps(nodes: Nodes, areas: FloatArray) -> FloatArray:
    """IoU of each two nodes, float32 [k, k]."""
    held = nodes.astype(np.float32)
    both = (held * areas) @ held.T
    own = np.diag(both)
    return np.asarray(both / (own[:, None] + own[None] - both), np.float32)


def take(
    iou: FloatArray, worth: FloatArray, limit: int
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Rows by worth less overlap, one after the other (maximal marginal relevance).

    Args:
        iou: float32 [k, k].
        worth: float32 [k].
        limit: Most rows.

    Returns:
        rows: int64 [c], in the order taken; no two are near the same.
        values: float32 [c], worth less overlap of each when it was taken; falling.
    """
    covered = np.zeros_like(worth)
    free = np.ones(len(worth), bool)
    rows: list[int] = []
    values: list[float] = []
    while len(rows) < limit and free.any():
        now = np.where(free, worth - _OVERLAP * covered, -np.inf)
        row = int(now.argmax())
        rows.append(row)
        values.append(float(now[row]))
        covered = np.maximum(covered, iou[row])
        free &= iou[row] < _SAME
        free[row] = False
    return np.array(rows, np.int64), np.array(values, np.float32)


def parents_of(nodes: Nodes, areas: FloatArray) -> IntArray:
    """Row of the smallest other node that contains each node, or -1: int32 [k]."""
    held = nodes.astype(np.float32)
    missing = held @ (1 - held).T  # regions of i that j lacks
    larger = nodes.sum(1)[None] > nodes.sum(1)[:, None]
    sizes = np.where((missing == 0) & larger, held @ areas, np.inf)
    return np.where(np.isfinite(sizes).any(1), sizes.argmin(1), -1).astype(np.int32)
