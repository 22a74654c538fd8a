"""Where the error comes from: the same set with perfect names, and with perfect masks.

The proposal oracle gives each labelled region its best stored segment and its true class: what
is lost is lost for want of masks. The naming oracle is a run on the labelled masks themselves
(the segmenter `given`): what is lost there is lost for want of names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.datasets import NO_LABEL, LabelMap
from eval.metrics import Counts, Doubles
from usearch.classify import ClassMap, map_values
from usearch.classify.regions import find_regions, paint
from usearch.records import Segments

MIN_AREA = 32 * 32
"""Smaller labelled regions get their segment too, but do not count in mean best IoU."""


@dataclass(frozen=True, slots=True)
class LabelledRegions:
    """Connected pieces of one class in a label map.

    Attributes:
        map: int32 [H, W], number of the region from 0; -1 where nothing is labelled.
        classes: int64 [m], class row of each region.
        areas: int64 [m], pixels.
    """

    map: npt.NDArray[np.int32]
    classes: Counts
    areas: Counts


def labelled_regions(truth: LabelMap) -> LabelledRegions:
    """The regions of a label map: pixels of one class that touch, corners included."""
    from scipy import ndimage

    out = np.full(truth.shape, -1, np.int32)
    classes: list[int] = []
    touching = np.ones((3, 3), bool)
    for value in np.unique(truth):
        if value == NO_LABEL:
            continue
        mask = truth == value
        pieces, n = ndimage.label(mask, touching)
        out[mask] = pieces[mask] + (len(classes) - 1)
        classes += [int(value)] * n
    areas = np.bincount(out[out >= 0], minlength=len(classes)).astype(np.int64)
    return LabelledRegions(out, np.array(classes, np.int64), areas)


def region_ious(regions: LabelledRegions, segments: Segments) -> Doubles:
    """IoU of every labelled region with every segment, float64 [m, n], at the labels' size.

    Segments are compared as they are painted there. One count over the pixels serves all pairs:
    pixels are grouped by the segments that cover them first.
    """
    found = find_regions(segments)
    k, m = len(found.members), len(regions.classes)
    cells = paint(found, np.arange(k, dtype=np.uint32), regions.map.shape).astype(np.int64)
    pairs = cells * (m + 1) + regions.map + 1  # column 0: not labelled
    counts = np.bincount(pairs.ravel(), minlength=k * (m + 1)).reshape(k, m + 1)
    shared = counts.T.astype(float) @ found.members.astype(float)
    areas = shared.sum(0)
    union = regions.areas[:, None] + areas - shared[1:]
    ious: Doubles = np.divide(shared[1:], union, out=np.zeros(union.shape), where=union > 0)
    return ious


def proposal_oracle(
    truth: LabelMap, segments: Segments, n_classes: int
) -> tuple[ClassMap, Doubles]:
    """The best map that naming could make of these segments, one a region.

    Each labelled region takes its best segment; one that is best for several regions takes the
    class of the one it fits best. Larger segments are painted first.

    Args:
        truth: uint16 [H, W], class rows.
        segments: n segments of the photo.
        n_classes: C.

    Returns:
        The map, and the best IoU of each region of at least `MIN_AREA` pixels, float64 [r].
    """
    values = map_values(n_classes)
    regions = labelled_regions(truth)
    out = np.full(truth.shape, values.none, values.dtype)
    large = regions.areas >= MIN_AREA
    if len(segments) == 0 or len(regions.classes) == 0:
        return out, np.zeros(int(large.sum()))
    ious = region_ious(regions, segments)
    best, segment = ious.max(1), ious.argmax(1)
    label = np.full(len(segments), values.none, values.dtype)
    for row in np.argsort(best, kind="stable"):
        if best[row] > 0:
            label[segment[row]] = regions.classes[row]
    chosen = np.flatnonzero(label != values.none)
    chosen = chosen[np.argsort(segments.areas[chosen], kind="stable")]
    found = find_regions(segments)
    members = found.members[:, chosen]
    labels = np.full(len(members), values.none, values.dtype)
    covered = members.any(1)
    labels[covered] = label[chosen[members[covered].argmax(1)]]
    return paint(found, labels, truth.shape), best[large]
