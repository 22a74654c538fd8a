"""Class names of the benchmarks as data, and the identity of a list that is printed with scores.

Each list is a file of `names/`: comment lines that say where the names are from, then one class a
line in the order of the train ids. A line is the official name, commas and all; where a person
would type something else, a tab and those names follow, divided by ";". Commas in an official name
divide ADE20K's synonyms ("door, double door") and nothing else: no other list here has any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from usearch.errors import UsageError

_MADE = ("synonyms", "first", "official")
_FILES = ("openseg", "corrclip")


@dataclass(frozen=True, slots=True)
class NameList:
    """Names of the classes of a data set.

    Attributes:
        names: For each class the names that mean it, the usual one first.
        list_id: Data set, kind and hash of all names in order: `ade150/first@1f0c2ab9`.
    """

    names: tuple[tuple[str, ...], ...]
    list_id: str


def list_id(label: str, names: Sequence[Sequence[str]]) -> str:
    """Identity of a list: what it is called and the first 32 bits of the SHA-256 of its names."""
    text = "\n".join(";".join(one) for one in names)
    return f"{label}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def name_list(dataset: str, kind: str = "") -> NameList:
    """One of the lists of a benchmark.

    Args:
        dataset: Name of the benchmark.
        kind: `synonyms` (the usual one): every official name of a class, as people type it;
            `first`: the first of them; `official`: the line of the published list as one text, as
            detectron2's metadata has it; `openseg`: several names a class, prompt-engineered for
            OpenSeg; `corrclip`: for voc21, 26 names of backgrounds.

    Raises:
        UsageError: The data set has no such list.
    """
    kind = kind or _MADE[0]
    if kind not in list_kinds(dataset):
        raise UsageError(
            f"{dataset} has no list of names '{kind}'", f"one of {', '.join(list_kinds(dataset))}"
        )
    rows = _rows(f"{dataset}-{kind}" if kind in _FILES else dataset)
    names = tuple((official,) if kind == "official" else plain for official, plain in rows)
    if kind == "first":
        names = tuple(one[:1] for one in names)
    return NameList(names, list_id(f"{dataset}/{kind}", names))


def list_kinds(dataset: str) -> tuple[str, ...]:
    """The kinds of lists that a benchmark has here, the usual one first."""
    folder = resources.files("eval.datasets").joinpath("names")
    return (
        *_MADE,
        *(kind for kind in _FILES if folder.joinpath(f"{dataset}-{kind}.txt").is_file()),
    )


def ade_class_numbers() -> tuple[int, ...]:
    """Class numbers of the 847 classes of `ade847` in ADE20K's original label files."""
    return tuple(int(number) for line in _lines("ade847-ids") for number in line.split())


@cache
def _rows(stem: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each class its official name and the names that people type."""
    rows = []
    for line in _lines(stem):
        official, _, plain = line.partition("\t")
        parts = plain.split(";") if plain else official.split(",")
        rows.append((official, tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))))
    return tuple(rows)


def _lines(stem: str) -> list[str]:
    text = resources.files("eval.datasets").joinpath("names", f"{stem}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
