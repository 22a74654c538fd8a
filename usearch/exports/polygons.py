"""Masks as polygons, for tools that have no masks: one for each part, holes filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from usearch import masks
from usearch.render.outlines import loops, smoothed

if TYPE_CHECKING:
    from usearch.exports.sources import ExportedSegment

TOLERANCE = 0.5
"""How far polygons may run from the smoothed outline, in pixels of the mask grid."""

Polygon = npt.NDArray[np.float64]


def outer_polygons(
    segment: ExportedSegment, size: tuple[int, int], tolerance: float = TOLERANCE
) -> list[Polygon]:
    """Outlines of a segment's parts, without those of its holes.

    Args:
        segment: At least one pixel is set.
        size: (height, width) of the photo as shown.
        tolerance: In pixels of the mask grid; 0 runs along the edges of its pixels, and
            filling the polygons gives the mask with its holes filled, but for those that
            touch the outside at a corner, which may stay.

    Returns:
        At least one array float64 [n, 2] with n >= 3: x, y in pixels of the photo, 0 at the
        left and upper edge of the first pixel.
    """
    counts = masks.rle_to_counts(segment.rle, segment.mask_size)
    x0, y0, x1, y1 = masks.box_of(counts, segment.mask_size[0])
    inside = masks.counts_to_mask(counts, segment.mask_size)[y0:y1, x0:x1]
    corner = np.array([x0, y0])
    scale = np.array([size[1] / segment.mask_size[1], size[0] / segment.mask_size[0]])
    found = []
    for loop in loops(inside):
        # A loop begins at its uppermost corner, the left one of a row: the pixel below and
        # right of it lies inside the loop, and is part of the mask unless this is a hole.
        x, y = loop[0]
        if inside[y, x]:
            line = smoothed(loop, tolerance) if tolerance > 0 else loop.astype(np.float64)
            if len(line) < 3:  # thinner than the tolerance
                line = loop.astype(np.float64)
            found.append(np.clip((line + corner) * scale, 0, (size[1], size[0])))
    return found
