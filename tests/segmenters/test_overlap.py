"""Intersections, duplicates, nesting and specks of masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from indexer.segmenters.overlap import (
    distinct,
    intersections,
    parents_by_containment,
    without_specks,
)

MASKS = arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 12), st.integers(1, 12)))


@given(MASKS)
def test_intersections_are_exact(masks):
    flat = masks.reshape(len(masks), -1).astype(int)
    np.testing.assert_array_equal(intersections(list(masks)), flat @ flat.T)


def test_no_masks_have_no_intersections():
    assert intersections([]).shape == (0, 0)
    assert distinct(intersections([]), np.zeros(0, np.float32), 0.5) == []
    assert parents_by_containment(intersections([])).shape == (0,)


@given(MASKS)
def test_distinct_masks_do_not_overlap_by_more_than_the_limit(masks):
    masks = [m for m in masks if m.any()]
    shared = intersections(masks)
    scores = np.linspace(0, 1, len(masks), dtype=np.float32)
    kept = distinct(shared, scores, 0.5)
    area = shared.diagonal()
    iou = shared / (area[:, None] + area[None] - shared)
    for i in kept:
        assert all(iou[i, j] <= 0.5 for j in kept if j != i)
    for i in set(range(len(masks))) - set(kept):
        assert any(iou[i, j] > 0.5 and scores[j] >= scores[i] for j in kept)


def test_the_parent_is_the_smallest_mask_that_contains_a_mask():
    full, half, quarter, apart = (np.zeros((8, 8), bool) for _ in range(4))
    full[:] = half[:4] = quarter[:4, :4] = apart[6:, 6:] = True
    shared = intersections([quarter, full, apart, half])
    assert parents_by_containment(shared).tolist() == [3, -1, 1, 1]


def test_a_mask_that_sticks_out_a_little_is_still_inside():
    outer, inner = np.zeros((10, 20), bool), np.zeros((10, 20), bool)
    outer[:, :10] = True
    inner[0, :10] = True
    inner[0, 10] = True
    assert parents_by_containment(intersections([outer, inner])).tolist() == [-1, 0]
    inner[0, 10:13] = True
    assert parents_by_containment(intersections([outer, inner])).tolist() == [-1, -1]


@given(MASKS)
def test_parents_are_a_forest_of_larger_masks(masks):
    masks = [m for m in masks if m.any()]
    shared = intersections(masks)
    parents = parents_by_containment(shared)
    for row, parent in enumerate(parents):
        steps = 0
        while parent >= 0:
            assert shared[parent, parent] >= shared[row, row]
            parent, steps = parents[parent], steps + 1
            assert steps <= len(masks)


def remove_small(mask, area, mode):
    """segment-anything's `remove_small_regions`, over whole pictures, with SciPy's labels."""
    working = (mode == "holes") ^ mask
    regions, n = ndimage.label(working, np.ones((3, 3)))
    sizes = np.bincount(regions.ravel(), minlength=n + 1)[1:]
    small = [i + 1 for i, s in enumerate(sizes) if s < area]
    if not small:
        return mask, False
    fill = [0, *small]
    if mode == "islands":
        fill = [i for i in range(n + 1) if i not in fill] or [int(np.argmax(sizes)) + 1]
    return np.isin(regions, fill), True


@given(
    arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))),
    st.integers(1, 9),
    st.booleans(),
)
def test_specks_are_removed_as_segment_anything_removes_them(mask, area, smooth):
    if smooth:
        mask = ndimage.binary_opening(np.kron(mask, np.ones((2, 2), bool)))
    filled, had_holes = remove_small(mask, area, "holes")
    want, had_islands = remove_small(filled, area, "islands")
    before = mask.copy()
    got, changed = without_specks(mask, area)
    np.testing.assert_array_equal(mask, before)
    if mask.any():
        np.testing.assert_array_equal(got, want)
        assert changed == (had_holes or had_islands)


@pytest.mark.parametrize("area", [0, 100])
def test_an_empty_mask_stays_empty(area):
    got, changed = without_specks(np.zeros((20, 20), bool), area)
    assert not got.any()
    assert not changed
