"""From the share a query takes of a softmax to a probability that people can read.

The unit is a photo and a name: the photo's best segment for the name, and whether that
segment is one. A logistic curve over the log odds of the share (Platt scaling) is fitted on
some photos and judged on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from eval.naming import PhotoRegions
from eval.stored import StoredPhoto
from usearch import masks
from usearch.records import FloatArray

Doubles = npt.NDArray[np.float64]
INSIDE = 0.5
"""A segment is right when at least this share of it lies on regions of the name."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Best segment of each photo for each name.

    Attributes:
        log_odds: float64 [n], of the share that the name takes.
        right: bool [n].
        photo: int64 [n].
    """

    log_odds: Doubles
    right: npt.NDArray[np.bool_]
    photo: npt.NDArray[np.int64]


def log_odds_of(
    vectors: FloatArray, names: FloatArray, background: FloatArray, scale: float, same: float
) -> Doubles:
    """Log odds of each name's share against the background, float64 [n, C].

    Args:
        vectors: float32 [n, D] of segments.
        names: float32 [C, D].
        background: float32 [B, D].
        scale: Logit scale.
        same: Background words nearer than this to a name are no contrast to it.
    """
    rivals = scale * (vectors @ background.T).astype(np.float64)
    out = np.empty((len(vectors), len(names)))
    for c, name in enumerate(names):
        use = background @ name < same
        top = rivals[:, use].max(1)
        rest = top + np.log(np.exp(rivals[:, use] - top[:, None]).sum(1))
        out[:, c] = scale * (vectors @ name) - rest
    return out


def inside_share(stored: StoredPhoto, labelled: PhotoRegions, names: Sequence[str]) -> Doubles:
    """Share of each segment that lies on regions of each name, float64 [n, C]."""
    size = stored.segments.size
    cut = np.stack([masks.decode(r, size).ravel() for r in stored.segments.rles])
    areas = cut.sum(1)
    shares = np.zeros((len(cut), len(names)))
    for c, name in enumerate(names):
        rows = [i for i, n in enumerate(labelled.names) if n == name]
        if not rows:
            continue
        truth = np.zeros(size, bool)
        for i in rows:
            truth |= masks.decode(labelled.segments.rles[i], size)
        shares[:, c] = (cut & truth.ravel()).sum(1) / areas
    return shares


def best_answers(
    stored: Sequence[StoredPhoto],
    labelled: Sequence[PhotoRegions],
    names: Sequence[str],
    name_vectors: FloatArray,
    background: FloatArray,
    scale: float,
    same: float,
) -> Answers:
    """The best segment of every photo for every name, and whether it is right."""
    odds, right, photo = [], [], []
    for i, (photo_segments, regions) in enumerate(zip(stored, labelled, strict=True)):
        if len(photo_segments.segments) == 0:
            continue
        x = log_odds_of(photo_segments.vectors, name_vectors, background, scale, same)
        best = x.argmax(0)
        shares = inside_share(photo_segments, regions, names)
        columns = np.arange(len(names))
        odds.append(x[best, columns])
        right.append(shares[best, columns] >= INSIDE)
        photo.append(np.full(len(names), i))
    return Answers(np.concatenate(odds), np.concatenate(right), np.concatenate(photo))


def fit_platt(log_odds: Doubles, right: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and bias of the logistic curve of greatest likelihood.

    Raises:
        ValueError: All answers are right, or none is: nothing can be fitted.
    """
    if right.all() or not right.any():
        raise ValueError("a curve needs right and wrong answers")
    sign = np.where(right, 1.0, -1.0)

    def loss(p: Doubles) -> float:
        return float(np.logaddexp(0.0, -sign * (p[0] * log_odds + p[1])).mean())

    found = minimize(loss, np.array([1.0, 0.0]), method="BFGS")
    return float(found.x[0]), float(found.x[1])


def calibration_error(scores: Doubles, right: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error over equally filled bins."""
    order = np.argsort(scores, kind="stable")
    parts = np.array_split(order, bins)
    gaps = [abs(scores[p].mean() - right[p].mean()) * len(p) for p in parts if len(p)]
    return float(sum(gaps) / len(scores))


def best_cutoff(scores: Doubles, right: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The score from which answers are kept that gives the best F1, and that F1."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(order) + 1)
    recall = hits / max(1, int(right.sum()))
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    at = int(f1.argmax())
    return float(scores[order[at]]), float(f1[at])
