"""How masks of one picture overlap: intersections, duplicates, nesting. SciPy only for specks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from usearch.masks import Mask
from usearch.records import FloatArray, IntArray

CONTAINED = 0.9
"""A segment lies in another one when at least this share of its pixels does."""

_EIGHT = np.ones((3, 3), bool)


def intersections(masks: Sequence[Mask]) -> npt.NDArray[np.int64]:
    """Pixels that each pair of masks shares, int64 [n, n]; areas on the diagonal. Exact.

    Pixels that the same masks cover are counted together: each mask has a random 64-bit
    number, and the XOR of the numbers of the masks over a pixel tells such groups apart.
    A picture with hundreds of masks has thousands of groups, not a million pixels.

    Args:
        masks: n masks of one size, bool [H, W].
    """
    if not masks:
        return np.zeros((0, 0), np.int64)
    numbers = np.random.default_rng(0).integers(1, 2**63, len(masks), dtype=np.uint64)
    signature = np.zeros(masks[0].shape, np.uint64)
    for mask, number in zip(masks, numbers, strict=True):
        signature[mask] ^= number
    _, first, counts = np.unique(signature.ravel(), return_index=True, return_counts=True)
    covers = np.stack([mask.ravel()[first] for mask in masks]).astype(np.float64)
    shared: npt.NDArray[np.int64] = np.rint((covers * counts) @ covers.T).astype(np.int64)
    return shared


def distinct(shared: npt.NDArray[np.int64], scores: FloatArray, iou: float) -> list[int]:
    """Rows that remain when of each group of near-equal masks the best one is kept.

    Args:
        shared: Result of `intersections`.
        scores: [n]; higher is better, the earlier row wins a tie.
        iou: Two masks that overlap by more than this are the same.

    Returns:
        Rows, best first.
    """
    areas = shared.diagonal()
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        union = areas[row] + areas[kept] - shared[row, kept]
        if not (shared[row, kept] > iou * union).any():
            kept.append(int(row))
    return kept


def parents_by_containment(shared: npt.NDArray[np.int64], contained: float = CONTAINED) -> IntArray:
    """Row of the smallest larger mask that contains each one, or -1; int32 [n].

    Of equal areas the earlier row counts as the larger, so the result is a forest.

    Args:
        shared: Result of `intersections`; no mask is empty.
        contained: Share of a mask's pixels that must lie in its parent.
    """
    areas = shared.diagonal()
    order = np.lexsort((np.arange(len(areas)), -areas))
    parents = np.full(len(areas), -1, np.int32)
    for place, row in enumerate(order):
        larger = order[:place]
        inside = larger[shared[row, larger] >= contained * areas[row]]
        if len(inside):
            parents[row] = inside[-1]
    return parents


def without_specks(mask: Mask, min_area: int) -> tuple[Mask, bool]:
    """Fill holes and remove islands of fewer than `min_area` pixels (8-connected).

    As segment-anything's `remove_small_regions` for holes, then for islands: if every island
    is small, the largest stays. Without OpenCV.

    Returns:
        The mask, and whether there was any speck. The argument is not written to.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows) or min_area <= 0:
        return mask, False
    # Background that leaves this window has at least `min_area` pixels on its way there.
    y0, y1 = max(rows[0] - min_area, 0), rows[-1] + 1 + min_area
    x0, x1 = max(columns[0] - min_area, 0), columns[-1] + 1 + min_area
    window = mask[y0:y1, x0:x1]
    from scipy import ndimage

    holes = _small_parts(~window, min_area)
    filled = window | holes
    parts, count = ndimage.label(filled, _EIGHT)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    keep = sizes >= min_area
    if keep.all() and not holes.any():
        return mask, False
    if not keep.any():
        keep[np.argmax(sizes)] = True
    result = mask.copy()
    result[y0:y1, x0:x1] = np.concatenate(([False], keep))[parts]
    return result, True


def _small_parts(mask: Mask, min_area: int) -> Mask:
    from scipy import ndimage

    parts, count = ndimage.label(mask, _EIGHT)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    small = sizes < min_area
    small[0] = False
    chosen: Mask = small[parts]
    return chosen
