"""Scores of label maps, of namings and of rankings, with bootstrap intervals over photos.

Every statistic here is a function of sums over photos, so a bootstrap round is one product
of resampling weights [rounds, photos] with per-photo sums [photos, ...]: intervals cost
less than the statistic itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.datasets.records import NO_LABEL, LabelMap

Counts = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Statistic = Callable[[Doubles], Doubles]
"""Sums of shape [..., columns] to values of shape [...]."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Central bootstrap interval of a statistic, by percentiles."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MapScores:
    """Scores of class maps against labels, all in 0..1.

    Attributes:
        miou_present: Mean IoU over the classes that occur in the labels.
        miou_union: Mean IoU over the classes that occur in the labels or in the
            predictions; one that is only predicted counts 0.
        fwiou: IoU weighted by the labelled pixels of each class.
        pixel_accuracy: Share of the labelled pixels with the right class.
        class_accuracy: Mean over the classes in the labels of their share found.
        iou: float64 [C], NaN for a class neither labelled nor predicted.
        n_present: Number of classes that occur in the labels.
    """

    miou_present: float
    miou_union: float
    fwiou: float
    pixel_accuracy: float
    class_accuracy: float
    iou: Doubles
    n_present: int


def confusion(truth: LabelMap, predicted: LabelMap, n_classes: int) -> Counts:
    """Confusion matrix of one photo.

    Pixels that are not labelled are left out. A labelled pixel without a prediction (or
    with a value that is no class) is counted in the last column, as wrong.

    Args:
        truth: uint16 [H, W], class rows, `NO_LABEL` = not labelled.
        predicted: [H, W] of an integer type, class rows.
        n_classes: C.

    Returns:
        int64 [C, C + 1], rows truth, columns prediction.

    Raises:
        ValueError: The maps differ in size, or a label is no class.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"a label map of {truth.shape} and a prediction of {predicted.shape}")
    labelled = truth != NO_LABEL
    rows = truth[labelled].astype(np.int64)
    columns = np.minimum(predicted[labelled].astype(np.int64), n_classes)
    if rows.size and rows.max() >= n_classes:
        raise ValueError(f"label {rows.max()} of {n_classes} classes")
    flat = np.bincount(rows * (n_classes + 1) + columns, minlength=n_classes * (n_classes + 1))
    return flat.reshape(n_classes, n_classes + 1)


def map_scores(matrix: Counts) -> MapScores:
    """Scores of a confusion matrix, int64 [C, C + 1] as `confusion` makes it."""
    hit = np.diagonal(matrix).astype(float)
    truth = matrix.sum(1).astype(float)
    predicted = matrix[:, :-1].sum(0).astype(float)
    union = truth + predicted - hit
    iou = np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)
    found = np.divide(hit, truth, out=np.full(len(hit), np.nan), where=truth > 0)
    present = truth > 0
    total = truth.sum()
    return MapScores(
        miou_present=_mean(iou[present]),
        miou_union=_mean(iou[union > 0]),
        fwiou=float((iou[present] * truth[present]).sum() / total) if total else float("nan"),
        pixel_accuracy=float(hit.sum() / total) if total else float("nan"),
        class_accuracy=_mean(found[present]),
        iou=iou,
        n_present=int(present.sum()),
    )


def _mean(values: Doubles) -> float:
    return float(values.mean()) if len(values) else float("nan")


def iou_sums(matrices: list[Counts]) -> Doubles:
    """Per-photo sums from which `miou_present_of` takes the mean IoU.

    Args:
        matrices: One confusion matrix a photo, int64 [C, C + 1].

    Returns:
        float64 [photos, 3 C]: right, labelled, predicted pixels of each class.
    """
    rows = [
        np.concatenate((np.diagonal(m), m.sum(1), m[:, :-1].sum(0))).astype(float) for m in matrices
    ]
    return np.stack(rows)


def miou_present_of(sums: Doubles) -> Doubles:
    """Mean IoU over the classes in the labels, of sums [..., 3 C] as `iou_sums` makes them."""
    hit, truth, predicted = np.split(sums, 3, axis=-1)
    union = truth + predicted - hit
    iou = np.divide(hit, union, out=np.zeros_like(hit), where=union > 0)
    present = truth > 0
    n_present = np.maximum(present.sum(-1), 1)
    mean: Doubles = (iou * present).sum(-1) / n_present
    return mean


def true_ranks(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.integer]) -> Counts:
    """Rank (0 = best) of the right column in each row; ties are shared evenly, rounded up.

    Args:
        scores: [n, C], higher is better. NaN counts as the lowest score.
        truth: [n], right column of each row.
    """
    values = np.where(np.isnan(scores), -np.inf, scores)
    own = values[np.arange(len(values)), truth][:, None]
    higher = (values > own).sum(1)
    equal = (values == own).sum(1) - 1
    ranks: Counts = (higher + (equal + 1) // 2).astype(np.int64)
    return ranks


def topk_accuracy(ranks: Counts, k: int) -> float:
    """Share of rows whose right answer is among the first k."""
    return _mean((ranks < k).astype(float))


def hit_sums(hits: npt.ArrayLike, photos: npt.NDArray[np.integer]) -> Doubles:
    """float64 [photos, 2]: hits and trials of each photo, for `share_of`.

    Args:
        hits: [n], 1 where a trial succeeded.
        photos: [n], number of the photo of each trial, from 0.
    """
    return class_sums(hits, photos, np.zeros(len(photos), np.int64), 1)


def class_sums(
    hits: npt.ArrayLike,
    photos: npt.NDArray[np.integer],
    classes: npt.NDArray[np.integer],
    n_classes: int,
) -> Doubles:
    """float64 [photos, 2 C]: hits, then trials, of each class in each photo."""
    n_photos = int(photos.max(initial=-1)) + 1
    out = np.zeros((2, n_photos, n_classes))
    np.add.at(out[0], (photos, classes), np.asarray(hits, float))
    np.add.at(out[1], (photos, classes), 1.0)
    return np.concatenate((out[0], out[1]), axis=1)


def share_of(sums: Doubles) -> Doubles:
    """Hits over trials, all classes together, of sums [..., 2 C]."""
    hits, trials = np.split(sums, 2, axis=-1)
    share: Doubles = hits.sum(-1) / np.maximum(trials.sum(-1), 1.0)
    return share


def class_mean_of(sums: Doubles) -> Doubles:
    """Mean over the classes that were tried of their hit share, of sums [..., 2 C]."""
    hits, trials = np.split(sums, 2, axis=-1)
    share = np.divide(hits, trials, out=np.zeros_like(hits), where=trials > 0)
    mean: Doubles = share.sum(-1) / np.maximum((trials > 0).sum(-1), 1)
    return mean


def bootstrap_interval(
    sums: Doubles, statistic: Statistic, rounds: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Interval of a statistic when whole photos are drawn again with replacement.

    Regions of a photo stay together, since they are not independent.

    Args:
        sums: float64 [photos, columns], what each photo adds.
        statistic: Sums to value.
        rounds: Resamplings.
        level: Share of the resamplings inside the interval.
        seed: Of the resampling; equal seeds draw equal photos.
    """
    return _interval(statistic(_resample(sums, rounds, seed)), level)


def paired_interval(
    ours: Doubles,
    theirs: Doubles,
    statistic: Statistic,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of the difference ours - theirs, both on the same resampled photos.

    Args:
        ours: float64 [photos, columns].
        theirs: The same photos in the same order.
        statistic: Sums to value.
        rounds: Resamplings.
        level: Share of the resamplings inside the interval.
        seed: Of the resampling.

    Raises:
        ValueError: The two do not have the same photos.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} and {len(theirs)} photos cannot be paired")
    differences = statistic(_resample(ours, rounds, seed)) - statistic(
        _resample(theirs, rounds, seed)
    )
    return _interval(differences, level)


def _resample(sums: Doubles, rounds: int, seed: int) -> Doubles:
    n = len(sums)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=rounds)
    return weights.astype(float) @ sums


def _interval(values: Doubles, level: float) -> Interval:
    low, high = np.quantile(values, [(1.0 - level) / 2, (1.0 + level) / 2])
    return Interval(float(low), float(high))
