"""Two models, one answer: the weighted geometric mean of their class probabilities.

USE's benchmark rows add a second model, trained on labelled masks with class names, and do not
say how the two are combined. A weighted geometric mean is a weighted sum of logits before one
softmax: a class that either model rules out stays out, and the weight moves smoothly from one
model to the other.
"""

from __future__ import annotations

import numpy as np

from usearch.errors import UsageError
from usearch.records import FloatArray

_TINY = 1e-12
"""Least probability: one model's certain no costs 12 decades, not everything."""


def combine_probabilities(
    first: FloatArray, second: FloatArray | None, weight: float
) -> FloatArray:
    """Probabilities of both models as one.

        p = first^(1 - weight) * second^weight, rows scaled to sum to 1

    Args:
        first: float32 [n, C], rows sum to 1.
        second: float32 [n, C], of the same rows and classes; None where there is no second model.
        weight: Of the second model, 0..1. At 0 `first` itself is returned, bit by bit; at 1 the
            second alone counts.

    Returns:
        float32 [n, C]; rows sum to 1.

    Raises:
        UsageError: The weight is not in 0..1.
        ValueError: The shapes differ.
    """
    check_weight(weight)
    if second is None or weight == 0.0:
        return first
    if first.shape != second.shape:
        raise ValueError(f"probabilities of {first.shape} and of {second.shape}")
    if weight == 1.0:
        return second
    logs = (1.0 - weight) * np.log(np.maximum(first, _TINY).astype(np.float64))
    logs += weight * np.log(np.maximum(second, _TINY).astype(np.float64))
    logs -= logs.max(1, keepdims=True, initial=-np.inf)
    mixed = np.exp(logs)
    mixed /= mixed.sum(1, keepdims=True)
    out: FloatArray = mixed.astype(np.float32)
    return out


def check_weight(weight: float) -> None:
    """Refuse a weight that is none.

    Raises:
        UsageError: It is not in 0..1.
    """
    if not 0.0 <= weight <= 1.0:
        raise UsageError(f"a second model's weight of {weight}: it lies between 0 and 1")
