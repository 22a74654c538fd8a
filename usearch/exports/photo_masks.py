"""Masks of exported segments on the pixels of their photo."""

from __future__ import annotations

import numpy as np

from usearch import masks
from usearch.exports.sources import ExportedPhoto, ExportedSegment
from usearch.scaling import scaled_rle


def photo_counts(photo: ExportedPhoto, segment: ExportedSegment) -> masks.Counts:
    """Column-major run lengths of a segment on the pixels of its photo as shown."""
    return scaled_rle(segment.rle, segment.mask_size, (photo.height, photo.width))


def box_and_mask(
    photo: ExportedPhoto, segment: ExportedSegment
) -> tuple[tuple[int, int, int, int], masks.Mask]:
    """The half-open box of a segment in pixels of its photo, and the mask within it.

    Only the columns of the box are decoded: a segment is small beside a large photo.
    """
    counts = photo_counts(photo, segment)
    x0, y0, x1, y1 = box = masks.box_of(counts, photo.height)
    ends = np.clip(np.cumsum(counts), x0 * photo.height, x1 * photo.height)
    within = np.diff(ends, prepend=x0 * photo.height)
    columns = np.repeat(np.arange(len(counts)) % 2 == 1, within)
    return box, columns.reshape(x1 - x0, photo.height).T[y0:y1]
