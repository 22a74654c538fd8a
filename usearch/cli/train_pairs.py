"""`usearch train pairs`: label files that people have as pairs to train on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption
from usearch.cli.output import is_terminal, json_result, note, result, terminal
from usearch.errors import UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.pair_counts import PairCounts
    from trainer.pairs import PairImage
    from trainer.readers import Report

_EVERY_SECONDS = 10.0
_NAMES = 12


def pairs(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A label file, or a folder; see below.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The Parquet file of pairs."),
    ] = None,
    count: Annotated[
        bool, typer.Option("--count", help="Check and count the source; write nothing.")
    ] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Folder of the photos. Without it: looked for beside SOURCE.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option("--masks", metavar="DIR", help="Folder of mask PNGs (panoptic, folder)."),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            "--classes", metavar="FILE", help="Class list of index PNGs, one class a line (folder)."
        ),
    ] = None,
    first_index: Annotated[
        int | None,
        typer.Option(
            "--first-index",
            metavar="0|1",
            min=0,
            help="Value of the list's first class in the PNGs (folder).",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[int] | None,
        typer.Option(
            "--ignore", metavar="N", help="A value of the PNGs that is no class; repeatable."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="ROLE=NAME",
            help="What a column of a table is: photo, segments, mask, box, texts, height, width, "
            "licence or split; repeatable.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--form",
            metavar="NAME",
            help="What SOURCE is, where its content does not tell: pairs, instances, captions, "
            "panoptic, vg-regions, vg-objects, table or folder.",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Source of the photos; begins their ids.")
    ] = "",
    licence: Annotated[
        str,
        typer.Option("--licence", metavar="TEXT", help="Terms of photos where SOURCE has none."),
    ] = "",
    split: Annotated[
        str,
        typer.Option(
            "--split",
            metavar="train|held",
            help="Part of all photos. Without it: 3 % are held, by a hash of the file's name.",
        ),
    ] = "",
    max_side: Annotated[
        int | None,
        typer.Option(
            "--max-side",
            metavar="PX",
            min=16,
            help="Reduce larger photos to this longest side, and their masks.",
        ),
    ] = None,
    paths: Annotated[
        bool, typer.Option("--paths", help="Keep the paths of the photos, not their bytes.")
    ] = False,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave wrong entries out, and report them.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Make pairs of segments and texts from label files, or count them.

    \b
    usearch train pairs annotations/instances_train2017.json --images train2017 -o coco.parquet
    usearch train pairs captions_train2017.json --images train2017 -o captions.parquet
    usearch train pairs panoptic_train2017.json --masks panoptic_train2017 -o panoptic.parquet
    usearch train pairs region_descriptions.json --images VG --skip-invalid -o vg.parquet
    usearch train pairs use_labels.zip --images train2017 -o use.parquet    # any table
    usearch train pairs rooms --first-index 1 -o rooms.parquet  # images, masks, classes.txt
    usearch train pairs coco.parquet --count                    # what is in it

    SOURCE is recognised by its content: COCO instances, captions or panoptic json, Visual
    Genome region descriptions or objects, pairs, a folder of photos with index PNGs and a
    class list, or a table of masks and texts in any columns. How it was read is said.

    The file is there whole or not at all. Wrong entries are reported with file, row and
    field, and nothing is written, unless --skip-invalid. docs/pairs.md has the forms.
    """
    from trainer.pair_counts import PairCounts, count_pairs, counted
    from trainer.pairs import write_pairs
    from trainer.readers import Report, open_pairs
    from trainer.readers.opening import recognise
    from trainer.readers.options import Options

    if (output is None) is not count:
        raise UsageError(
            "say where the pairs go, or that they are only to be counted",
            "add -o FILE.parquet, or --count",
        )
    if output is not None:
        _check_output(output, source, force)
    if split not in ("", "train", "held"):
        raise UsageError(f"no split {split!r}", "photos are in train or in held")
    given: dict[str, Any] = {
        "form": form,
        "images": images,
        "masks": masks,
        "classes": classes,
        "first_index": first_index,
        "ignore": tuple(ignore or ()),
        "columns": _columns(column or []),
        "name": name,
        "licence": licence,
        "split": split,
        "max_side": max_side,
        "paths": paths,
    }
    report = Report(skip_invalid=skip_invalid, tell=note)
    if count and (form or recognise(source, Options(**given))) == "pairs":
        counts = count_pairs(source)
    else:
        counts = PairCounts()
        photos = _told(counted(open_pairs(source, report=report, **given), counts), counts)
        if output is not None:
            write_pairs(photos, output)
        else:
            for _ in photos:
                pass
    _say_left_out(report)
    if json:
        json_result("train pairs", _document(source, output, counts, report))
        return
    if output is not None:
        result(f"{output}\t{counts.photos}")
    _show(counts, to_stdout=output is None)


def _columns(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        role, equals, column = one.partition("=")
        if not equals or not column:
            raise UsageError(f"--column {one!r} is not ROLE=NAME", "such as --column texts=phrases")
        found[role.strip()] = column.strip()
    return found


def _check_output(output: Path, source: Path, force: bool) -> None:
    from usearch.result_files import refuse_existing

    if output.suffix.lower() != ".parquet":
        raise UsageError(f"{output} does not end with .parquet", "pairs are Parquet files")
    if output.resolve() == source.resolve():
        raise UsageError(f"{output} is the source itself", "name another file")
    refuse_existing(output, force=force)


def _told(photos: Iterator[PairImage], counts: PairCounts) -> Iterator[PairImage]:
    """The photos, with a line now and then about how many there were."""
    said = time.monotonic()
    for photo in photos:
        yield photo
        if time.monotonic() - said >= _EVERY_SECONDS:
            said = time.monotonic()
            note(f"{counts.photos:,} photos, {counts.segments:,} segments")


def _say_left_out(report: Report) -> None:
    for what, n in report.left_out.most_common():
        note(f"{what}: {n:,}")
    for problem in report.problems:
        note(f"left out: {problem}")
    if report.n_problems > len(report.problems):
        note(f"... and {report.n_problems - len(report.problems):,} more entries left out")


def _show(counts: PairCounts, *, to_stdout: bool) -> None:
    """The counts: a table on a terminal, else lines; on stderr beside a written file."""
    say = result if to_stdout else note
    heads = ("source", "terms stated", "photos", "held", "segments", "texts")
    rows = [
        (
            source,
            terms or "none",
            *(f"{n:,}" for n in (row.photos, row.held, row.segments, row.texts)),
        )
        for (source, terms), row in sorted(counts.sources.items())
    ]
    if to_stdout and is_terminal():
        from usearch.render.listing import listing

        terminal().print(listing(heads, rows))
    else:
        for row in (heads, *rows):
            say(("\t" if to_stdout else "  ").join(row))
    for line in _lines(counts):
        say(line)


def _lines(counts: PairCounts) -> list[str]:
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in counts.kinds.most_common())
    names = ", ".join(f"{name[:40]} {n:,}" for name, n in counts.names.most_common(_NAMES))
    per = counts.segments / max(counts.photos, 1), counts.texts / max(counts.segments, 1)
    lines = [
        f"{counts.photos:,} photos ({counts.held:,} held out), {counts.segments:,} segments "
        f"({per[0]:.1f} a photo), {counts.texts:,} texts ({per[1]:.1f} a segment, "
        f"{counts.different:,} different)",
        f"segments by kind: {kinds or 'none'}",
        f"most frequent names: {names or 'none'}",
    ]
    if counts.non_commercial:
        lines.append(f"{counts.non_commercial:,} photos ask for non-commercial use")
    if counts.no_terms:
        lines.append(f"{counts.no_terms:,} photos state no terms")
    return lines


def _document(
    source: Path, output: Path | None, counts: PairCounts, report: Report
) -> dict[str, Any]:
    return {
        "source": json_name(source),
        "output": None if output is None else json_name(output.absolute()),
        "photos": counts.photos,
        "held": counts.held,
        "segments": counts.segments,
        "texts": counts.texts,
        "different_texts": counts.different,
        "kinds": dict(counts.kinds),
        "non_commercial_photos": counts.non_commercial,
        "photos_without_terms": counts.no_terms,
        "sources": [
            {
                "source": json_name(name),
                "terms": json_name(terms),
                "photos": row.photos,
                "held": row.held,
                "segments": row.segments,
                "texts": row.texts,
            }
            for (name, terms), row in sorted(counts.sources.items())
        ],
        "frequent_names": [
            {"name": json_name(name), "segments": n} for name, n in counts.names.most_common(_NAMES)
        ],
        "understood": [json_name(line) for line in report.understood],
        "left_out": {json_name(what): n for what, n in report.left_out.items()},
        "problems": [json_name(line) for line in report.problems],
        "n_problems": report.n_problems,
    }
