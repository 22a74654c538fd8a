"""Scores: how likely it is that a segment shows what was asked for, in 0..1.

Ranking is by cosine and not decided here. A score is what a person reads, and where
"nothing here matches" begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from usearch.models.presets import Calibration
    from usearch.records import FloatArray
    from usearch.text import TextEncoder

SAME_MEANING = 0.9
"""Background words nearer than this cosine to the query are no contrast to it, but another
name of it ("puppy" for "dog"), and are left out."""


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


def match_scores(
    query: FloatArray, vectors: FloatArray, contrast: Contrast
) -> npt.NDArray[np.float64]:
    """How well a query explains each segment, as a calibrated probability.

    The query takes the share p = exp(s cos) / (exp(s cos) + sum over the background of
    exp(s cos')) of a softmax with logit scale s. The score is the logistic function of
    slope * logit(p) + bias, fitted on photos with known content.

    Args:
        query: float32 [D], unit length.
        vectors: float32 [n, D] of segments, unit length.
        contrast: Background vocabulary and calibration of the same space.

    Returns:
        float64 [n] in 0..1.
    """
    calibration = contrast.calibration
    own = calibration.logit_scale * (vectors @ query).astype(np.float64)
    rivals = contrast.vectors[contrast.vectors @ query < SAME_MEANING]
    if len(rivals):
        others = calibration.logit_scale * (vectors @ rivals.T).astype(np.float64)
        top = others.max(1)
        own = own - top - np.log(np.exp(others - top[:, None]).sum(1))
    x = calibration.slope * own + calibration.bias
    scores: npt.NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * x))
    return scores
