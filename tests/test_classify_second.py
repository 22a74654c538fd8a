"""A second model: the weighted geometric mean of both models' class probabilities."""

from __future__ import annotations

from dataclasses import replace

import class_samples
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch.classify import (
    Rule,
    Second,
    SecondModel,
    class_map,
    classify_picture,
    classify_segments,
    combine_probabilities,
    segment_probabilities,
)
from usearch.errors import UsageError
from usearch.masks import segments_from_masks

SEEDS = st.integers(0, 2**32 - 1)
WEIGHTS = st.floats(0.0, 1.0)
LINES = ["sky, heaven", "road", "tree, bush, plant"]


def distributions(rng, n=4, c=5, sharpness=3.0):
    logits = rng.normal(size=(n, c)) * sharpness
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return (shares / shares.sum(1, keepdims=True)).astype(np.float32)


@given(SEEDS, WEIGHTS)
def test_each_probability_is_the_weighted_geometric_mean_of_both(seed, weight):
    rng = np.random.default_rng(seed)
    first, second = distributions(rng), distributions(rng)
    want = first.astype(np.float64) ** (1 - weight) * second.astype(np.float64) ** weight
    got = combine_probabilities(first, second, weight)
    np.testing.assert_allclose(got, want / want.sum(1, keepdims=True), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(got.sum(1), 1.0, atol=1e-5)
    assert got.dtype == np.float32


@given(SEEDS)
def test_weight_0_is_the_first_and_weight_1_the_second_bit_by_bit(seed):
    rng = np.random.default_rng(seed)
    first, second = distributions(rng), distributions(rng)
    np.testing.assert_array_equal(combine_probabilities(first, second, 0.0), first)
    np.testing.assert_array_equal(combine_probabilities(first, second, 1.0), second)
    np.testing.assert_array_equal(combine_probabilities(first, None, 0.7), first)


def test_what_one_model_rules_out_stays_out():
    first = np.array([[1.0, 0.0, 0.0]], np.float32)
    second = np.array([[0.0, 0.5, 0.5]], np.float32)
    mixed = combine_probabilities(first, second, 0.5)
    assert np.isfinite(mixed).all()
    assert mixed.sum() == pytest.approx(1.0)
    assert combine_probabilities(first[:0], second[:0], 0.5).shape == (0, 3)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_of_0_to_1_is_refused(weight):
    one = np.ones((1, 1), np.float32)
    with pytest.raises(UsageError, match="between 0 and 1"):
        combine_probabilities(one, one, weight)


def test_probabilities_of_other_segments_are_refused():
    with pytest.raises(ValueError, match="of"):
        combine_probabilities(np.ones((2, 3), np.float32), np.ones((3, 3), np.float32), 0.5)


def two_models(seed, n=5, **kwargs):
    rng = np.random.default_rng(seed)
    segments, _, vectors = class_samples.photo(rng, n)
    classes, others = (class_samples.texts(rng, LINES, **kwargs) for _ in range(2))
    theirs = class_samples.unit(rng.normal(size=vectors.shape))
    return segments, vectors, classes, others, theirs


@given(SEEDS, WEIGHTS)
def test_a_map_of_two_models_is_that_of_their_combined_probabilities(seed, weight):
    segments, vectors, classes, others, theirs = two_models(seed)
    found = classify_segments(segments, vectors, classes, second=Second(others, weight, theirs))
    mixed = combine_probabilities(
        segment_probabilities(vectors, classes.vectors, classes.logit_scale),
        segment_probabilities(theirs, others.vectors, others.logit_scale),
        weight,
    )
    np.testing.assert_allclose(found.probabilities, mixed.max(1), atol=1e-4)
    assert (found.map() == class_map(segments, mixed)).mean() > 0.9, "but for ties of rounding"


@given(SEEDS)
def test_with_weight_0_nothing_at_all_changes(seed):
    segments, vectors, classes, others, theirs = two_models(seed, n_background=1)
    rule = Rule(unknown=0.2)
    alone = classify_segments(segments, vectors, classes, rule)
    both = classify_segments(
        segments, vectors, classes, rule, second=Second(others, 0.0, theirs * np.nan)
    )
    for name in ("labels", "segment_labels", "probabilities", "scores"):
        np.testing.assert_array_equal(getattr(both, name), getattr(alone, name))


def test_the_scale_of_each_model_is_its_own():
    segments, vectors, classes, others, theirs = two_models(1)
    sharp = replace(others, logit_scale=1000.0)
    found = classify_segments(segments, vectors, classes, second=Second(sharp, 0.5, theirs))
    alone = classify_segments(segments, theirs, others)
    np.testing.assert_array_equal(found.segment_labels, alone.segment_labels)


def test_pieces_of_what_no_segment_covers_are_named_by_both():
    rng = np.random.default_rng(3)
    classes, others = (class_samples.texts(rng, LINES) for _ in range(2))
    left = np.zeros((32, 32), bool)
    left[:, :16] = True
    segments = segments_from_masks([left], np.ones(1))
    image = np.zeros((32, 32, 3), np.uint8)

    def always(vector):
        return lambda image, segments: np.repeat(vector, len(segments), 0)

    sky, tree = (class_samples.unit(classes.vectors[i][:1]) for i in (0, 2))
    far = replace(others, vectors=classes.vectors, logit_scale=1000.0)
    second = SecondModel(always(tree), far, 0.9)
    alone = classify_picture(image, segments, always(sky), classes, Rule())
    both = classify_picture(image, segments, always(sky), classes, Rule(), second=second)
    assert (alone.map() == 0).all()
    assert (both.map() == 2).all()


def test_vectors_of_other_segments_are_refused():
    segments, vectors, classes, others, theirs = two_models(2)
    with pytest.raises(ValueError, match="vectors of a second model for 5 segments"):
        classify_segments(segments, vectors, classes, second=Second(others, 0.5, theirs[:3]))
