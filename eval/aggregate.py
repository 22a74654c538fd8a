"""From class probabilities of segments to a class for every pixel: the paper's way, and options.

USE (section 4.3) sums the probabilities of all segments that cover a pixel. Two options of the
field, both off by default: segments vote by their own quality, and each segment settles on one
class before it is painted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usearch.classify import ClassMap, class_map, no_class_value
from usearch.classify.regions import Regions, find_regions, paint, region_areas
from usearch.records import FloatArray, IntArray, Segments


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How pixels get their class; the defaults are the paper's.

    Attributes:
        stability: Power of the segmenter's own score by which a segment's probabilities are
            weighted (SAM: predicted IoU x stability); 0 = all segments count alike.
        vote: Whether each segment then takes the class that most of its pixels have, smaller
            segments lying on top of larger ones.
    """

    stability: float = 0.0
    vote: bool = False


PAPERS_WAY = MapOptions()


def predicted_map(
    segments: Segments,
    probabilities: FloatArray,
    size: tuple[int, int],
    options: MapOptions = PAPERS_WAY,
) -> ClassMap:
    """The class of every pixel of a photo.

    Args:
        segments: n segments of one photo.
        probabilities: float32 [n, C], rows sum to 1.
        size: (height, width) of the map.
        options: What differs from the paper.

    Returns:
        uint8 [H, W] for at most 253 classes, else uint16; `no_class_value(C)` where no segment
        is.
    """
    if options.stability:
        weights = np.maximum(segments.scores, 0.0) ** np.float32(options.stability)
        probabilities = (probabilities * weights[:, None]).astype(np.float32)
    if not options.vote or len(segments) == 0:
        return class_map(segments, probabilities, size)
    regions = find_regions(segments)
    flat = class_map(segments, probabilities).ravel(order="F")
    labels = np.empty(len(regions.members), flat.dtype)
    labels[regions.region] = flat[regions.starts]
    return paint(regions, voted(regions, labels, segments.areas, probabilities.shape[1]), size)


def voted(regions: Regions, labels: ClassMap, areas: IntArray, n_classes: int) -> ClassMap:
    """Labels of regions after each segment has taken the class of most of its pixels.

    A region takes the class of the smallest segment that covers it; the lower class wins a tie.

    Args:
        regions: k regions of n segments.
        labels: [k], class of each region.
        areas: int32 [n], pixels of each segment.
        n_classes: C.
    """
    some = regions.members.any(1)
    pixels = region_areas(regions)
    own = np.empty(len(areas), np.int64)
    for row, covered in enumerate(regions.members.T):
        mine = covered & some
        own[row] = np.bincount(labels[mine], pixels[mine], n_classes).argmax()
    order = np.argsort(areas, kind="stable")
    smallest = order[regions.members[:, order].argmax(1)]
    out: ClassMap = own[smallest].astype(labels.dtype)
    out[~some] = no_class_value(n_classes)
    return out
