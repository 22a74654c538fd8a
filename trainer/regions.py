"""Regions of a training photo: superpixels and the salient nodes of a watershed hierarchy."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from scipy import ndimage, sparse

from trainer.colours import lab
from usearch.masks import Mask
from usearch.records import FloatArray, Image

with warnings.catch_warnings():
    # Its docstrings hold invalid escapes, which Python reports when it first compiles them.
    warnings.simplefilter("ignore")
    import higra as hg

T = TypeVar("T", bound=np.generic)

_SIDE = 176
"""Longest side, in pixels, of the photo that the hierarchy is built on; masks are enlarged."""
_SMOOTHING = 0.7
_PLAIN_DISTANCE = 10.0
_PLAIN_SHARE = 0.85
_THING_DISTANCE = 16.0
_THING_LEAST = 0.03
_THING_MOST = 0.8


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A watershed hierarchy by volume over Lab gradients (Cousty and Najman 2011).

    It is built on a small copy of the photo; masks and boxes are given at the photo's size.

    Attributes:
        size: (height, width) of the photo.
        grid: (height, width) of the small copy.
        tree: Its binary tree; leaves are the small copy's pixels, row by row.
        altitudes: [nodes], when a node is formed.
        shares: [nodes], share of the photo that a node covers.
        boxes: float32 [nodes, 4], x0 y0 x1 y1, half-open, pixels of the photo.
        persistence: [nodes], how long a node stays before it is merged.
    """

    size: tuple[int, int]
    grid: tuple[int, int]
    tree: hg.Tree
    altitudes: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    boxes: FloatArray
    persistence: npt.NDArray[np.float64]

    def superpixels(self, count: int) -> npt.NDArray[np.int64]:
        """Labels, int [height, width], of a flat cut into about `count` regions, from 0."""
        cut = hg.labelisation_horizontal_cut_from_num_regions(self.tree, self.altitudes, count)
        _, labels = np.unique(cut, return_inverse=True)
        return _enlarged(labels.reshape(self.grid).astype(np.int64), self.size)

    def mask(self, node: int) -> Mask:
        """Mask, bool [height, width], of a node."""
        inside = np.zeros(self.tree.num_vertices(), bool)
        inside[node] = True
        from_parent = np.ones(self.tree.num_vertices(), bool)
        from_parent[[node, self.tree.root()]] = False
        under = hg.propagate_sequential(self.tree, inside, from_parent)
        small = np.asarray(under[: self.tree.num_leaves()], bool).reshape(self.grid)
        return _enlarged(small, self.size)

    def salient(self, min_share: float, max_share: float, limit: int) -> list[int]:
        """Nodes by persistence, best first, whose share of the photo is in the range."""
        nodes = np.flatnonzero((self.shares >= min_share) & (self.shares <= max_share))
        order = np.argsort(-self.persistence[nodes], kind="stable")[:limit]
        return [int(n) for n in nodes[order]]

    def best_in_box(self, box: npt.ArrayLike, min_iou: float, min_fill: float) -> int | None:
        """The node whose own box agrees best with `box`, or None below `min_iou`.

        Args:
            box: x0 y0 x1 y1 in pixels of the photo.
            min_iou: Least overlap of the two boxes.
            min_fill: Least share of its own box that the node covers.
        """
        b = np.asarray(box, np.float32)
        low = np.maximum(self.boxes[:, :2], b[:2])
        high = np.minimum(self.boxes[:, 2:], b[2:])
        inter = np.prod(np.clip(high - low, 0, None), axis=1)
        own = np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=1)
        iou = inter / (own + np.prod(b[2:] - b[:2]) - inter)
        iou[self.shares * (self.size[0] * self.size[1]) < min_fill * own] = 0
        best = int(iou.argmax())
        return best if iou[best] >= min_iou else None


def hierarchy_of(image: Image) -> Hierarchy:
    """Hierarchy of a photo, uint8 [H, W, 3]."""
    size = image.shape[:2]
    scale = min(1.0, _SIDE / max(size))
    height, width = (max(2, round(s * scale)) for s in size)
    small = PilImage.fromarray(image).resize((width, height), PilImage.Resampling.BOX)
    values = ndimage.gaussian_filter(lab(np.asarray(small)), (_SMOOTHING, _SMOOTHING, 0))
    graph = hg.get_4_adjacency_graph((height, width))
    weights = hg.weight_graph(graph, values.astype(np.float64), hg.WeightFunction.L2)
    tree, altitudes = hg.watershed_hierarchy_by_volume(graph, weights)
    ys, xs = np.divmod(np.arange(height * width, dtype=np.float64), width)
    low = [hg.accumulate_sequential(tree, v, hg.Accumulators.min) for v in (xs, ys)]
    high = [hg.accumulate_sequential(tree, v + 1, hg.Accumulators.max) for v in (xs, ys)]
    grow = np.array([size[1] / width, size[0] / height] * 2)
    return Hierarchy(
        size=(size[0], size[1]),
        grid=(height, width),
        tree=tree,
        altitudes=altitudes,
        shares=np.asarray(hg.attribute_area(tree), np.float64) / (height * width),
        boxes=(np.stack([*low, *high], 1) * grow).astype(np.float32),
        persistence=altitudes[tree.parents()] - altitudes,
    )


def _enlarged(grid: npt.NDArray[T], size: tuple[int, int]) -> npt.NDArray[T]:
    rows = np.arange(size[0]) * grid.shape[0] // size[0]
    columns = np.arange(size[1]) * grid.shape[1] // size[1]
    enlarged: npt.NDArray[T] = grid[rows][:, columns]
    return enlarged


def mean_by_region(values: FloatArray, labels: npt.NDArray[np.int64]) -> FloatArray:
    """Means, float32 [regions, C], of values [h, w, C] over labels of any size.

    The labels are read at the values' resolution; a region that is lost there gets zeros.
    """
    h, w, channels = values.shape
    rows = (np.arange(h) * labels.shape[0] + labels.shape[0] // 2) // h
    cols = (np.arange(w) * labels.shape[1] + labels.shape[1] // 2) // w
    small = labels[rows.clip(0, labels.shape[0] - 1)][:, cols.clip(0, labels.shape[1] - 1)].ravel()
    count = int(labels.max()) + 1
    ones = np.ones(h * w, np.float32)
    member = sparse.csr_matrix((ones, (small, np.arange(h * w))), shape=(count, h * w))
    size = np.bincount(small, minlength=count)
    sums = member @ values.reshape(-1, channels)
    means: FloatArray = (sums / np.maximum(size, 1)[:, None]).astype(np.float32)
    return means


def plain_ground_outline(image: Image) -> Mask | None:
    """Outline of the thing on a plain background, or None where the border is not plain.

    The background is plain when most of the photo's border is within a small colour
    difference of its median; the thing is what differs clearly, with its holes filled.
    """
    values = lab(image)
    height, width = values.shape[:2]
    rim = max(2, min(height, width) // 40)
    border = np.ones((height, width), bool)
    border[rim:-rim, rim:-rim] = False
    ground = np.median(values[border], axis=0)
    distance = np.sqrt(((values - ground) ** 2).sum(-1))
    if (distance[border] < _PLAIN_DISTANCE).mean() < _PLAIN_SHARE:
        return None
    smooth = ndimage.gaussian_filter(distance, 1.0)
    thing = ndimage.binary_fill_holes(smooth > _THING_DISTANCE)
    parts = components(np.asarray(thing, bool), _THING_LEAST * height * width)
    if not parts:
        return None
    mask: Mask = np.logical_or.reduce(parts)
    share = float(mask.mean())
    return mask if _THING_LEAST <= share <= _THING_MOST else None


def components(mask: Mask, min_pixels: float) -> list[Mask]:
    """Connected parts (8 neighbours) of a mask with at least `min_pixels`, largest first."""
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    order = [i for i in np.argsort(-sizes, kind="stable") if sizes[i] >= max(1.0, min_pixels)]
    return [labels == i for i in order]


def overlap(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks of one size."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0
