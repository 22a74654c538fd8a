"""Namings that know little: the floor that a model of segments has to leave behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.datasets import read_image
from eval.metrics import Doubles
from eval.naming import PhotoRegions
from usearch import masks
from usearch.records import Image, Segments


def colour_and_place(image: Image, segments: Segments) -> Doubles:
    """Mean colour and position of each segment, and nothing of its texture or outline.

    Args:
        image: uint8 [H, W, 3], RGB, of the size of the segments' grid.
        segments: n segments.

    Returns:
        float64 [n, 9]: mean R, G, B in 0..1; centre x, y, width, height of the box as
        shares of the photo; logarithms of the mask's share of the photo and of the box's
        width over its height.
    """
    height, width = segments.size
    out = np.zeros((len(segments), 9))
    for i, rle in enumerate(segments.rles):
        x0, y0, x1, y1 = (float(v) for v in segments.boxes[i])
        mask = masks.decode(rle, segments.size)
        out[i, :3] = image[mask].mean(0) / 255.0
        out[i, 3:7] = (
            (x0 + x1) / 2 / width,
            (y0 + y1) / 2 / height,
            (x1 - x0) / width,
            (y1 - y0) / height,
        )
        out[i, 7] = np.log(segments.areas[i] / (height * width))
        out[i, 8] = np.log((x1 - x0) / (y1 - y0))
    return out


def colour_and_place_of(
    regions: Sequence[PhotoRegions], read: Callable[[Path], Image] = read_image
) -> Doubles:
    """`colour_and_place` of the regions of all photos, one row after the other."""
    return np.concatenate([colour_and_place(read(p.path), p.segments) for p in regions])


def with_products(features: Doubles) -> Doubles:
    """Standardised features, their squares and pairwise products, and a constant 1."""
    spread = features.std(0)
    z = (features - features.mean(0)) / np.where(spread > 0, spread, 1.0)
    row, column = np.triu_indices(z.shape[1])
    return np.concatenate((np.ones((len(z), 1)), z, z[:, row] * z[:, column]), axis=1)


def fit_softmax(
    features: Doubles, labels: npt.NDArray[np.integer], n_classes: int, decay: float
) -> Doubles:
    """Weights [F, C] of a multinomial logistic regression with an L2 penalty.

    Args:
        features: float64 [n, F].
        labels: [n], class rows.
        n_classes: C; a class without an example gets a low score everywhere.
        decay: Weight of the penalty, a share of the mean loss.
    """
    from scipy.optimize import minimize

    n, width = features.shape
    target = np.zeros((n, n_classes))
    target[np.arange(n), labels] = 1.0

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        weights = flat.reshape(width, n_classes)
        logits = features @ weights
        logits -= logits.max(1, keepdims=True)
        log_share = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        gradient = features.T @ (np.exp(log_share) - target) / n + 2 * decay * weights
        value = -(log_share * target).sum() / n + decay * (weights**2).sum()
        return float(value), gradient.ravel()

    start = np.zeros(width * n_classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100})
    weights: Doubles = found.x.reshape(width, n_classes)
    return weights


def other_photos_scores(
    features: Doubles,
    labels: npt.NDArray[np.integer],
    photos: npt.NDArray[np.integer],
    n_classes: int,
    folds: int = 10,
    decay: float = 1e-3,
) -> Doubles:
    """Scores [n, C] of a softmax regression fitted on the regions of other photos.

    The photos are dealt into folds; each fold is scored by a model fitted on the rest, so
    the model has seen the data set's own names and their frequencies, but not the photo.

    Args:
        features: float64 [n, F], as `with_products` makes them.
        labels: [n], class rows.
        photos: [n], number of the region's photo.
        n_classes: C.
        folds: Number of folds.
        decay: As `fit_softmax`.
    """
    number = np.unique(photos, return_inverse=True)[1]
    fold = np.random.default_rng(0).permutation(number.max() + 1)[number] % folds
    scores = np.zeros((len(labels), n_classes))
    for i in np.unique(fold):
        rest = fold != i
        weights = fit_softmax(features[rest], labels[rest], n_classes, decay)
        scores[~rest] = features[~rest] @ weights
    return scores
