"""Scores of label maps, of namings and of rankings, with bootstrap intervals over photos.

Every statistic here is a function of sums over photos, so a bootstrap round is one product
of resampling weights [rounds, photos] with per-photo sums [photos, ...]: intervals cost
less than the statistic itself. Sums over many classes are sparse (`eval.photo_sums`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.datasets.records import NO_LABEL, LabelMap
from eval.photo_sums import Doubles as Doubles
from eval.photo_sums import PhotoSums, sparse_sums

Counts = npt.NDArray[np.int64]
Statistic = Callable[[Doubles], Doubles]
"""Sums of shape [..., columns] to values of shape [...]."""

_PIXELS = 1 << 20
"""Pixels counted at once, so that a large photo needs no more memory than a small one."""

_ROUNDS = 100
"""Resamplings made at once."""


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


def confusion(truth: LabelMap, predicted: npt.NDArray[np.integer], n_classes: int) -> Counts:
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
    labels, answers = truth.ravel(), predicted.ravel()
    if answers.dtype.kind == "i":  # what is below 0 is then above all classes
        answers = answers.view(f"u{answers.itemsize}")
    highest = min(n_classes, int(np.iinfo(answers.dtype).max))
    side = n_classes + 1
    flat = np.zeros(side * side, np.int64)
    for first in range(0, labels.size, _PIXELS):
        part = slice(first, first + _PIXELS)
        # The smallest types as long as possible: most of the time here goes to memory.
        pairs = np.minimum(labels[part], n_classes).astype(np.intp)
        pairs *= side
        pairs += np.minimum(answers[part], highest).astype(np.intp)
        flat += np.bincount(pairs, minlength=side * side)
    if flat[n_classes * side :].sum() != np.count_nonzero(labels == NO_LABEL):
        wrong = labels[(labels >= n_classes) & (labels != NO_LABEL)]
        raise ValueError(f"label {wrong.max()} of {n_classes} classes")
    return flat.reshape(side, side)[:n_classes]


class MapTally:
    """Adds up maps photo by photo; holds one confusion matrix and the photos' sparse sums.

    Memory does not depend on the number of photos but for their sums: some hundred bytes
    a photo for each ten classes that it shows.

    Args:
        n_classes: C.
    """

    def __init__(self, n_classes: int) -> None:
        self.matrix: Counts = np.zeros((n_classes, n_classes + 1), np.int64)
        """Confusion of all photos so far, int64 [C, C + 1]."""
        self._rows: list[tuple[Counts, Doubles]] = []

    def __len__(self) -> int:
        """Photos added."""
        return len(self._rows)

    def add(self, truth: LabelMap, predicted: npt.NDArray[np.integer]) -> None:
        """Count a photo: its labels and its prediction at the same size, see `confusion`.

        Raises:
            ValueError: The maps differ in size, or a label is no class.
        """
        matrix = confusion(truth, predicted, len(self.matrix))
        self.matrix += matrix
        row = iou_sums([matrix])[0]
        where = np.flatnonzero(row)
        self._rows.append((where, row[where]))

    def sums(self) -> PhotoSums:
        """What each photo adds, [photos, 3 C] as `iou_sums`; see `miou_present_of`."""
        return sparse_sums(self._rows, 3 * len(self.matrix))


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
    iou, truth, _ = _class_ious(sums)
    return _mean_where(iou, truth > 0)


def miou_union_of(sums: Doubles) -> Doubles:
    """Mean IoU over the classes labelled or predicted, of sums [..., 3 C]."""
    iou, truth, predicted = _class_ious(sums)
    return _mean_where(iou, truth + predicted > 0)


def fwiou_of(sums: Doubles) -> Doubles:
    """IoU weighted by labelled pixels, of sums [..., 3 C]."""
    iou, truth, _ = _class_ious(sums)
    weighted: Doubles = (iou * truth).sum(-1) / np.maximum(truth.sum(-1), 1.0)
    return weighted


def pixel_accuracy_of(sums: Doubles) -> Doubles:
    """Share of the labelled pixels that are right, of sums [..., 3 C]."""
    hit, truth, _ = np.split(sums, 3, axis=-1)
    share: Doubles = hit.sum(-1) / np.maximum(truth.sum(-1), 1.0)
    return share


def class_accuracy_of(sums: Doubles) -> Doubles:
    """Mean over the classes in the labels of their share found, of sums [..., 3 C]."""
    hit, truth, _ = np.split(sums, 3, axis=-1)
    return _mean_where(hit / np.maximum(truth, 1.0), truth > 0)


def covered_of(sums: Doubles) -> Doubles:
    """Share of the labelled pixels that got a class, of sums [..., 3 C]."""
    _, truth, predicted = np.split(sums, 3, axis=-1)
    share: Doubles = predicted.sum(-1) / np.maximum(truth.sum(-1), 1.0)
    return share


def _class_ious(sums: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """IoU (0 where nothing is), labelled and predicted pixels of each class, [..., C]."""
    hit, truth, predicted = np.split(sums, 3, axis=-1)
    return hit / np.maximum(truth + predicted - hit, 1.0), truth, predicted


def _mean_where(values: Doubles, counted: npt.NDArray[np.bool_]) -> Doubles:
    mean: Doubles = (values * counted).sum(-1) / np.maximum(counted.sum(-1), 1)
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
    sums: Doubles | PhotoSums,
    statistic: Statistic,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of a statistic when whole photos are drawn again with replacement.

    Regions of a photo stay together, since they are not independent.

    Args:
        sums: [photos, columns], what each photo adds.
        statistic: Sums to value.
        rounds: Resamplings.
        level: Share of the resamplings inside the interval.
        seed: Of the resampling; equal seeds draw equal photos.
    """
    return interval_of(resampled(sums, statistic, rounds, seed), level)


def paired_interval(
    ours: Doubles | PhotoSums,
    theirs: Doubles | PhotoSums,
    statistic: Statistic,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of the difference ours - theirs, both on the same resampled photos.

    Args:
        ours: [photos, columns].
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
    first = resampled(ours, statistic, rounds, seed)
    return interval_of(first - resampled(theirs, statistic, rounds, seed), level)


def resampled(
    sums: Doubles | PhotoSums, statistic: Statistic, rounds: int = 1000, seed: int = 0
) -> Doubles:
    """Values of a statistic over resampled photos, float64 [rounds].

    Equal seeds draw equal photos, so values of two sums over the same photos are paired.
    """
    n = len(sums)
    random = np.random.default_rng(seed)
    values = []
    for first in range(0, rounds, _ROUNDS):
        draws = random.multinomial(n, np.full(n, 1.0 / n), size=min(_ROUNDS, rounds - first))
        values.append(statistic(draws.astype(float) @ sums))
    return np.concatenate(values)


def interval_of(values: Doubles, level: float = 0.95) -> Interval:
    """Central share `level` of resampled values."""
    low, high = np.quantile(values, [(1.0 - level) / 2, (1.0 + level) / 2])
    return Interval(float(low), float(high))
