"""Two reports over the same photos: what differs, and by how much more than chance.

Both are drawn again with the same photos (a paired bootstrap), so what is hard about a photo
for both cancels out: differences show that two separate intervals would hide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.measures import joint_statistic, measure_of
from eval.metrics import Interval, interval_of, resampled
from eval.photo_sums import sparse_sums
from eval.report import EvalReport, Sample
from usearch.errors import InputError

_AGAIN = "measure both over the same photos with the same list"


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric that both reports have.

    Attributes:
        key: The metric's key.
        first: Its value in the first report.
        second: In the second.
        interval: 95 % interval of second - first over resampled photos; None where the metric
            is no function of sums over photos.
        better: Share of the resamplings in which the second is larger, half of the ties.
    """

    key: str
    first: float
    second: float
    interval: Interval | None = None
    better: float | None = None

    @property
    def change(self) -> float:
        """Second - first."""
        return self.second - self.first

    @property
    def verdict(self) -> str:
        """One of higher, lower, equal; unsure when 0 lies in the interval; "" without one."""
        if self.interval is None:
            return ""
        if self.interval.low > 0:
            return "higher"
        if self.interval.high < 0:
            return "lower"
        return "equal" if self.interval.low == self.interval.high == 0 else "unsure"


@dataclass(frozen=True, slots=True)
class ClassChange:
    """IoU of a class in both reports.

    Attributes:
        name: The class.
        first: IoU in the first report.
        second: In the second.
        labelled: Labelled pixels.
    """

    name: str
    first: float
    second: float
    labelled: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Second report against first.

    Attributes:
        differences: Metrics that both have, in the first report's order.
        classes: Classes in the labels whose IoU differs, the largest gain first.
        n_photos: Photos of both.
        rounds: Resamplings.
    """

    differences: tuple[Difference, ...]
    classes: tuple[ClassChange, ...]
    n_photos: int
    rounds: int


def compare_reports(
    first: EvalReport,
    second: EvalReport,
    names: tuple[str, str] = ("the first report", "the second report"),
    rounds: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two reports over the same photos, labels and classes.

    Args:
        first: What to compare with.
        second: What changed.
        names: Of the two, for messages.
        rounds: Resamplings.
        seed: Of the resampling.

    Raises:
        InputError: They are over other data sets, class lists, photos or labels, or have no
            metric in common.
    """
    _same_list(first, second, names)
    pairs = {
        key: (sample, _in_order(key, sample, second.samples[key], names))
        for key, sample in first.samples.items()
        if key in second.samples
    }
    both = {
        key: (a, b)
        for key, a in first.metrics.items()
        if a is not None and (b := second.metrics.get(key)) is not None
    }
    drawn: dict[str, tuple[Interval, float]] = {}
    for key, (ours, theirs) in pairs.items():
        metrics = [metric for metric in both if measure_of(metric).sample_key(metric) == key]
        drawn.update(_drawn(metrics, ours, theirs, rounds, seed))
    differences = tuple(
        Difference(key, a, b, *drawn.get(key, (None, None))) for key, (a, b) in both.items()
    )
    if not differences:
        raise InputError(f"{names[0]} and {names[1]} have no metric in common", _AGAIN)
    changes = [
        ClassChange(a.name, a.iou or 0.0, b.iou or 0.0, a.labelled)
        for a, b in zip(first.classes, second.classes, strict=False)
        if a.labelled and a.iou != b.iou
    ]
    changes.sort(key=lambda row: row.first - row.second)
    return Comparison(differences, tuple(changes), first.n_photos, rounds)


def _same_list(first: EvalReport, second: EvalReport, names: tuple[str, str]) -> None:
    for what, a, b in (
        ("data set", first.data_set, second.data_set),
        ("class list", first.list_id, second.list_id),
        ("number of classes", first.n_classes, second.n_classes),
        ("number of photos", first.n_photos, second.n_photos),
    ):
        if a != b:
            raise InputError(
                f"the reports have another {what}: {a} in {names[0]}, {b} in {names[1]}", _AGAIN
            )
    rows = zip(first.classes, second.classes, strict=False)
    for number, (row, other) in enumerate(rows):
        if row.name != other.name:
            raise InputError(
                f"the reports have another class list: class {number} is {row.name!r} in "
                f"{names[0]}, {other.name!r} in {names[1]}",
                _AGAIN,
            )


def _in_order(key: str, first: Sample, second: Sample, names: tuple[str, str]) -> Sample:
    """The second sample with its rows in the order of the first.

    Raises:
        InputError: They have other rows, or other labels.
    """
    if first.unit != second.unit or first.sums.n_columns != second.sums.n_columns:
        raise InputError(f"{key} is measured in another way in {names[1]}", _AGAIN)
    if first.names != second.names:
        place = {name: row for row, name in enumerate(second.names)}
        known = set(first.names)
        lone = [name for name in first.names if name not in place]
        more = [name for name in second.names if name not in known]
        if lone or more or len(place) != len(second.names) or len(known) != len(first.names):
            raise InputError(_other_rows(first.unit, lone, more, names), _AGAIN)
        rows = list(second.sums.rows())
        again = sparse_sums((rows[place[name]] for name in first.names), second.sums.n_columns)
        second = Sample(second.unit, first.names, again)
    _same_labels(key, first, second, names)
    return second


def _other_rows(unit: str, lone: list[str], more: list[str], names: tuple[str, str]) -> str:
    said = [
        f"{len(found):,} only in {name}, such as {found[0]!r}"
        for found, name in zip((lone, more), names, strict=True)
        if found
    ]
    units = {"photo": "photos", "query": "queries"}.get(unit, unit)
    if not said:
        return f"the reports name some {units} twice and cannot be paired"
    return f"the reports are over other {units}: {'; '.join(said)}"


def _same_labels(key: str, first: Sample, second: Sample, names: tuple[str, str]) -> None:
    """What is labelled is equal when the photos, their sizes and their labels are."""
    n = first.sums.n_columns
    # Columns of labelled pixels of maps, of trials of everything else.
    low, high = (n // 3, 2 * n // 3) if key.rpartition(".")[2] == "maps" else (n // 2, n)
    rows = zip(first.names, first.sums.rows(), second.sums.rows(), strict=True)
    for name, (columns, values), (others, more) in rows:
        a, b = (columns >= low) & (columns < high), (others >= low) & (others < high)
        if not (np.array_equal(columns[a], others[b]) and np.array_equal(values[a], more[b])):
            raise InputError(
                f"{name!r} is labelled in one way in {names[0]} and in another in {names[1]} "
                f"({values[a].sum():,.0f} and {more[b].sum():,.0f} labelled in {key})",
                _AGAIN,
            )


def _drawn(
    metrics: list[str], first: Sample, second: Sample, rounds: int, seed: int
) -> dict[str, tuple[Interval, float]]:
    """Interval of the change of each metric of a sample, and how often it is a gain."""
    if not metrics:
        return {}
    statistic = joint_statistic(metrics)
    drawn = [resampled(one.sums, statistic, rounds, seed) for one in (first, second)]
    change = drawn[1] - drawn[0]
    better = (change > 0).mean(0) + 0.5 * (change == 0).mean(0)
    return {
        metric: (interval_of(change[:, i]), float(better[i])) for i, metric in enumerate(metrics)
    }
