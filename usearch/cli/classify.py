"""`usearch classify`: the classes of a whole collection, from what its store holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.class_options import (
    DEFAULT_BANK_WEIGHT,
    DEFAULT_NEIGHBOURS,
    BackgroundOption,
    BankOption,
    BankWeightOption,
    ClassesOption,
    ClassOption,
    ForceOption,
    NeighboursOption,
    PartsOption,
    UnknownOption,
    WhereOption,
    asked_bank,
    asked_classes,
    check_threshold,
    contrast_classes,
)
from usearch.cli.options import JsonOption, ModelOption, StoreOption, asked_model, chosen_store
from usearch.cli.output import SCHEMA_VERSION, is_terminal, note, result, terminal
from usearch.cli.second_model import (
    DEFAULT_SECOND_WEIGHT,
    SecondOption,
    SecondWeightOption,
    asked_second,
    second_for_store,
)
from usearch.errors import ExitCode, UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from usearch.classify import PhotoShares
    from usearch.classify.totals import Totals
    from usearch.opened import OpenStore
    from usearch.text.class_lists import ClassList


def classify(
    classes: ClassesOption = None,
    names: ClassOption = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write photos x classes: .csv, .json or .parquet; repeatable.",
            show_default=False,
        ),
    ] = None,
    long: Annotated[
        bool,
        typer.Option(
            "--long",
            help="Tables with a row for each photo and class: share, segments, best score.",
        ),
    ] = False,
    background: BackgroundOption = None,
    unknown: UnknownOption = 0.0,
    parts: PartsOption = True,
    min_share: Annotated[
        float,
        typer.Option(
            "--min-share",
            metavar="S",
            help="Share of a photo from which on it counts as one with the class.",
        ),
    ] = 0.01,
    where: WhereOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    second: SecondOption = None,
    second_weight: SecondWeightOption = DEFAULT_SECOND_WEIGHT,
    device: Annotated[
        str,
        typer.Option("--device", metavar="auto|cpu|cuda", help="Where --second runs."),
    ] = "auto",
    bank: BankOption = None,
    bank_weight: BankWeightOption = DEFAULT_BANK_WEIGHT,
    neighbours: NeighboursOption = DEFAULT_NEIGHBOURS,
    force: ForceOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what a collection is made of: shares of classes.

    \b
    usearch classify --class sky --class "tree, bush" --class building
    usearch classify --classes names.txt -o shares.csv
    usearch classify --classes names.txt -o long.parquet --long --unknown 0.05
    usearch classify --classes names.txt --where 'path ~ "2024/*"' --json

    Everything comes from the store: no photo is opened (but once for --second), so another
    list costs seconds. The
    rule is that of `usearch segment`; shares are those of its maps.

    Prints a line a class: mean share of the photos, photos that have the class (at least
    --min-share of their pixels), segments. --csv prints the photos instead, --json both.
    Exit code 1 when no photo is left to classify.
    """
    from usearch.classify import Rule, classify_store
    from usearch.classify.totals import add_photo, new_totals, total_values
    from usearch.cli.class_sources import check_stored_bank, stored_texts
    from usearch.cli.progress import count_bar
    from usearch.opened import OpenStore
    from usearch.render.share_files import format_of, share_writer
    from usearch.result_files import new_file
    from usearch.store import open_snapshot

    listed = asked_classes(classes, names)
    contrast = contrast_classes(background, listed)
    check_threshold(unknown)
    if not 0.0 <= min_share <= 1.0:
        raise UsageError(f"--min-share {min_share}: shares lie between 0 and 1")
    if csv and json:
        raise UsageError("--csv and --json both want stdout", "give one of them")
    files = output or []
    _check_files(files, classes, force)
    opened = OpenStore(open_snapshot(chosen_store(store)), asked_model(model))
    rows = None if where is None else opened.rows_where(where)
    other = asked_second(second, second_weight)
    memory = asked_bank(bank, bank_weight, neighbours)
    if memory is not None:
        check_stored_bank(memory, opened)
    texts = stored_texts(opened, listed, contrast)
    also = second_for_store(other, second_weight, device, opened, listed, contrast)
    found = classify_store(
        opened.snapshot, texts, Rule(unknown, parts), rows=rows, bank=memory, second=also
    )
    totals = new_totals(len(listed), min_share)
    # A table is begun with the first photo: where there is none, none is left behind.
    first = next(found, None)
    if first is None:
        note(_nothing(opened, where))
        raise typer.Exit(ExitCode.NO_MATCH)
    head = _head(opened, where, unknown)
    with ExitStack() as stack:
        progress = stack.enter_context(count_bar("classifying", opened.snapshot.n_photos, "photos"))
        outs = [
            (stack.enter_context(new_file(path, force=force)), format_of(path)) for path in files
        ]
        if csv or json:
            outs.append((sys.stdout.buffer, "csv" if csv else "json"))
        sinks = [
            stack.enter_context(
                share_writer(
                    out,
                    kind,
                    listed,
                    long=long,
                    head=head,
                    tail=lambda: {"totals": total_values(totals, listed.titles)},
                )
            )
            for out, kind in outs
        ]
        for photo in _chained(first, found):
            add_photo(totals, photo)
            for add in sinks:
                add(photo)
            progress(totals.photos)
    if not (csv or json):
        _print_totals(totals, listed)
    for path in files:
        note(f"{totals.photos} photos are in {path}")


def _check_files(files: list[Path], classes: Path | None, force: bool) -> None:
    from usearch.render.class_files import free_name
    from usearch.render.share_files import format_of
    from usearch.result_files import make_folder, refuse_existing

    for place, path in enumerate(files):
        format_of(path)
        others = [*files[:place], *([classes] if classes is not None else [])]
        if free_name(path, others) != path:
            raise UsageError(f"{path} is named twice, or is the class file", "name another file")
        make_folder(path.parent)
        refuse_existing(path, force=force)


def _head(opened: OpenStore, where: str | None, unknown: float) -> dict[str, Any]:
    return {
        "schema": f"usearch.classify/{SCHEMA_VERSION}",
        "schema_version": SCHEMA_VERSION,
        "command": "classify",
        "store": json_name(opened.snapshot.path),
        "preset": opened.snapshot.preset,
        "where": where,
        "unknown_below": unknown,
    }


def _chained(first: PhotoShares, rest: Iterator[PhotoShares]) -> Iterator[PhotoShares]:
    yield first
    yield from rest


def _print_totals(totals: Totals, listed: ClassList) -> None:
    from usearch.classify.totals import total_values

    rows = total_values(totals, listed.titles)["classes"]
    if not is_terminal():
        for row in rows:
            result(f"{row['name']}\t{row['share']:.4f}\t{row['photos']}\t{row['segments']}")
        return
    from usearch.render.tables import class_table

    terminal().print(class_table(f"{totals.photos} photos", rows))


def _nothing(opened: OpenStore, where: str | None) -> str:
    if where is not None:
        return f"no stored segment matches {where!r}"
    return f"the store {opened.snapshot.path} holds no photos; usearch index FOLDER fills it"
