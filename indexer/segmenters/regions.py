"""A fine partition of a photo into small regions, and what is known of each.

The watershed of the boundary strengths gives some thousand basins; the ones that an area
hierarchy merges first are merged, until a few hundred regions are left. All that follows
works on those regions and the borders between them, never on pixels again.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.records import FloatArray

with warnings.catch_warnings():
    # Its docstrings hold invalid escapes, which Python reports when it first compiles them.
    warnings.simplefilter("ignore")
    import higra as hg

LabelMap = npt.NDArray[np.int32]

COLOUR_BINS = 12
_MAGNITUDES = (0.5, 1.0, 2.0, 4.0, 8.0)
TEXTURE_BINS = len(_MAGNITUDES) + 1


@dataclass(frozen=True, slots=True)
class Regions:
    """n regions of one photo and the m borders between neighbours.

    Attributes:
        labels: int32 [h, w], region of each pixel, 0..n-1, all present.
        areas: float32 [n], pixels.
        colours: float32 [n, 3], mean Lab.
        colour_bins: float32 [n, 36], histogram of L, a and b, each third sums to 1.
        texture_bins: float32 [n, 6], histogram of the gradient of L, sums to 1.
        borders: int64 [m, 2], first < second.
        lengths: float32 [m], pixel pairs along the border.
        strengths: float32 [m], mean boundary strength along the border.
    """

    labels: LabelMap
    areas: FloatArray
    colours: FloatArray
    colour_bins: FloatArray
    texture_bins: FloatArray
    borders: npt.NDArray[np.int64]
    lengths: FloatArray
    strengths: FloatArray

    def __len__(self) -> int:
        return len(self.areas)


def partition(across: FloatArray, down: FloatArray, count: int) -> LabelMap:
    """At most `count` connected regions, int32 [h, w], of the strengths between 4-neighbours."""
    height, width = down.shape[0] + 1, across.shape[1] + 1
    if height == 1 or width == 1:
        return _partition_line(np.concatenate((across.ravel(), down.ravel())), count).reshape(
            height, width
        )
    graph = hg.get_4_adjacency_graph((height, width))
    sources, targets = graph.edge_list()
    rightward = targets - sources == 1
    weights = np.empty(len(sources), np.float32)
    weights[rightward] = across[sources[rightward] // width, sources[rightward] % width]
    weights[~rightward] = down[sources[~rightward] // width, sources[~rightward] % width]
    basins = hg.labelisation_watershed(graph, weights)
    rag = hg.make_region_adjacency_graph_from_labelisation(graph, basins)
    if rag.num_vertices() <= count:
        labels = hg.rag_back_project_vertex_weights(rag, np.arange(rag.num_vertices()))
        return np.asarray(labels, np.int32).reshape(height, width)
    passes = hg.rag_accumulate_on_edges(rag, hg.Accumulators.min, weights)
    areas = hg.rag_accumulate_on_vertices(
        rag, hg.Accumulators.sum, np.ones(height * width, np.float64)
    )
    tree, altitudes = hg.watershed_hierarchy_by_area(rag, passes, areas)
    # Higra brings the cut of a region graph back to its pixels by itself.
    labels = hg.labelisation_horizontal_cut_from_num_regions(tree, altitudes, count)
    return np.unique(labels, return_inverse=True)[1].astype(np.int32).reshape(height, width)


def _partition_line(strengths: FloatArray, count: int) -> LabelMap:
    """The same for a line of pixels: cut where the strength is highest."""
    cuts = np.zeros(len(strengths) + 1, np.int32)
    cuts[1 + np.argsort(-strengths, kind="stable")[: count - 1]] = 1
    return np.cumsum(cuts, dtype=np.int32)


def describe(lab: FloatArray, labels: LabelMap, across: FloatArray, down: FloatArray) -> Regions:
    """What is known of the regions `labels` of a photo in Lab, float32 [h, w, 3]."""
    flat = labels.ravel()
    count = int(flat.max()) + 1
    areas = np.bincount(flat, minlength=count).astype(np.float32)
    channels: list[FloatArray] = [lab[..., c].ravel() for c in range(3)]
    colours = np.stack([np.bincount(flat, c, count) for c in channels], 1) / areas[:, None]
    scaled = (channels[0] / 100, (channels[1] + 60) / 120, (channels[2] + 60) / 120)
    bins = [_soft_histogram(flat, values, count) for values in scaled]
    borders, lengths, strengths = _borders(labels, count, across, down)
    return Regions(
        labels=labels,
        areas=areas,
        colours=colours.astype(np.float32),
        colour_bins=np.concatenate(bins, 1) / areas[:, None],
        texture_bins=_texture_histogram(flat, lab[..., 0], count) / areas[:, None],
        borders=borders,
        lengths=lengths,
        strengths=strengths,
    )


def _soft_histogram(
    flat: npt.NDArray[np.int32], values: npt.NDArray[np.floating[Any]], count: int
) -> FloatArray:
    """Counts float32 [count, COLOUR_BINS]; a value is shared by the two nearest bins."""
    place = np.clip(values * COLOUR_BINS - 0.5, 0, COLOUR_BINS - 1.001)
    low = place.astype(np.int32)
    high_share = place - low
    slot = flat * COLOUR_BINS + low
    size = count * COLOUR_BINS
    total = np.bincount(slot, 1 - high_share, size) + np.bincount(slot + 1, high_share, size)
    return total.reshape(count, COLOUR_BINS).astype(np.float32)


def _texture_histogram(
    flat: npt.NDArray[np.int32], lightness: FloatArray, count: int
) -> FloatArray:
    """Counts float32 [count, TEXTURE_BINS] of the size of the gradient of L."""
    height, width = lightness.shape
    size = np.zeros((height, width), np.float32)
    size[:, 1:] += np.abs(lightness[:, 1:] - lightness[:, :-1])
    size[1:] += np.abs(lightness[1:] - lightness[:-1])
    slot = flat * TEXTURE_BINS + np.digitize(size.ravel(), _MAGNITUDES)
    total = np.bincount(slot, minlength=count * TEXTURE_BINS)
    return total.reshape(count, TEXTURE_BINS).astype(np.float32)


def _borders(
    labels: LabelMap, count: int, across: FloatArray, down: FloatArray
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Pairs of neighbouring regions, the length of their border and its mean strength."""
    first = np.concatenate((labels[:, :-1].ravel(), labels[:-1].ravel()))
    second = np.concatenate((labels[:, 1:].ravel(), labels[1:].ravel()))
    strength = np.concatenate((across.ravel(), down.ravel()))
    apart = first != second
    first, second, strength = first[apart], second[apart], strength[apart]
    key = np.minimum(first, second).astype(np.int64) * count + np.maximum(first, second)
    unique, inverse, lengths = np.unique(key, return_inverse=True, return_counts=True)
    mean = np.bincount(inverse, strength, len(unique)) / np.maximum(lengths, 1)
    pairs = np.stack((unique // count, unique % count), 1)
    return pairs, lengths.astype(np.float32), mean.astype(np.float32)
