"""Regions: many masks decoded at once, counted and painted; judge: pixels."""

from __future__ import annotations

import class_samples
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch import masks
from usearch.classify import resized_map
from usearch.classify.regions import find_regions, paint, region_areas, run_bounds
from usearch.errors import InputError

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
def test_bounds_of_many_masks_are_those_of_each(seed, n, height, width):
    rng = np.random.default_rng(seed)
    pictures = [rng.random((height, width)) < rng.uniform(0, 1) for _ in range(n)]
    pictures[0][:] = True
    rles = [masks.encode(picture) for picture in pictures]
    bounds, owner = run_bounds(rles, (height, width))
    for i, rle in enumerate(rles):
        ends = np.cumsum(masks.rle_to_counts(rle, (height, width)))[:-1]
        np.testing.assert_array_equal(bounds[owner == i], ends)


def test_an_empty_mask_beside_others_has_no_bounds():
    bounds, owner = run_bounds([masks.encode(np.zeros((3, 3), bool)), b"036"], (3, 3))
    assert owner.tolist() == [1, 1]
    assert bounds.tolist() == [0, 3]


@pytest.mark.parametrize(
    "rle", [b"", b"1", b"\x00\x01", b"09999", b"P", b"Poooooooooo0", b"05", b"o", b"0\xff"]
)
def test_bytes_that_are_no_mask_are_refused_among_good_ones(rle):
    good = masks.encode(np.eye(3, dtype=bool))
    with pytest.raises(InputError):
        masks.rle_to_counts(rle, (3, 3))
    for rles in ([rle], [good, rle], [rle, good], [good, rle, good]):
        with pytest.raises(InputError):
            run_bounds(rles, (3, 3))


@given(SEEDS, st.integers(1, 70), st.integers(1, 9), st.integers(1, 9))
def test_a_region_is_the_pixels_that_the_same_segments_cover(seed, n, height, width):
    rng = np.random.default_rng(seed)
    pictures = class_samples.masks_of(rng, n, height, width)
    regions = find_regions(masks.segments_from_masks(pictures, np.ones(n)))
    number = paint(regions, np.arange(len(regions.members), dtype=np.uint16))
    cover = np.stack(pictures, -1)
    np.testing.assert_array_equal(regions.members[number], cover)
    assert len(np.unique(cover.reshape(-1, n), axis=0)) == len(regions.members)


@given(SEEDS, st.integers(1, 5), st.tuples(st.integers(1, 50), st.integers(1, 50)))
def test_areas_at_another_size_are_those_of_the_painted_map(seed, n, size):
    rng = np.random.default_rng(seed)
    regions = find_regions(class_samples.photo(rng, n)[0])
    number = np.arange(len(regions.members), dtype=np.uint16)
    for at in (None, size):
        painted = paint(regions, number, at)
        counted = np.bincount(painted.ravel(), minlength=len(number))
        np.testing.assert_array_equal(region_areas(regions, at), counted)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 4))
def test_a_map_made_larger_and_brought_back_is_the_same(height, width, times):
    grid = np.random.default_rng(0).integers(0, 9, (height, width)).astype(np.uint8)
    large = resized_map(grid, (height * times, width * times))
    np.testing.assert_array_equal(large, grid.repeat(times, 0).repeat(times, 1))
    np.testing.assert_array_equal(resized_map(large, grid.shape), grid)
