"""The record of a benchmark: where its files may lie and how its labels may be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from eval.datasets.codings import Coding
from eval.datasets.labels import Sample
from eval.datasets.layouts import Layout, Place

Way = tuple[Layout, Coding]
"""A layout, and how label files are usually written in it."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set of label maps that others measure on.

    Attributes:
        name: As `open_dataset` takes it.
        title: What people call it.
        source: Where it comes from, for whoever lacks it.
        photos: For each split the numbers of photos that it is published with, the usual first.
        ways: Layouts of a split in the order in which they are preferred.
        others: More ways in which label files of it are found.
        checks: What is looked at once photos are found: gets the place, the coding and the sample,
            gives the coding to use and notes.
    """

    name: str
    title: str
    source: str
    photos: Mapping[str, tuple[int, ...]]
    ways: Callable[[str], list[Way]]
    others: tuple[Coding, ...] = ()
    checks: tuple[Callable[[Place, Coding, Sample], tuple[Coding, tuple[str, ...]]], ...] = field(
        default=()
    )


def flat(coding: Coding, ends: tuple[str, ...] = (".png",)) -> list[Way]:
    """A folder of photos beside a folder of labels, as samples of a set are often handed around."""
    return [
        (Layout("flat", ("images",), labels, ends=end, here=True), coding)
        for labels in ("masks", "annotations", "labels")
        for end in ends
    ]
