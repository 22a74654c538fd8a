"""Classes of pixels: the paper's sum over covering segments, against an obvious slow one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usearch.classify import class_map, class_shares, no_class_value, segment_probabilities
from usearch.errors import UsageError
from usearch.masks import segments_from_masks


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def slow_class_map(masks, probabilities):
    """Every pixel by itself: sum the probabilities of the masks over it, take the largest."""
    height, width = masks[0].shape
    out = np.full((height, width), no_class_value(probabilities.shape[1]))
    for y in range(height):
        for x in range(width):
            over = [i for i, mask in enumerate(masks) if mask[y, x]]
            if over:
                total = sum(probabilities[i].astype(np.float64) for i in over)
                out[y, x] = int(np.argmax(total))
    return out


def random_masks(rng, n, height, width):
    masks = [rng.random((height, width)) < rng.uniform(0.05, 0.9) for _ in range(n)]
    for mask in masks:
        mask[rng.integers(height), rng.integers(width)] = True
    return masks


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 7),
    st.integers(1, 13),
    st.integers(1, 11),
    st.integers(1, 6),
)
def test_the_map_is_the_sum_over_covering_segments(seed, n, height, width, n_classes):
    rng = np.random.default_rng(seed)
    masks = random_masks(rng, n, height, width)
    # Eighths add up exactly, so that ties are ties for both.
    probabilities = (rng.integers(0, 9, (n, n_classes)) / 8).astype(np.float32)
    labels = class_map(segments_from_masks(masks, np.ones(n)), probabilities)
    np.testing.assert_array_equal(labels, slow_class_map(masks, probabilities))


def test_two_small_votes_beat_one_large_one():
    mask = np.ones((2, 2), bool)
    segments = segments_from_masks([mask, mask, mask], np.ones(3))
    probabilities = np.float32([[0.0, 1.0], [0.6, 0.4], [0.6, 0.4]])
    assert (class_map(segments, probabilities) == 1).all()
    assert (class_map(segments_from_masks([mask, mask], [1, 1]), probabilities[1:]) == 0).all()


def test_pixels_without_a_segment_have_no_class():
    mask = np.zeros((3, 4), bool)
    mask[1, 1:3] = True
    labels = class_map(segments_from_masks([mask], [1.0]), np.float32([[0.2, 0.8]]))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels == 1, mask)
    assert set(labels[~mask]) == {255}


def test_a_photo_without_segments_has_no_class_anywhere():
    mask = np.ones((2, 2), bool)
    segments = segments_from_masks([mask], [1.0])
    none = type(segments)(
        (5, 7), [], *(getattr(segments, f)[:0] for f in ("boxes", "areas", "scores")),
        segments.parents[:0], segments.depths[:0],
    )  # fmt: skip
    labels = class_map(none, np.zeros((0, 3), np.float32), (10, 14))
    assert labels.shape == (10, 14)
    assert (labels == 255).all()


@pytest.mark.parametrize(
    ("n_classes", "dtype", "none"), [(253, np.uint8, 255), (254, np.uint16, 65535)]
)
def test_more_than_253_classes_take_16_bits(n_classes, dtype, none):
    mask = np.zeros((2, 2), bool)
    mask[0, 0] = True
    probabilities = np.zeros((1, n_classes), np.float32)
    probabilities[0, -1] = 1
    labels = class_map(segments_from_masks([mask], [1.0]), probabilities)
    assert labels.dtype == dtype
    assert labels[0, 0] == n_classes - 1
    assert labels[1, 1] == none


def test_more_classes_than_a_picture_can_number_are_refused():
    with pytest.raises(UsageError, match="65534 classes"):
        no_class_value(65534)


def test_a_larger_map_repeats_the_nearest_point_of_the_grid():
    mask = np.zeros((2, 3), bool)
    mask[0, 2] = mask[1, 0] = True
    labels = class_map(segments_from_masks([mask], [1.0]), np.ones((1, 1), np.float32), (4, 6))
    np.testing.assert_array_equal(labels == 0, mask.repeat(2, 0).repeat(2, 1))


def test_a_map_of_another_shape_takes_the_values_at_pixel_centres():
    columns = np.zeros((1, 5), bool)
    columns[0, 2] = True
    labels = class_map(segments_from_masks([columns], [1.0]), np.ones((1, 1), np.float32), (1, 3))
    # Centres 0.83, 2.5 and 4.17 of the five pixels.
    np.testing.assert_array_equal(labels, [[255, 0, 255]])


def test_probabilities_are_a_softmax_over_classes():
    rng = np.random.default_rng(1)
    vectors, names = unit(rng.normal(size=(5, 8))), unit(rng.normal(size=(3, 8)))
    found = segment_probabilities(vectors, [name[None] for name in names], 30.0)
    logits = 30.0 * vectors.astype(np.float64) @ names.T
    wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-7)
    assert found.dtype == np.float32


def test_a_class_is_as_near_as_the_nearest_of_its_names():
    sofa, couch, cat = unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    vector = unit([[0.1, 0.9, 0.5]])
    both = segment_probabilities(vector, [np.stack([sofa, couch]), cat[None]], 10.0)
    alone = segment_probabilities(vector, [couch[None], cat[None]], 10.0)
    np.testing.assert_allclose(both, alone, rtol=1e-6)


def test_a_large_logit_scale_does_not_overflow():
    vectors = unit([[1, 0], [0, 1]])
    found = segment_probabilities(vectors, [vectors[:1], vectors[1:]], 1e4)
    np.testing.assert_allclose(found, np.eye(2))


def test_shares_count_pixels_of_classes_only():
    labels = np.uint8([[0, 0, 2, 255]])
    np.testing.assert_allclose(class_shares(labels, 3), [0.5, 0.0, 0.25])
