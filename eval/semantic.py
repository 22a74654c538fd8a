"""Class maps against label maps, photo by photo, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eval.datasets import LabelMap
from eval.metrics import (
    Counts,
    Interval,
    MapScores,
    MapTally,
    bootstrap_interval,
    map_scores,
    miou_present_of,
)
from usearch.classify import ClassMap


@dataclass(frozen=True, slots=True)
class SemanticReport:
    """Scores of class maps over a set.

    Attributes:
        scores: Of the whole set.
        interval: 95 % bootstrap interval over photos of `scores.miou_present`.
        matrix: int64 [C, C + 1], the confusion of the whole set.
        covered: Share of the labelled pixels that got a class.
        n_photos: Photos.
        n_classes: C.
    """

    scores: MapScores
    interval: Interval
    matrix: Counts
    covered: float
    n_photos: int
    n_classes: int

    def to_json(self) -> dict[str, Any]:
        """Plain values under the keys of the metrics."""
        return {
            "miou_present": self.scores.miou_present,
            "miou_present_interval": [self.interval.low, self.interval.high],
            "miou_union": self.scores.miou_union,
            "fwiou": self.scores.fwiou,
            "pixel_accuracy": self.scores.pixel_accuracy,
            "class_accuracy": self.scores.class_accuracy,
            "covered": self.covered,
            "n_present": self.scores.n_present,
            "n_classes": self.n_classes,
            "n_photos": self.n_photos,
        }


def semantic_report(pairs: Iterable[tuple[LabelMap, ClassMap]], n_classes: int) -> SemanticReport:
    """Compare predictions with labels.

    Args:
        pairs: For each photo its labels and its prediction, equal in size.
        n_classes: C.

    Raises:
        ValueError: There is no photo, or two maps differ in size.
    """
    tally = MapTally(n_classes)
    for truth, predicted in pairs:
        tally.add(truth, predicted)
    if not len(tally):
        raise ValueError("no photo to compare")
    total = tally.matrix
    labelled = int(total.sum())
    return SemanticReport(
        scores=map_scores(total),
        interval=bootstrap_interval(tally.sums(), miou_present_of),
        matrix=total,
        covered=1.0 - float(total[:, -1].sum()) / labelled if labelled else float("nan"),
        n_photos=len(tally),
        n_classes=n_classes,
    )


def things_only(report: SemanticReport, n_things: int) -> float:
    """Mean IoU over the first classes alone; the rest stays in the confusion as errors.

    NaN when none of them occurs.
    """
    present = report.matrix.sum(1)[:n_things] > 0
    iou = report.scores.iou[:n_things][present]
    return float(iou.mean()) if len(iou) else float("nan")
