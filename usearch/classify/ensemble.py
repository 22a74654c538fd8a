"""Two models, one answer: the weighted geometric mean of their class probabilities.

USE's benchmark rows add a second model, trained on labelled masks with class names, and do not
say how the two are combined. A weighted geometric mean is a weighted sum of logits before one
softmax: a class that either model rules out stays out, and the weight moves smoothly from one
model to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from usearch.errors import UsageError
from usearch.records import FloatArray, Image, Segments

if TYPE_CHECKING:
    from usearch.classify.texts import ClassTexts

DEFAULT_SECOND_WEIGHT = 0.5
"""Both models count alike: there is no published weight."""

_TINY = float(np.finfo(np.float32).tiny)
"""Least probability: what has run out of float32 still has a logarithm."""


@dataclass(frozen=True, slots=True)
class Second:
    """What a second model says of the segments of one photo.

    Attributes:
        texts: The same classes, in the second model's own space.
        weight: Of the second model, 0..1.
        vectors: float32 [n, D2], unit length: of the segments.
        piece_vectors: float32 [m, D2], of the pieces of what no segment covers, where there are
            any.
    """

    texts: ClassTexts
    weight: float
    vectors: FloatArray
    piece_vectors: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class SecondModel:
    """A second model for pictures.

    Attributes:
        embed: As `indexer.embedders.Embedder.embed`.
        texts: The classes in its space.
        weight: Of it, 0..1.
    """

    embed: Callable[[Image, Segments], FloatArray]
    texts: ClassTexts
    weight: float

    def look(self, image: Image, segments: Segments, pieces: Segments | None) -> Second:
        """What it says of the segments of a picture, and of the pieces."""
        vectors = self.embed(image, segments)
        if not pieces:
            return Second(self.texts, self.weight, vectors)
        return Second(self.texts, self.weight, vectors, self.embed(image, pieces))


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


def combine_logits(first: FloatArray, second: FloatArray | None, weight: float) -> FloatArray:
    """As `combine_probabilities`, before the softmax of each: the sum of a softmax cancels.

    Args:
        first: float32 [n, C].
        second: float32 [n, C]; None where there is no second model.
        weight: Of the second model, 0..1.

    Returns:
        float32 [n, C], whose softmax is the weighted geometric mean; `first` itself at 0.

    Raises:
        UsageError: The weight is not in 0..1.
    """
    check_weight(weight)
    if second is None or weight == 0.0:
        return first
    mixed: FloatArray = np.float32(1.0 - weight) * first + np.float32(weight) * second
    return mixed


def check_weight(weight: float) -> None:
    """Refuse a weight that is none.

    Raises:
        UsageError: It is not in 0..1.
    """
    if not 0.0 <= weight <= 1.0:
        raise UsageError(f"a second model's weight of {weight}: it lies between 0 and 1")
