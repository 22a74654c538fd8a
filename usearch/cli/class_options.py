"""Options about classes, the same for `segment` and `classify`, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.errors import UsageError

if TYPE_CHECKING:
    from usearch.classify import Bank
    from usearch.text.class_lists import ClassList

ClassesOption = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        metavar="FILE",
        help="One class a line: name, synonym, ... ('whole > part' for parts).",
        show_default=False,
    ),
]
ClassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="NAMES",
        help="A class, in place of a file: name, synonym, ...; repeatable.",
        show_default=False,
    ),
]
BackgroundOption = Annotated[
    list[str] | None,
    typer.Option(
        "--background",
        metavar="NAMES",
        help="A contrast class: what it wins is background; repeatable.",
        show_default=False,
    ),
]
UnknownOption = Annotated[
    float,
    typer.Option(
        "--unknown",
        "--threshold",
        metavar="S",
        help="Score (0..1) below which a pixel is unknown; 0 = every pixel gets a class.",
    ),
]
PartsOption = Annotated[
    bool,
    typer.Option("--parts/--no-parts", help="Whether parts are sought; without: wholes alone."),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Only stored segments that match; docs/filters.md.",
        show_default=False,
    ),
]
BankOption = Annotated[
    Path | None,
    typer.Option(
        "--bank",
        metavar="STORE",
        help="A store as memory: what looks alike there votes on each segment; docs/memory.md.",
        show_default=False,
    ),
]
BankWeightOption = Annotated[
    float,
    typer.Option(
        "--bank-weight", metavar="W", help="Share of the votes of --bank in a segment's scores."
    ),
]
NeighboursOption = Annotated[
    int,
    typer.Option("--neighbours", metavar="K", min=1, help="How many of --bank vote on a segment."),
]
DEFAULT_BANK_WEIGHT = 0.15
"""Chosen on photos with labels; docs/memory.md has the figures."""

DEFAULT_NEIGHBOURS = 16
"""As `usearch.classify.bank.NEIGHBOURS`, whose module would import NumPy for `--help`."""

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace tables and json that are there.")
]


def asked_classes(file: Path | None, names: list[str] | None) -> ClassList:
    """The class list that the options name.

    Raises:
        UsageError: None or two are named, or a name stands twice.
        InputError: The file cannot be used.
    """
    from usearch.classify import map_values
    from usearch.text.class_lists import read_class_list

    if file is not None and names:
        raise UsageError("--classes and --class are two lists", "give one of them")
    if file is None and not names:
        raise UsageError(
            "no class is named", "give a list with --classes FILE, or classes with --class NAME"
        )
    listed = read_class_list(file) if file is not None else _named("--class", names or [])
    map_values(len(listed))
    return listed


def contrast_classes(names: list[str] | None, listed: ClassList) -> ClassList | None:
    """The contrast classes that `--background` names.

    Raises:
        UsageError: A name stands twice or is a class, or one has parts.
    """
    if not names:
        return None
    found = _named("--background", names)
    if found.has_parts:
        raise UsageError("--background has no parts", "write a `>` in a name as `\\>`")
    known = {name.casefold() for one in listed.names for name in one}
    for name in (name for one in found.names for name in one):
        if name.casefold() in known:
            raise UsageError(f"{name!r} is a class and background", "leave it out of one of them")
    return found


def check_threshold(unknown: float) -> None:
    """Refuse a threshold that is no score.

    Raises:
        UsageError: It is not in 0..1.
    """
    if not 0.0 <= unknown <= 1.0:
        raise UsageError(f"--unknown {unknown}: scores lie between 0 and 1")


def _named(option: str, names: list[str]) -> ClassList:
    from usearch.text.class_lists import parse_classes

    # A leading # explains in a file; on a command line it is meant.
    lines = [f"\\{name.lstrip()}" if name.lstrip().startswith("#") else name for name in names]
    if not all(line.strip() for line in lines):
        raise UsageError(f"{option} is empty", f"name something: {option} sky")
    return parse_classes(lines, option, "no.")


def asked_bank(store: Path | None, weight: float, neighbours: int) -> Bank | None:
    """The bank that the options name; None without one.

    Raises:
        UsageError: The weight is not in 0..1.
        StoreNotFound: There is no store of that name.
        StoreError: It is damaged, or has no visual keys.
    """
    if store is None:
        return None
    if not 0.0 <= weight <= 1.0:
        raise UsageError(f"--bank-weight {weight}: weights lie between 0 and 1")
    from usearch.classify import open_bank
    from usearch.opened import named_store
    from usearch.store import open_snapshot

    return open_bank(open_snapshot(named_store(store)), weight, neighbours)
