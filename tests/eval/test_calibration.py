"""Scores become probabilities: the fit, its judge, and the cut-off."""

import numpy as np
import pytest

from eval.calibration import best_cutoff, calibration_error, fit_platt, log_odds_of


def test_the_fitted_curve_finds_the_odds_that_made_the_answers():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, 20000)
    right = rng.random(20000) < 1 / (1 + np.exp(-(1.7 * x - 0.8)))
    slope, bias = fit_platt(x, right)
    assert slope == pytest.approx(1.7, abs=0.1)
    assert bias == pytest.approx(-0.8, abs=0.1)


def test_fitting_lowers_the_calibration_error_on_other_answers():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 2, 8000)
    right = rng.random(8000) < 1 / (1 + np.exp(-(0.5 * x - 2)))
    slope, bias = fit_platt(x[::2], right[::2])
    raw = 1 / (1 + np.exp(-x))
    fitted = 1 / (1 + np.exp(-(slope * x + bias)))
    assert calibration_error(fitted[1::2], right[1::2]) < 0.25 * calibration_error(
        raw[1::2], right[1::2]
    )


def test_answers_of_one_kind_cannot_be_fitted():
    with pytest.raises(ValueError, match="right and wrong"):
        fit_platt(np.zeros(3), np.ones(3, bool))


def test_the_error_of_perfect_certainty_is_zero():
    right = np.array([True, False] * 50)
    assert calibration_error(right.astype(float), right) == 0


def test_the_cutoff_separates_what_can_be_separated():
    scores = np.array([0.9, 0.8, 0.3, 0.2, 0.1])
    cutoff, f1 = best_cutoff(scores, np.array([True, True, False, False, False]))
    assert cutoff == 0.8
    assert f1 == 1.0


def test_log_odds_are_those_of_the_softmax_share():
    rng = np.random.default_rng(2)
    segments, names, background = (
        (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)
        for v in (rng.normal(size=(4, 8)), rng.normal(size=(3, 8)), rng.normal(size=(6, 8)))
    )
    found = log_odds_of(segments, names, background, 10.0, same=2.0)
    for i in range(4):
        for c in range(3):
            own = np.exp(10.0 * segments[i] @ names[c])
            share = own / (own + np.exp(10.0 * background @ segments[i]).sum())
            assert found[i, c] == pytest.approx(np.log(share / (1 - share)), abs=1e-4)


def test_another_name_of_the_query_is_no_contrast():
    name = np.array([[1.0, 0.0]], np.float32)
    background = np.array([[0.999, 0.04], [0.0, 1.0]], np.float32)
    segment = np.array([[1.0, 0.0]], np.float32)
    with_twin = log_odds_of(segment, name, background, 30.0, same=2.0)
    without = log_odds_of(segment, name, background, 30.0, same=0.9)
    assert without > 20
    assert with_twin < 1
