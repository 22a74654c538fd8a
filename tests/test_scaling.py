"""Masks on another grid: the value at each pixel's centre, and back again without loss."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from usearch import masks
from usearch.scaling import scaled_counts

SIDE = st.integers(1, 40)


def random_mask(height: int, width: int, seed: int) -> np.ndarray:
    """Anything from empty over speckled to full."""
    rng = np.random.default_rng(seed)
    return rng.random((height, width)) < rng.choice([0.0, 0.05, 0.5, 0.95, 1.0])


@given(SIDE, SIDE, st.integers(1, 100), st.integers(1, 100), st.integers(0, 2**32))
def test_each_pixel_takes_the_value_at_its_centre(height, width, new_height, new_width, seed):
    mask = random_mask(height, width, seed)
    rows = (2 * np.arange(new_height) + 1) * height // (2 * new_height)
    columns = (2 * np.arange(new_width) + 1) * width // (2 * new_width)
    expected = mask[rows[:, None], columns[None]]

    counts = scaled_counts(masks.mask_to_counts(mask), mask.shape, expected.shape)

    np.testing.assert_array_equal(counts, masks.mask_to_counts(expected))


@given(SIDE, SIDE, st.floats(1, 5), st.floats(1, 5), st.integers(0, 2**32))
def test_an_enlarged_mask_comes_back_as_it_was(height, width, up, across, seed):
    counts = masks.mask_to_counts(random_mask(height, width, seed))
    size, large = (height, width), (round(height * up), round(width * across))

    back = scaled_counts(scaled_counts(counts, size, large), large, size)

    np.testing.assert_array_equal(back, counts)
