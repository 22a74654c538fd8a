"""Class names of the benchmarks as data, and the identity of a list that is printed with scores.

Each list is a file of `names/`: comment lines that say where the names are from, then one class a
line in the order of the train ids, names divided by ";". Commas belong to a name: ADE20K's official
"door, double door" is one name of the list and is only split where `synonyms` asks for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from usearch.errors import UsageError

KINDS = ("synonyms", "first", "official", "openseg")


@dataclass(frozen=True, slots=True)
class NameList:
    """Names of the classes of a data set.

    Attributes:
        names: For each class the names that mean it, the usual one first.
        list_id: Data set, kind and the hash of all names in order: `ade150/first@1f0c2ab9`.
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
        kind: `synonyms`: each official name split at its commas (the default); `first`: only the
            first of them; `official`: each line as one text, as detectron2's metadata has it;
            `openseg`: several names a class, as prompt-engineered for OpenSeg.

    Raises:
        UsageError: The kind is unknown, or the data set has no such list.
    """
    kind = kind or KINDS[0]
    if kind not in kinds_of(dataset):
        raise UsageError(
            f"{dataset} has no list of names '{kind}'", f"one of {', '.join(kinds_of(dataset))}"
        )
    if kind == "openseg":
        names = _file(f"{dataset}-openseg")
    else:
        official = _file(dataset)
        if kind == "official":
            names = official
        else:
            split = (_split(" , ".join(one)) for one in official)
            names = tuple(one if kind == "synonyms" else one[:1] for one in split)
    return NameList(names, list_id(f"{dataset}/{kind}", names))


def kinds_of(dataset: str) -> tuple[str, ...]:
    """The kinds of lists that a benchmark has here."""
    own = resources.files("eval.datasets").joinpath("names", f"{dataset}-openseg.txt")
    return KINDS if own.is_file() else KINDS[:3]


def _split(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in name.split(",") if part.strip()))


@cache
def _file(stem: str) -> tuple[tuple[str, ...], ...]:
    text = resources.files("eval.datasets").joinpath("names", f"{stem}.txt").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return tuple(tuple(name.strip() for name in row.split(";")) for row in rows)
