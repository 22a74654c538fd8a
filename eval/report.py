"""The record of an evaluation, and its one JSON form.

Metrics have dotted keys: `miou_present`, `naming.class_mean`, `oracles.proposals.miou_union`.
The last part says what is measured (`MEASURES`), the parts before it say of what. A report
also carries what each photo added to the sums that its metrics are functions of (`Sample`),
so that intervals, the worst photos and a paired comparison need no second run.

    report = EvalReport(data_set="ade150", list_id="ade150/first-names", ...)
    report = with_maps(report, tally)                       # miou_present, fwiou, ...
    report = with_maps(report, other, "oracles.naming.")    # oracles.naming.miou_present, ...
    report = with_naming(report, naming)                    # naming.top1, naming.class_mean, ...
    report = with_values(report, {"parts.ap": 0.171})       # anything without an interval
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eval.measures import joint_statistic, measure_of
from eval.metrics import Interval, MapTally, interval_of, map_scores, resampled
from eval.naming import NamingReport
from eval.photo_sums import PhotoSums, sparse_of
from eval.proposals import ProposalReport


@dataclass(frozen=True, slots=True)
class Sample:
    """What each photo (or each query) added to sums.

    Attributes:
        unit: What is drawn again in a bootstrap: "photo" or "query".
        names: One a row: the photo's path below the data set's root, with `/`; or the query.
        sums: [rows, columns].
    """

    unit: str
    names: tuple[str, ...]
    sums: PhotoSums


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in the per-class table.

    Attributes:
        name: The usual name.
        iou: None for a class neither labelled nor predicted.
        labelled: Pixels labelled so.
        predicted: Labelled pixels predicted so.
        right: Pixels of both.
        taken_for: The class that most of its missed pixels were taken for; "" = no class, None
            when nothing was missed.
        taken_share: Share of its labelled pixels taken for that.
    """

    name: str
    iou: float | None
    labelled: int
    predicted: int
    right: int
    taken_for: str | None = None
    taken_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Published:
    """A figure from the literature, to be printed beside ours.

    Attributes:
        key: The metric's key.
        value: As a share, 0..1.
        system: What reached it, such as "USE (large)".
        source: Where it is printed.
        comparable: False where what was run differs from what was published; `note` says how.
        note: In one sentence; "" = nothing to say.
    """

    key: str
    value: float
    system: str
    source: str
    comparable: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalReport:
    """Everything that one run of `usearch eval` found.

    Attributes:
        data_set: Short name, such as "ade150".
        list_id: Id of the class list that names were taken from.
        system: What was measured, such as "tree + USE mini".
        command: The exact command line that repeats it.
        n_photos: Photos measured.
        n_classes: Classes to choose from.
        subset: Only a part of the data set was measured: not comparable with published figures.
        metrics: Dotted key -> value; shares in 0..1; None where nothing could be measured.
        intervals: The same keys -> 95 % bootstrap interval.
        classes: Per-class table in the order of the list; may be empty.
        published: Figures to print beside ours.
        samples: Key of the sums -> what each photo added; see `eval.measures`.
        times: Stage -> seconds on the clock, such as "index", "classify", "score".
        options: What was chosen: templates, scale, weight of the bank; plain JSON values.
        notes: Sentences for the reader, such as how label values were read.
    """

    data_set: str
    list_id: str
    system: str
    command: str
    n_photos: int
    n_classes: int
    subset: bool = False
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    classes: tuple[ClassRow, ...] = ()
    published: tuple[Published, ...] = ()
    samples: Mapping[str, Sample] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as `usearch/schemas/eval.json` describes them."""
        from eval.report_json import report_values

        return report_values(self)


MAP_METRICS = ("miou_present", "miou_union", "fwiou", "pixel_accuracy", "class_accuracy", "covered")


def with_maps(
    report: EvalReport,
    tally: MapTally,
    photos: Sequence[str],
    names: Sequence[str] | None = None,
    prefix: str = "",
) -> EvalReport:
    """A report with the scores of class maps, and their intervals.

    Args:
        report: The report so far.
        tally: Maps of all photos.
        photos: Path of each photo below the data set's root, in the order they were added.
        names: The classes' usual names; given, the report gets the per-class table.
        prefix: Of the keys, ends in a dot: "oracles.naming.".

    Raises:
        ValueError: No photo was added, or `photos` are not as many.
    """
    scores = map_scores(tally.matrix)
    sample = Sample("photo", tuple(photos), tally.sums())
    out = with_sample(report, f"{prefix}maps", sample, [f"{prefix}{key}" for key in MAP_METRICS])
    out = with_values(out, {f"{prefix}classes_present": scores.n_present})
    return out if names is None else replace(out, classes=class_rows(tally, names))


def with_naming(report: EvalReport, naming: NamingReport, photos: Sequence[str]) -> EvalReport:
    """A report with `naming.top1`, `naming.top5`, `naming.class_mean`.

    Args:
        report: The report so far.
        naming: Of regions of these photos.
        photos: Path of each photo that has a region, in order: `naming.n_photos` of them.
    """
    for key, metrics in (
        ("naming.top1", ["naming.top1", "naming.class_mean"]),
        ("naming.top5", ["naming.top5"]),
    ):
        sums = sparse_of(naming.sums[key.removeprefix("naming.")])
        report = with_sample(report, key, Sample("photo", tuple(photos), sums), metrics)
    return with_values(report, {"naming.regions": naming.n_regions})


def with_proposals(
    report: EvalReport, proposals: ProposalReport, best: Sequence[float], photos: Sequence[str]
) -> EvalReport:
    """A report with `proposals.mean_best_iou` and `proposals.recall_50`.

    Args:
        report: The report so far.
        proposals: Of all regions.
        best: Best IoU of each region, as `proposal_report` got them.
        photos: Path of the photo of each region.
    """
    names, number = np.unique(np.asarray(photos), return_inverse=True)
    values = np.asarray(best, float)
    for metric, hits in (("mean_best_iou", values), ("recall_50", values >= 0.5)):
        sums = np.zeros((len(names), 2))
        np.add.at(sums[:, 0], number, hits)
        np.add.at(sums[:, 1], number, 1.0)
        sample = Sample("photo", tuple(names.tolist()), sparse_of(sums))
        report = with_sample(report, f"proposals.{metric}", sample, [f"proposals.{metric}"])
    return with_values(report, {"proposals.k": proposals.k, "proposals.regions": len(values)})


def with_sample(report: EvalReport, key: str, sample: Sample, metrics: Sequence[str]) -> EvalReport:
    """A report with metrics that are functions of sums over photos, and their intervals.

    Args:
        report: The report so far.
        key: Of the sample; `eval.measures` says which sample a metric is a function of.
        sample: What each photo adds.
        metrics: Keys of metrics of this sample.

    Raises:
        ValueError: The sample is empty, has not one name a row, or a metric is not one of it.
    """
    if not len(sample.sums) or len(sample.names) != len(sample.sums):
        raise ValueError(f"{key}: {len(sample.names)} names of {len(sample.sums)} rows")
    for metric in metrics:
        if measure_of(metric).sample_key(metric) != key:
            raise ValueError(f"{metric} is no function of {key}")
    found = joint_statistic(metrics)
    total, drawn = found(sample.sums.total()), resampled(sample.sums, found)
    ends = {metric: interval_of(drawn[:, i]) for i, metric in enumerate(metrics)}
    return replace(
        report,
        metrics={**report.metrics, **dict(zip(metrics, total.tolist(), strict=True))},
        intervals={**report.intervals, **ends},
        samples={**report.samples, key: sample},
    )


def with_values(report: EvalReport, values: Mapping[str, float | None]) -> EvalReport:
    """A report with more metrics that have no interval; NaN becomes None.

    Raises:
        KeyError: A key is in no family of `eval.measures`.
    """
    for key in values:
        measure_of(key)
    plain = {
        key: None if value is None or np.isnan(value) else value for key, value in values.items()
    }
    return replace(report, metrics={**report.metrics, **plain})


def class_rows(tally: MapTally, names: Sequence[str]) -> tuple[ClassRow, ...]:
    """The per-class table of tallied maps."""
    scores = map_scores(tally.matrix)
    matrix = tally.matrix
    missed = matrix.copy()
    np.fill_diagonal(missed, 0)
    worst = missed.argmax(1)
    out = []
    for i, name in enumerate(names):
        labelled, lost, other = int(matrix[i].sum()), int(missed[i, worst[i]]), int(worst[i])
        taken_for = (names[other] if other < len(names) else "") if lost else None
        out.append(
            ClassRow(
                name=name,
                iou=None if np.isnan(scores.iou[i]) else float(scores.iou[i]),
                labelled=labelled,
                predicted=int(matrix[:, i].sum()),
                right=int(matrix[i, i]),
                taken_for=taken_for,
                taken_share=lost / labelled if lost else 0.0,
            )
        )
    return tuple(out)
