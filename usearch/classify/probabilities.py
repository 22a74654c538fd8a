"""Segments x classes: softmax over the classes, and scores that do not depend on the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch.records import FloatArray
from usearch.scores import logistic, share_log_odds

if TYPE_CHECKING:
    from usearch.scores import Contrast


def segment_probabilities(
    vectors: FloatArray, class_vectors: Sequence[FloatArray], logit_scale: float
) -> FloatArray:
    """Softmax over classes of each segment.

    Args:
        vectors: float32 [n, D], unit length.
        class_vectors: C arrays float32 [m, D] with m >= 1: the names of one class. The
            nearest name stands for the class.
        logit_scale: What cosines are multiplied by before the softmax.

    Returns:
        float32 [n, C]; rows sum to 1.
    """
    return softmax(class_logits(vectors, class_vectors, logit_scale))


def class_logits(
    vectors: FloatArray, class_vectors: Sequence[FloatArray], logit_scale: float
) -> FloatArray:
    """float32 [n, C]: logit scale x cosine of the nearest name of each class."""
    starts = np.cumsum([0] + [len(names) for names in class_vectors])[:-1]
    cosines = vectors @ np.concatenate(list(class_vectors)).T
    nearest = logit_scale * np.maximum.reduceat(cosines, starts, axis=1)
    logits: FloatArray = nearest.astype(np.float32, copy=False)
    return logits


def softmax(logits: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """float32 [n, C]; rows sum to 1."""
    exp = np.exp(logits - logits.max(1, keepdims=True))
    exp /= exp.sum(1, keepdims=True)
    shares: FloatArray = exp.astype(np.float32, copy=False)
    return shares


def class_scores(
    vectors: FloatArray, class_vectors: Sequence[FloatArray], contrast: Contrast
) -> FloatArray:
    """How well each class explains each segment, whatever else is on the list.

    The score of a query (`usearch.scores.match_scores`) of each name; the best name counts.
    All names share one product with the background.

    Args:
        vectors: float32 [n, D], unit length.
        class_vectors: C arrays float32 [m, D] with m >= 1: the names of one class.
        contrast: Background vocabulary and calibration of the same space.

    Returns:
        float32 [n, C] in 0..1.
    """
    calibration = contrast.calibration
    names = np.concatenate(list(class_vectors))
    odds = share_log_odds(names, vectors, contrast.vectors, calibration.logit_scale)
    scores = logistic(calibration.slope * odds + calibration.bias)
    starts = np.cumsum([0] + [len(one) for one in class_vectors])[:-1]
    best: FloatArray = np.maximum.reduceat(scores, starts, axis=1).astype(np.float32)
    return best
