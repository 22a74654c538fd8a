"""Run lengths of many masks that are unions of the same regions, made together.

The label map is cut into runs once; a mask's runs are those where its membership changes.
"""

from __future__ import annotations

import numpy as np

from indexer.segmenters.merging import Nodes
from indexer.segmenters.regions import LabelMap
from usearch.masks import Counts


def upscale(labels: LabelMap, size: tuple[int, int]) -> LabelMap:
    """The label map on a grid of (height, width) `size`, nearest."""
    height, width = labels.shape
    rows = ((np.arange(size[0]) + 0.5) * height / size[0]).astype(np.int64)
    columns = ((np.arange(size[1]) + 0.5) * width / size[1]).astype(np.int64)
    return np.asarray(labels[rows[:, None], columns[None]], np.int32)


def counts_of_nodes(labels: LabelMap, nodes: Nodes) -> list[Counts]:
    """COCO run lengths of each node, column-major, on the grid of `labels`.

    Args:
        labels: int32 [H, W], region of each pixel.
        nodes: bool [k, n], regions of each mask.
    """
    flat = labels.ravel(order="F")
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    inside = nodes[:, flat[starts]]
    before = np.zeros((len(nodes), 1), bool)
    changes = inside != np.concatenate((before, inside[:, :-1]), axis=1)
    node, run = np.nonzero(changes)
    bounds = np.split(starts[run], np.searchsorted(node, np.arange(1, len(nodes))))
    return [np.diff(bound, prepend=0, append=flat.size) for bound in bounds]
