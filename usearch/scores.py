"""Scores: how likely it is that a segment shows what was asked for, in 0..1.

Ranking is by cosine and not decided here. A score is what a person reads, and the cut-off is
where "nothing here matches" begins. docs/scores.md has the reasons and the figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from usearch.models.presets import Calibration
    from usearch.records import FloatArray
    from usearch.text import TextEncoder

Scores = npt.NDArray[np.float64]
Strength = Literal["weak", "fair", "good"]

SAME_MEANING = 0.9
"""Background words nearer than this cosine to the query are no contrast to it, but another
name of it ("puppy" for "dog"), and are left out."""

USUAL_SEGMENTS = 1000
"""Segments searched at which a cut-off holds as the calibration states it."""

HIGHEST_CUTOFF = 0.5
"""What is likelier right than wrong is a match, however many segments there are."""

STRONG = 0.66
"""From here on a match is shown as a good one."""

_TINY = 1e-300
"""Less than this a sum of odds is not: its logarithm stays finite."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """What queries are scored against: the background vocabulary of a preset.

    Attributes:
        vectors: float32 [B, D], unit length; B may be 0.
        calibration: Of the preset that `vectors` are from.
    """

    vectors: FloatArray
    calibration: Calibration


def load_contrast(
    encoder: TextEncoder,
    calibration: Calibration,
    templates: Sequence[str],
    cache_dir: Path | None = None,
) -> Contrast:
    """Contrast of a preset, its vectors taken from the cache where they are known."""
    from usearch.text.embed import embed_names

    names = list(calibration.background)
    if not names:
        return Contrast(np.zeros((0, encoder.space.dim), np.float32), calibration)
    return Contrast(embed_names(encoder, names, templates, cache_dir), calibration)


def match_scores(query: FloatArray, vectors: FloatArray, contrast: Contrast) -> Scores:
    """How likely segments show what a text says, as a calibrated probability.

    Args:
        query: float32 [D], unit length.
        vectors: float32 [n, D] of segments, unit length.
        contrast: Background vocabulary and calibration of the same space.

    Returns:
        float64 [n] in 0..1.
    """
    calibration = contrast.calibration
    odds = share_log_odds(query[None], vectors, contrast.vectors, calibration.logit_scale)
    return logistic(calibration.slope * odds[:, 0] + calibration.bias)


def share_log_odds(
    queries: FloatArray, vectors: FloatArray, background: FloatArray, scale: float
) -> Scores:
    """Log odds of the share of a softmax that each query takes against the background.

    The share is p = exp(s cos) / (exp(s cos) + sum over the background of exp(s cos')), its log
    odds are s cos - log sum exp(s cos'). Without a background they are s cos.

    Args:
        queries: float32 [q, D], unit length.
        vectors: float32 [n, D] of segments, unit length.
        background: float32 [B, D], unit length.
        scale: Logit scale s.

    Returns:
        float64 [n, q].
    """
    own: Scores = scale * (vectors @ queries.T).astype(np.float64)
    rivals = background @ queries.T < SAME_MEANING
    if not rivals.any() or not len(vectors):
        return own
    logits = scale * (vectors @ background.T).astype(np.float64)
    top = logits.max(1, keepdims=True)
    sums = np.exp(logits - top) @ rivals.astype(np.float64)
    rest = top + np.log(np.maximum(sums, _TINY))
    # A query that means the same as every background word competes with none.
    return np.where(rivals.any(0), own - rest, own)


def visual_scores(query: FloatArray, vectors: FloatArray, calibration: Calibration) -> Scores:
    """How likely segments show the same kind of thing as a segment of a picture.

    Two segments have no vocabulary to compete with: a logistic curve over their cosine.

    Args:
        query: float32 [D], unit length, of the segment that is asked for.
        vectors: float32 [n, D] of segments, unit length.
        calibration: Of the preset whose vectors these are.

    Returns:
        float64 [n] in 0..1.
    """
    cosines = (vectors @ query).astype(np.float64)
    return logistic(calibration.look_slope * cosines + calibration.look_bias)


def text_cutoff(calibration: Calibration, segments: int) -> float:
    """Score below which a hit of a text is no match, among so many segments."""
    return _grown(calibration.cutoff, calibration.cutoff_growth, segments)


def visual_cutoff(calibration: Calibration, segments: int) -> float:
    """As `text_cutoff`, for a question with a segment of a picture."""
    return _grown(calibration.look_cutoff, calibration.look_cutoff_growth, segments)


def _grown(cutoff: float, growth: float, segments: int) -> float:
    """The more segments there are, the better the best wrong one looks: so rises the cut-off."""
    if not 0.0 < cutoff < HIGHEST_CUTOFF:
        return cutoff
    logit = math.log(cutoff / (1.0 - cutoff))
    logit += growth * math.log(max(segments, 1) / USUAL_SEGMENTS)
    return min(HIGHEST_CUTOFF, float(logistic(np.float64(logit))))


def strength(score: float, cutoff: float) -> Strength:
    """How a score is shown: a good match, an ordinary one, or weak, below where matching ends."""
    return "weak" if score < cutoff else "good" if score >= STRONG else "fair"


def logistic(x: npt.ArrayLike) -> Scores:
    """1 / (1 + exp(-x)) without overflow."""
    curve: Scores = 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, np.float64)))
    return curve
