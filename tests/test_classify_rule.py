"""The rule that gives pixels their classes, against the rule written pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import class_samples
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch.classify import Rule, class_scores, classify_segments, shares_of
from usearch.scores import match_scores

SEEDS = st.integers(0, 2**32 - 1)
LINES = ["sky, heaven", "road", "tree, bush, plant"]


@given(SEEDS, st.integers(1, 6), st.integers(0, 2), st.sampled_from([0.0, 0.02, 0.2, 0.6]))
def test_the_map_is_what_the_rule_says_of_each_pixel(seed, n, n_background, unknown):
    rng = np.random.default_rng(seed)
    classes = class_samples.texts(rng, LINES, n_background)
    segments, masks, vectors = class_samples.photo(rng, n)
    found = classify_segments(segments, vectors, classes, Rule(unknown))
    wanted = class_samples.slow_rule(masks, vectors, classes, unknown)
    np.testing.assert_array_equal(found.map(), wanted)


@given(SEEDS, st.integers(0, 5), st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_shares_are_those_of_the_pixels_of_the_map_at_any_size(seed, n, size):
    rng = np.random.default_rng(seed)
    classes = class_samples.texts(rng, LINES, 1)
    segments, _, vectors = class_samples.photo(rng, max(n, 1))
    found = classify_segments(segments, vectors, classes, Rule(0.3))
    labels = found.map(size)
    shares = shares_of(found, size)
    assert labels.shape == size
    counted = [np.mean(labels == value) for value in (0, 1, 2, 253, 254, 255)]
    told = [*shares.classes, shares.background, shares.unknown, shares.none]
    np.testing.assert_allclose(told, counted, atol=1e-12)
    assert shares.covered == pytest.approx(1.0 - shares.none)
    assert shares.filled == 0.0


def test_a_photo_without_segments_has_no_class_anywhere():
    rng = np.random.default_rng(0)
    classes = class_samples.texts(rng, LINES)
    segments, _, vectors = class_samples.photo(rng, 1)
    nothing = replace(
        segments, rles=[], boxes=segments.boxes[:0], areas=segments.areas[:0],
        scores=segments.scores[:0], parents=segments.parents[:0], depths=segments.depths[:0],
    )  # fmt: skip
    found = classify_segments(nothing, vectors[:0], classes)
    assert (found.map() == 255).all()
    assert shares_of(found).none == 1.0
    assert len(found.segment_labels) == 0


@given(SEEDS, st.integers(1, 6))
def test_a_segment_by_itself_has_the_nearest_class_with_share_and_score(seed, n):
    rng = np.random.default_rng(seed)
    classes = class_samples.texts(rng, LINES, 1)
    segments, _, vectors = class_samples.photo(rng, n)
    found = classify_segments(segments, vectors, classes)
    for row, vector in enumerate(vectors):
        names = [*classes.vectors, *classes.background]
        near = np.array([(one @ vector).max() for one in names], np.float64)
        best = int(near.argmax())
        assert found.segment_labels[row] == (best if best < 3 else 253)
        odds = np.exp(classes.logit_scale * near)
        assert found.probabilities[row] == pytest.approx(odds[best] / odds.sum(), rel=1e-4)
        if best < 3:
            scores = [match_scores(name, vectors, classes.contrast)[row] for name in names[best]]
            assert found.scores[row] == pytest.approx(max(scores), rel=1e-4)


@given(SEEDS, st.integers(0, 6))
def test_scores_of_a_list_are_those_of_queries(seed, n_contrast):
    rng = np.random.default_rng(seed)
    classes = class_samples.texts(rng, LINES, contrast=max(n_contrast, 1))
    contrast = classes.contrast
    if n_contrast == 0:
        contrast = replace(contrast, vectors=contrast.vectors[:0])
    # A background word of the same meaning is no contrast to it.
    classes.vectors[0][0] = classes.contrast.vectors[0]
    vectors = class_samples.unit(rng.normal(size=(4, class_samples.DIM)))
    found = class_scores(vectors, classes.vectors, contrast)
    for column, names in enumerate(classes.vectors):
        wanted = np.max([match_scores(name, vectors, contrast) for name in names], axis=0)
        np.testing.assert_allclose(found[:, column], wanted, rtol=1e-5, atol=1e-7)


def test_what_a_contrast_class_wins_is_background_and_no_class():
    rng = np.random.default_rng(1)
    classes = class_samples.texts(rng, ["sky"], 1)
    segments, masks, _ = class_samples.photo(rng, 2)
    vectors = np.concatenate([classes.vectors[0], classes.background[0]])
    found = classify_segments(segments, vectors, classes)
    assert found.segment_labels.tolist() == [0, 253]
    only_second = masks[1] & ~masks[0]
    assert (found.map()[only_second] == 253).all()
    alone = classify_segments(segments, vectors, replace(classes, background=[]))
    assert set(np.unique(alone.map())) <= {0, 255}


def test_a_higher_threshold_only_turns_classes_into_unknown():
    rng = np.random.default_rng(2)
    classes = class_samples.texts(rng, LINES, 1)
    segments, _, vectors = class_samples.photo(rng, 6)
    plain = classify_segments(segments, vectors, classes).map()
    seen = []
    for unknown in (0.0, 0.05, 0.2, 0.5, 1.0):
        labels = classify_segments(segments, vectors, classes, Rule(unknown)).map()
        changed = labels != plain
        assert (labels[changed] == 254).all()
        assert (plain[changed] < 3).all()
        seen.append(changed.sum())
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == (plain < 3).sum()


def test_without_a_contrast_nothing_can_be_unknown():
    rng = np.random.default_rng(3)
    classes = replace(class_samples.texts(rng, LINES), contrast=None)
    segments, _, vectors = class_samples.photo(rng, 2)
    assert classify_segments(segments, vectors, classes).scores is None
    with pytest.raises(ValueError, match="unknown"):
        classify_segments(segments, vectors, classes, Rule(0.1))
