"""Evidence becomes a probability: the fit, its judge, and where matching ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.calibration import (
    bin_numbers,
    calibration_error,
    calibration_sums,
    error_of,
    even_cutoff,
    fit_platt,
    reliability_of,
    separation,
)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_the_fitted_curve_finds_the_odds_that_made_the_answers():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 20, 20000)
    right = rng.random(20000) < logistic(0.17 * x - 0.8)
    slope, bias = fit_platt(x, right)
    assert slope == pytest.approx(0.17, abs=0.01)
    assert bias == pytest.approx(-0.8, abs=0.1)


def test_weights_are_as_good_as_repeated_answers():
    rng = np.random.default_rng(1)
    x, right = rng.normal(size=200), rng.random(200) < 0.4
    times = rng.integers(1, 4, 200)
    repeated = fit_platt(x.repeat(times), right.repeat(times))
    assert fit_platt(x, right, times.astype(float)) == pytest.approx(repeated, abs=1e-3)


def test_fitting_lowers_the_calibration_error_on_other_answers():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 2, 8000)
    right = rng.random(8000) < logistic(0.5 * x - 2)
    slope, bias = fit_platt(x[::2], right[::2])
    raw = calibration_error(logistic(x)[1::2], right[1::2])
    assert calibration_error(logistic(slope * x + bias)[1::2], right[1::2]) < 0.25 * raw


def test_answers_of_one_kind_cannot_be_fitted():
    with pytest.raises(ValueError, match="right and wrong"):
        fit_platt(np.zeros(3), np.ones(3, bool))


def test_the_error_of_perfect_certainty_is_zero():
    right = np.array([True, False] * 50)
    assert calibration_error(right.astype(float), right) == 0


def test_the_error_is_the_mean_gap_over_the_bins():
    scores = np.array([0.2, 0.2, 0.2, 0.2, 0.9, 0.9])
    right = np.array([True, False, True, False, True, True])
    error = calibration_error(scores, right, bins=2)
    assert error == pytest.approx((4 * abs(0.2 - 0.5) + 2 * abs(0.9 - 1.0)) / 6)


@given(arrays(float, st.integers(1, 60), elements=st.floats(0, 1, width=16)))
def test_bins_are_ranges_of_scores_and_equal_scores_stay_together(scores):
    numbers = bin_numbers(scores, bins=5)
    order = np.argsort(scores)
    assert (np.diff(numbers[order]) >= 0).all()
    assert all(len(set(numbers[scores == s])) == 1 for s in scores)


def test_bins_of_distinct_scores_are_filled_evenly():
    scores = np.random.default_rng(2).permutation(np.linspace(0, 1, 100))
    np.testing.assert_array_equal(np.bincount(bin_numbers(scores, bins=10)), 10)


def test_sums_over_photos_give_the_error_of_all_together():
    rng = np.random.default_rng(3)
    scores, right, photos = rng.random(300), rng.random(300) < 0.3, rng.integers(0, 7, 300)
    sums = calibration_sums(scores, right, photos)
    assert len(sums) == 7
    assert error_of(sums.sum(0)) == pytest.approx(calibration_error(scores, right))
    said, so = reliability_of(sums.sum(0))
    assert said.mean() == pytest.approx(scores.mean())
    assert so.mean() == pytest.approx(right.mean())


def test_the_even_cutoff_misses_as_often_as_it_is_fooled():
    present, absent = np.array([0.9, 0.8, 0.7, 0.2]), np.array([0.75, 0.3, 0.1, 0.05])
    cutoff = even_cutoff(present, absent)
    assert (present < cutoff).mean() == (absent >= cutoff).mean() == 0.25


def test_an_even_cutoff_needs_questions_of_both_kinds():
    with pytest.raises(ValueError, match="with and without"):
        even_cutoff(np.array([0.5]), np.zeros(0))


def test_separation_is_the_chance_that_the_present_one_is_above():
    assert separation(np.array([0.9, 0.4]), np.array([0.5, 0.4])) == (2 + 0.5) / 4
