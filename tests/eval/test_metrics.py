"""Scores of class maps, rankings and intervals, against hand arithmetic and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import metrics
from eval.datasets import NO_LABEL

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, NO_LABEL]], np.uint16)
GUESS = np.array([[0, 0, 0, 1], [0, 2, 1, 2]], np.uint16)


def test_confusion_counts_labelled_pixels_only():
    matrix = metrics.confusion(TRUTH, GUESS, 3)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[3, 0, 1, 0], [1, 2, 0, 0], [0, 0, 0, 0]]


def test_a_labelled_pixel_without_prediction_is_wrong():
    matrix = metrics.confusion(TRUTH, np.full_like(TRUTH, NO_LABEL), 3)
    assert matrix[:, 3].tolist() == [4, 3, 0]
    assert metrics.map_scores(matrix).pixel_accuracy == 0.0


def test_the_two_conventions_of_mean_iou_by_hand():
    scores = metrics.map_scores(metrics.confusion(TRUTH, GUESS, 3))
    # class 0: 3 / (4 + 4 - 3), class 1: 2 / (3 + 2 - 2), class 2 only predicted: 0.
    assert scores.miou_present == pytest.approx((3 / 5 + 2 / 3) / 2)
    assert scores.miou_union == pytest.approx((3 / 5 + 2 / 3 + 0) / 3)
    assert scores.pixel_accuracy == pytest.approx(5 / 7)
    assert scores.class_accuracy == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert scores.fwiou == pytest.approx((4 * 3 / 5 + 3 * 2 / 3) / 7)
    assert scores.n_present == 2


def test_a_class_neither_labelled_nor_predicted_has_no_iou():
    scores = metrics.map_scores(metrics.confusion(TRUTH, GUESS, 4))
    assert np.isnan(scores.iou[3])
    assert scores.miou_union == pytest.approx((3 / 5 + 2 / 3 + 0) / 3)


def test_maps_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="label map"):
        metrics.confusion(TRUTH, GUESS[:, :2], 3)


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match="label 1 of 1"):
        metrics.confusion(TRUTH, GUESS, 1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64])
def test_a_prediction_may_have_any_whole_type_and_values_that_are_no_class(kind):
    wild = [[0, 0, 0, 1], [0, 200, 1, 2]]
    guess = np.array(wild, kind)
    if np.issubdtype(kind, np.signedinteger):
        guess[1, 1] = -1
    matrix = metrics.confusion(TRUTH, guess, 3)
    assert matrix.tolist() == [[3, 0, 0, 1], [1, 2, 0, 0], [0, 0, 0, 0]]


def test_class_255_of_847_is_a_class():
    truth, guess = np.full((2, 3), 255, np.uint16), np.full((2, 3), 255, np.uint8)
    assert metrics.confusion(truth, guess, 847)[255, 255] == 6


def test_a_large_photo_is_counted_whole():
    truth = np.zeros((1100, 1000), np.uint16)
    truth[-1, -1] = 1
    matrix = metrics.confusion(truth, truth.astype(np.uint8), 2)
    assert matrix.tolist() == [[1_099_999, 0, 0], [0, 1, 0]]


def test_a_tally_has_the_whole_confusion_and_every_photos_sums():
    tally = metrics.MapTally(3)
    tally.add(TRUTH, GUESS)
    tally.add(TRUTH[:, :2], TRUTH[:, :2])
    assert len(tally) == 2
    assert tally.matrix.tolist() == [[7, 0, 1, 0], [1, 2, 0, 0], [0, 0, 0, 0]]
    assert tally.sums().dense(0, 2).tolist() == [
        [3, 2, 0, 4, 3, 0, 4, 2, 1],
        [4, 0, 0, 4, 0, 0, 4, 0, 0],
    ]


@given(st.integers(1, 9), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_statistics_of_sums_are_the_scores_of_the_matrix(n_classes, seed):
    rng = np.random.default_rng(seed)
    tally = metrics.MapTally(n_classes)
    for _ in range(3):
        truth, guess = rng.integers(0, n_classes + 1, (2, 6, 7)).astype(np.uint16)
        tally.add(np.where(truth == n_classes, NO_LABEL, truth).astype(np.uint16), guess)
    sums, scores = tally.sums().total(), metrics.map_scores(tally.matrix)
    if not scores.n_present:
        return
    assert metrics.miou_present_of(sums) == pytest.approx(scores.miou_present)
    assert metrics.miou_union_of(sums) == pytest.approx(scores.miou_union)
    assert metrics.fwiou_of(sums) == pytest.approx(scores.fwiou)
    assert metrics.pixel_accuracy_of(sums) == pytest.approx(scores.pixel_accuracy)
    assert metrics.class_accuracy_of(sums) == pytest.approx(scores.class_accuracy)
    given_a_class = tally.matrix[:, :-1].sum() / tally.matrix.sum()
    assert metrics.covered_of(sums) == pytest.approx(given_a_class)


def test_scikit_learn_agrees_on_iou_and_accuracy():
    judge = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 7, (60, 80)).astype(np.uint16)
    guess = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 7, truth.shape))
    truth[:5] = NO_LABEL
    scores = metrics.map_scores(metrics.confusion(truth, guess.astype(np.uint16), 7))
    labelled = truth != NO_LABEL
    pair = truth[labelled], guess[labelled]
    np.testing.assert_allclose(scores.iou, judge.jaccard_score(*pair, average=None))
    assert scores.pixel_accuracy == pytest.approx(judge.accuracy_score(*pair))
    assert scores.class_accuracy == pytest.approx(judge.balanced_accuracy_score(*pair))
    assert scores.fwiou == pytest.approx(judge.jaccard_score(*pair, average="weighted"))


def test_per_photo_sums_give_the_mean_iou_of_the_whole_set():
    rng = np.random.default_rng(0)
    matrices = [
        metrics.confusion(*rng.integers(0, 5, (2, 20, 20)).astype(np.uint16), 6) for _ in range(4)
    ]
    whole = metrics.map_scores(np.sum(matrices, axis=0)).miou_present
    assert metrics.miou_present_of(metrics.iou_sums(matrices).sum(0)) == pytest.approx(whole)


def test_ranks_start_at_zero_and_share_ties():
    scores = np.array([[0.1, 0.9, 0.5], [0.5, 0.5, 0.5], [0.2, np.nan, 0.1]])
    assert metrics.true_ranks(scores, np.array([2, 0, 1])).tolist() == [1, 1, 2]


def test_equal_scores_for_all_names_are_no_better_than_chance():
    ranks = metrics.true_ranks(np.zeros((10, 5)), np.arange(10) % 5)
    assert metrics.topk_accuracy(ranks, 1) == 0.0


@given(st.integers(1, 8), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_top_k_grows_with_k_and_ends_at_one(n_classes, seed):
    rng = np.random.default_rng(seed)
    ranks = metrics.true_ranks(rng.random((20, n_classes)), rng.integers(0, n_classes, 20))
    shares = [metrics.topk_accuracy(ranks, k) for k in range(1, n_classes + 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_class_mean_weighs_names_equally():
    classes = np.array([0, 0, 0, 0, 1])
    sums = metrics.class_sums([1, 1, 1, 1, 0], np.array([0, 0, 1, 1, 2]), classes, 3)
    assert metrics.share_of(sums.sum(0)) == pytest.approx(0.8)
    assert metrics.class_mean_of(sums.sum(0)) == pytest.approx(0.5)


def test_an_interval_of_independent_photos_matches_theory():
    rng = np.random.default_rng(1)
    hits = (rng.random(900) < 0.3).astype(float)
    sums = metrics.hit_sums(hits, np.arange(900))
    interval = metrics.bootstrap_interval(sums, metrics.share_of, rounds=4000)
    half = 1.96 * np.sqrt(hits.mean() * (1 - hits.mean()) / 900)
    assert interval.low == pytest.approx(hits.mean() - half, abs=0.004)
    assert interval.high == pytest.approx(hits.mean() + half, abs=0.004)


def test_regions_of_one_photo_widen_the_interval():
    hits = np.repeat([0.0, 1.0] * 10, 10)
    alone = metrics.bootstrap_interval(metrics.hit_sums(hits, np.arange(200)), metrics.share_of)
    together = metrics.bootstrap_interval(
        metrics.hit_sums(hits, np.repeat(np.arange(20), 10)), metrics.share_of
    )
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_a_small_steady_gain_shows_only_when_paired():
    rng = np.random.default_rng(2)
    theirs = np.stack((rng.integers(0, 11, 100), np.full(100, 20)), axis=1).astype(float)
    ours = theirs + np.array([1.0, 0.0])
    gain = metrics.paired_interval(ours, theirs, metrics.share_of)
    assert gain.low == pytest.approx(0.05)
    assert gain.high == pytest.approx(0.05)
    alone = metrics.bootstrap_interval(theirs, metrics.share_of)
    assert alone.high - alone.low > 0.05


def test_pairing_different_photos_is_refused():
    with pytest.raises(ValueError, match="cannot be paired"):
        metrics.paired_interval(np.ones((3, 2)), np.ones((4, 2)), metrics.share_of)


def test_the_same_seed_gives_the_same_interval():
    sums = metrics.hit_sums(np.random.default_rng(0).random(400), np.arange(400) // 4)
    first = metrics.bootstrap_interval(sums, metrics.share_of, seed=7)
    assert first == metrics.bootstrap_interval(sums, metrics.share_of, seed=7)
    assert first != metrics.bootstrap_interval(sums, metrics.share_of, seed=8)
