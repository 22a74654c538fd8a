"""Segments x classes: probabilities of a segment, and a class for every pixel.

The rule is the paper's (USE, section 4.3): a softmax over the classes for each segment,
summed at each pixel over the segments that cover it, and the class with the largest sum.
Nothing is decoded to pixels until the last step: pixels that the same segments cover are
one region, and regions are found on the run lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch import masks
from usearch.errors import UsageError
from usearch.records import FloatArray, Segments

ClassMap = npt.NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16 [H, W], index of the class from 0; `no_class_value` where no segment lies."""

_BLOCK = 1 << 22
"""Values of regions x classes that are summed at once."""


def no_class_value(n_classes: int) -> int:
    """What a map of this many classes holds where there is no class: 255, or 65535 beyond.

    Raises:
        UsageError: More classes than a 16-bit picture can number.
    """
    if n_classes <= 255:
        return 255
    if n_classes <= 65535:
        return 65535
    raise UsageError(
        f"{n_classes} classes; a class map can number 65535 of them", "split the class list"
    )


def segment_probabilities(
    vectors: FloatArray, class_vectors: Sequence[FloatArray], logit_scale: float
) -> FloatArray:
    """Softmax over classes of each segment.

    Args:
        vectors: float32 [n, D], unit length.
        class_vectors: C arrays float32 [m, D] with m >= 1: the names of one class. The
            nearest name stands for the class.
        logit_scale: What cosines are multiplied by before the softmax.

    Returns:
        float32 [n, C]; rows sum to 1.
    """
    starts = np.cumsum([0] + [len(names) for names in class_vectors])[:-1]
    cosines = vectors @ np.concatenate(list(class_vectors)).T
    logits = logit_scale * np.maximum.reduceat(cosines, starts, axis=1)
    logits -= logits.max(1, keepdims=True)
    exp = np.exp(logits)
    exp /= exp.sum(1, keepdims=True)
    return exp.astype(np.float32, copy=False)


def class_map(
    segments: Segments, probabilities: FloatArray, size: tuple[int, int] | None = None
) -> ClassMap:
    """The class of every pixel.

    Args:
        segments: n segments of one photo.
        probabilities: float32 [n, C], of `segment_probabilities`.
        size: (height, width) of the map; that of the mask grid when None. Another size
            takes the value of the nearest point of the grid.

    Returns:
        uint8 [H, W] for at most 255 classes, else uint16; pixels without a segment hold
        `no_class_value`. The lower class wins a tie.
    """
    n_classes = probabilities.shape[1]
    none = no_class_value(n_classes)
    dtype: type[np.unsignedinteger[Any]] = np.uint8 if none == 255 else np.uint16
    height, width = segments.size
    if len(segments) == 0:
        return np.full(size or segments.size, none, dtype)
    lengths, region, members = _regions(segments)
    label = np.full(members.shape[0], none, dtype)
    covered = np.flatnonzero(members.any(1))
    step = max(1, _BLOCK // n_classes)
    for start in range(0, len(covered), step):
        block = covered[start : start + step]
        label[block] = (members[block].astype(np.float32) @ probabilities).argmax(1)
    grid = np.repeat(label[region], lengths).reshape((height, width), order="F")
    return grid if size is None or size == segments.size else resized_map(grid, size)


def _regions(
    segments: Segments,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Groups of pixels that exactly the same segments cover.

    Along the pixels in column order, a segment switches on and off at the bounds of its
    runs. Each segment has a random 64-bit key; the keys of the segments that are on, xor-ed,
    name the set of them. Two different sets share a name with probability 2**-64.

    Returns:
        Lengths of the runs of constant cover [r], the region of each [r], and the segments
        of each region, bool [regions, n].
    """
    n = len(segments)
    total = segments.size[0] * segments.size[1]
    bounds = [np.cumsum(masks.rle_to_counts(rle, segments.size))[:-1] for rle in segments.rles]
    keys = np.random.default_rng(0).integers(1, 2**63, n, dtype=np.uint64)
    where = np.concatenate([*bounds, [0]])
    what = np.concatenate([*(np.full(len(b), k) for b, k in zip(bounds, keys, strict=True)), [0]])
    order = np.argsort(where, kind="stable")
    on = np.bitwise_xor.accumulate(what.astype(np.uint64)[order])
    ends = np.concatenate((where[order][1:], [total]))
    lengths = ends - where[order]
    # Of the switches at one place only the last one opens a run.
    opens = lengths > 0
    first, on, lengths = where[order][opens], on[opens], lengths[opens]
    _, example, region = np.unique(on, return_index=True, return_inverse=True)
    at = first[example]
    members = np.stack([np.searchsorted(b, at, side="right") % 2 == 1 for b in bounds], axis=1)
    return lengths, region.ravel(), members


def resized_map(grid: ClassMap, size: tuple[int, int]) -> ClassMap:
    """The map at another (height, width): each pixel takes the value at its centre."""
    rows, columns = (
        ((2 * np.arange(new) + 1) * old // (2 * new)).astype(np.intp)
        for new, old in zip(size, grid.shape, strict=True)
    )
    scaled: ClassMap = grid[rows[:, None], columns[None]]
    return scaled


def class_shares(labels: ClassMap, n_classes: int) -> npt.NDArray[np.float64]:
    """Share of the pixels that each class takes, float64 [C]; the rest has no class."""
    counts = np.bincount(labels.ravel(), minlength=n_classes)[:n_classes]
    return counts / max(1, labels.size)
