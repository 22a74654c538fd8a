"""What each metric of a report means: one row here, and it has a label, an interval, a comparison.

A key is dotted: the last part names the measure, what stands before says of what it is. The
sums that `oracles.naming.miou_present` is a function of are the sample `oracles.naming.maps`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics import (
    Statistic,
    class_accuracy_of,
    class_mean_of,
    covered_of,
    fwiou_of,
    miou_present_of,
    miou_union_of,
    pixel_accuracy_of,
    share_of,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """How to read a metric.

    Attributes:
        label: For people.
        kind: "share" (0..1, printed in %) or "count".
        sample: Last part of the key of the sums it is a function of; "" = the metric's own key,
            None = no function of sums over photos.
        statistic: Sums to value.
    """

    label: str
    kind: str = "share"
    sample: str | None = None
    statistic: Statistic | None = None

    def sample_key(self, metric: str) -> str | None:
        """Key of the sample of a metric, such as "oracles.naming.maps"."""
        if self.sample is None:
            return None
        return metric if not self.sample else _prefix(metric) + self.sample


def _prefix(key: str) -> str:
    head, dot, _ = key.rpartition(".")
    return head + dot


MEASURES: dict[str, Measure] = {
    "miou_present": Measure("mIoU, classes in the labels", "share", "maps", miou_present_of),
    "miou_union": Measure("mIoU, labelled or predicted", "share", "maps", miou_union_of),
    "fwiou": Measure("IoU weighted by pixels", "share", "maps", fwiou_of),
    "pixel_accuracy": Measure("pixel accuracy", "share", "maps", pixel_accuracy_of),
    "class_accuracy": Measure("mean class accuracy", "share", "maps", class_accuracy_of),
    "iou": Measure("IoU of one class"),
    "covered": Measure("pixels that got a class", "share", "maps", covered_of),
    "classes_present": Measure("classes in the labels", "count"),
    "top1": Measure("first name right", "share", "top1", share_of),
    "top5": Measure("among the first five", "share", "top5", share_of),
    "class_mean": Measure("first name right, mean over names", "share", "top1", class_mean_of),
    "mean_best_iou": Measure("mean best IoU of a region", "share", "", share_of),
    "recall_50": Measure("regions with a mask of IoU 0.5", "share", "", share_of),
    "recall@k": Measure("found among the first k", "share", "", share_of),
    "chance@k": Measure("the same in random order"),
    "map": Measure("mean average precision", "share", "", share_of),
    "ap": Measure("mask AP, IoU 0.5 to 0.95"),
    "ap50": Measure("mask AP, IoU 0.5"),
    "ap75": Measure("mask AP, IoU 0.75"),
    "regions": Measure("regions", "count"),
    "queries": Measure("queries", "count"),
    "segments": Measure("segments", "count"),
    "k": Measure("masks of a photo that count", "count"),
}
"""Last part of a key -> what it is. `recall@5` is `recall@k` with a number."""

_NUMBERED = re.compile(r"(recall|chance)@(\d+)")


def measure_of(key: str) -> Measure:
    """How to read a metric.

    Args:
        key: Such as "miou_present", "naming.top1", "retrieval.text_to_segment.recall@5".

    Raises:
        KeyError: Its last part is no measure.
    """
    last = key.rpartition(".")[2]
    numbered = _NUMBERED.fullmatch(last)
    if numbered:
        known = MEASURES[f"{numbered[1]}@k"]
        label = known.label.replace("first k", f"first {numbered[2]}")
        return Measure(label, known.kind, known.sample, known.statistic)
    return MEASURES[last]


_SECTIONS = {
    "naming": "labelled regions, our names",
    "proposals": "segments against labelled regions",
    "oracles.proposals": "our segments, true names",
    "oracles.naming": "true masks, our names",
    "bank": "with the collection as memory",
    "parts": "parts",
    "retrieval": "text to segment",
}


def joint_statistic(keys: Sequence[str]) -> Statistic:
    """Several metrics of one sample as one function, so that photos are drawn once for all.

    Returns:
        Sums of shape [..., columns] to values of shape [..., len(keys)].

    Raises:
        KeyError: A metric is no function of sums over photos.
    """
    statistics = [measure_of(key).statistic for key in keys]
    known = [statistic for statistic in statistics if statistic is not None]
    if len(known) < len(keys):
        raise KeyError(keys[statistics.index(None)])
    return lambda sums: np.stack([statistic(sums) for statistic in known], axis=-1)


def section_of(key: str) -> str:
    """What stands before the measure in a key: "oracles.naming" of its mIoU; "" of the run's."""
    return key.rpartition(".")[0]


def section_title(section: str) -> str:
    """A heading for the metrics of a section."""
    return _SECTIONS.get(section) or section.replace(".", ", ").replace("_", " ")
