"""From class probabilities of segments to maps: the paper's sum, quality, and the vote."""

import numpy as np
import pytest
from class_samples import masks_of
from hypothesis import given
from hypothesis import strategies as st

from eval.aggregate import MapOptions, predicted_map
from usearch.classify import class_map
from usearch.masks import segments_from_counts, segments_from_masks

SIZE = 12, 16


def random_photo(seed, n=5, classes=4):
    rng = np.random.default_rng(seed)
    found = masks_of(rng, n, *SIZE)
    scores = rng.uniform(0.2, 1.0, n)
    shares = rng.dirichlet(np.ones(classes), n).astype(np.float32)
    return segments_from_masks(found, scores), shares, np.stack(found), scores


@given(st.integers(0, 10_000))
def test_without_options_it_is_the_papers_sum(seed):
    segments, shares, _, _ = random_photo(seed)
    np.testing.assert_array_equal(
        predicted_map(segments, shares, SIZE), class_map(segments, shares, SIZE)
    )


@given(st.integers(0, 10_000), st.sampled_from([0.5, 1.0, 3.0]))
def test_quality_weights_what_each_segment_adds(seed, power):
    segments, shares, found, scores = random_photo(seed)
    sums = np.einsum("nhw,nc->hwc", found, shares * (scores**power)[:, None])
    top = np.sort(sums, -1)
    clear = (top[..., -1] - top[..., -2] > 1e-4) & found.any(0)
    got = predicted_map(segments, shares, SIZE, MapOptions(stability=power))
    np.testing.assert_array_equal(got[clear], sums.argmax(-1)[clear])
    assert (got[~found.any(0)] == 255).all()


@given(st.integers(0, 10_000))
def test_the_vote_gives_a_pixel_what_most_pixels_of_its_smallest_segment_have(seed):
    segments, shares, found, _ = random_photo(seed)
    plain = class_map(segments, shares)
    own = [np.bincount(plain[mask], minlength=4).argmax() for mask in found]
    got = predicted_map(segments, shares, SIZE, MapOptions(vote=True))
    order = np.argsort(segments.areas, kind="stable")
    for y, x in np.ndindex(SIZE):
        covering = [row for row in order if found[row, y, x]]
        assert got[y, x] == (own[covering[0]] if covering else 255)


def test_segments_that_do_not_overlap_vote_as_they_are():
    left = np.zeros(SIZE, bool)
    left[:, :7] = True
    segments = segments_from_masks([left, ~left], np.ones(2))
    shares = np.array([[0.1, 0.9], [0.8, 0.2]], np.float32)
    np.testing.assert_array_equal(
        predicted_map(segments, shares, SIZE, MapOptions(vote=True)),
        predicted_map(segments, shares, SIZE),
    )


@pytest.mark.parametrize("options", [MapOptions(), MapOptions(vote=True), MapOptions(stability=1)])
def test_a_photo_without_segments_has_no_class_anywhere(options):
    nothing = segments_from_counts([], SIZE, np.zeros(0))
    got = predicted_map(nothing, np.zeros((0, 300), np.float32), SIZE, options)
    assert got.dtype == np.uint16
    assert (got == 65535).all()
