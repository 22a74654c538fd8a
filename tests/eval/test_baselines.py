"""Namings that know little: they must learn what they can and no more."""

from pathlib import Path

import numpy as np
import pytest

from eval import baselines, metrics
from eval.naming import PhotoRegions
from usearch import masks


def test_features_of_a_region_by_hand():
    image = np.zeros((10, 20, 3), np.uint8)
    mask = np.zeros((10, 20), bool)
    mask[2:6, 10:20] = True
    image[mask] = (255, 51, 0)
    segments = masks.segments_from_masks([mask], [1.0])
    found = baselines.colour_and_place(image, segments)[0]
    expected = [1, 0.2, 0, 15 / 20, 4 / 10, 10 / 20, 4 / 10, np.log(40 / 200), np.log(10 / 4)]
    np.testing.assert_allclose(found, expected)


def test_features_of_all_photos_keep_their_order():
    mask = np.ones((4, 4), bool)
    photos = [
        PhotoRegions(Path(str(i)), masks.segments_from_masks([mask], [1]), ("a",), np.ones(1, bool))
        for i in (3, 5)
    ]
    found = baselines.colour_and_place_of(
        photos, read=lambda path: np.full((4, 4, 3), 51 * int(str(path)), np.uint8)
    )
    np.testing.assert_allclose(found[:, 0], [0.6, 1.0])


def test_what_colour_tells_is_learned_from_other_photos():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    features = baselines.with_products(rng.normal(size=(300, 2)) + 4 * np.eye(3)[labels, :2])
    scores = baselines.other_photos_scores(features, labels, np.arange(300) // 3, 3)
    assert metrics.topk_accuracy(metrics.true_ranks(scores, labels), 1) > 0.9


def test_a_photo_never_teaches_itself():
    # Each photo has a class of its own: nothing in the others can tell it.
    photos = np.repeat(np.arange(30), 4)
    features = baselines.with_products(np.repeat(np.eye(30), 4, axis=0)[:, :5])
    scores = baselines.other_photos_scores(features, photos, photos, 30)
    assert metrics.topk_accuracy(metrics.true_ranks(scores, photos), 1) < 0.1


def test_a_constant_feature_is_no_division_by_zero():
    found = baselines.with_products(np.ones((5, 2)))
    assert np.isfinite(found).all()


def test_regression_finds_the_optimum_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 200)
    features = rng.normal(size=(200, 4)) + np.eye(4)[labels]
    decay = 0.01
    ours = features @ baselines.fit_softmax(features, labels, 3, decay)
    judge = linear.LogisticRegression(
        C=1 / (2 * decay * 200), fit_intercept=False, tol=1e-8, max_iter=1000
    ).fit(features, labels)
    share = np.exp(ours) / np.exp(ours).sum(1, keepdims=True)
    np.testing.assert_allclose(share, judge.predict_proba(features), atol=2e-3)
