"""From evidence to a probability that people can read, and how far to trust it.

A logistic curve over one number (Platt scaling) is fitted on some photos and judged on
others. All functions take plain arrays, and weights, so that small and large collections
can count the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def fit_platt(
    evidence: Doubles, right: Flags, weights: Doubles | None = None
) -> tuple[float, float]:
    """Slope and bias of the logistic curve of greatest likelihood.

    Args:
        evidence: float64 [n].
        right: bool [n].
        weights: float64 [n]; None = all the same.

    Raises:
        ValueError: All answers are right, or none is: nothing can be fitted.
    """
    if right.all() or not right.any():
        raise ValueError("a curve needs right and wrong answers")
    sign = np.where(right, 1.0, -1.0)
    weight = _weights(weights, len(right))
    # Centred and scaled, or the search for the optimum stops early.
    middle, spread = float(evidence.mean()), max(float(evidence.std()), 1e-12)
    scaled = (evidence - middle) / spread

    def loss(p: Doubles) -> float:
        return float(weight @ np.logaddexp(0.0, -sign * (p[0] * scaled + p[1])))

    slope, bias = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(slope / spread), float(bias - slope * middle / spread)


def bin_numbers(scores: Doubles, weights: Doubles | None = None, bins: int = 10) -> Numbers:
    """Number of the bin of each score, int64 [n]: ranges of scores of about equal weight.

    Equal scores are never split, so some of the `bins` may be empty.
    """
    weight = _weights(weights, len(scores))
    order = np.argsort(scores, kind="stable")
    filled = np.cumsum(weight[order]) - weight[order]
    number = np.minimum((filled * bins + 1e-9).astype(np.int64), bins - 1)
    first = np.concatenate(([True], np.diff(scores[order]) > 0))
    out = np.empty(len(scores), np.int64)
    out[order] = number[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    return out


def calibration_sums(
    scores: Doubles,
    right: Flags,
    photos: Numbers,
    weights: Doubles | None = None,
    bins: int = 10,
) -> Doubles:
    """What each photo adds to each bin, for `error_of` and `shares_right_of`.

    Args:
        scores: float64 [n] in 0..1.
        right: bool [n].
        photos: int64 [n], number of the photo of each, from 0.
        weights: float64 [n]; None = all the same.
        bins: Bins of about equal weight.

    Returns:
        float64 [P, 3 * bins]: weights, then weighted scores, then weighted right ones.
    """
    weight = _weights(weights, len(scores))
    number = bin_numbers(scores, weight, bins)
    out = np.zeros((3, int(photos.max(initial=-1)) + 1, bins))
    for i, values in enumerate((weight, weight * scores, weight * right)):
        np.add.at(out[i], (photos, number), values)
    return np.concatenate(tuple(out), axis=1)


def error_of(sums: Doubles) -> Doubles:
    """Expected calibration error, of sums [..., 3 * bins]: mean gap of score and share right."""
    weight, said, so = np.split(sums, 3, axis=-1)
    error: Doubles = np.abs(said - so).sum(-1) / np.maximum(weight.sum(-1), 1e-300)
    return error


def reliability_of(sums: Doubles) -> tuple[Doubles, Doubles]:
    """Mean score and share right of each bin, [..., bins] each; 0 where a bin is empty."""
    weight, said, so = np.split(sums, 3, axis=-1)
    filled = weight > 0
    empty = np.zeros(weight.shape)
    return (
        np.divide(said, weight, out=empty.copy(), where=filled),
        np.divide(so, weight, out=empty, where=filled),
    )


def calibration_error(
    scores: Doubles, right: Flags, weights: Doubles | None = None, bins: int = 10
) -> float:
    """Expected calibration error over bins of about equal weight."""
    return float(
        error_of(calibration_sums(scores, right, np.zeros(len(scores), int), weights, bins).sum(0))
    )


def even_cutoff(present: Doubles, absent: Doubles) -> float:
    """The value where as large a share of `present` is missed as of `absent` is let through.

    Args:
        present: Best values where there is something to find.
        absent: Best values where there is nothing.

    Raises:
        ValueError: One of the two is empty.
    """
    if not len(present) or not len(absent):
        raise ValueError("a cut-off needs questions with and without an answer")
    values = np.unique(np.concatenate((present, absent)))
    missed = np.searchsorted(np.sort(present), values, side="left") / len(present)
    passed = 1.0 - np.searchsorted(np.sort(absent), values, side="left") / len(absent)
    return float(values[np.abs(missed - passed).argmin()])


def separation(present: Doubles, absent: Doubles) -> float:
    """Probability that a value drawn from `present` is above one drawn from `absent` (AUC)."""
    ordered = np.sort(absent)
    below = np.searchsorted(ordered, present, side="left")
    equal = np.searchsorted(ordered, present, side="right") - below
    return float((below + 0.5 * equal).mean() / len(absent))


def _weights(weights: Doubles | None, n: int) -> Doubles:
    plain = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    normed: Doubles = plain / plain.sum()
    return normed
