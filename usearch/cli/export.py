"""`usearch export`: segments as files of other tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import json_result, note, result
from usearch.errors import ExitCode, UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from usearch.answers import Answer
    from usearch.exports import Format
    from usearch.opened import OpenStore

_ENDINGS = {".json": "coco", ".parquet": "parquet", ".xml": "cvat"}


def export(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PATH", help="The file; a folder for labelme.")
    ],
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option(
            "-f",
            "--format",
            metavar="coco|parquet|cvat|labelme|labelstudio",
            help="Without it: by the ending of PATH, .json (coco), .parquet or .xml (cvat).",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where", metavar="FILTER", help="Only segments that match; docs/filters.md."
        ),
    ] = None,
    queries: Annotated[
        list[str] | None,
        typer.Option(
            "-q",
            "--query",
            metavar="TERM",
            help="Only segments that match this, labelled with it; repeatable. As in query.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "-k",
            "--top",
            metavar="N",
            min=1,
            help="The most hits of each --query; 1000 without it.",
            show_default=False,
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            metavar="S",
            help="Leave out hits that score less (0..1). Without it: the preset's cut-off.",
            show_default=False,
        ),
    ] = None,
    polygons: Annotated[
        bool,
        typer.Option(
            "--polygons",
            help="Outlines, holes filled, instead of masks (coco, cvat, labelme).",
        ),
    ] = False,
    vectors: Annotated[
        bool, typer.Option("--vectors/--no-vectors", help="Whether parquet holds the vectors.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write segments in the format of another tool.

    \b
    usearch export -o segments.json                        # COCO, all segments
    usearch export -o cars.xml -q "red car" -k 500         # CVAT for images 1.1
    usearch export -o big.parquet --where "area > 10%"     # a table, with vectors
    usearch export -o annotations -f labelme --polygons    # a folder of JSON files

    Masks are in pixels of the photo as shown, but for parquet, which keeps the mask's own
    grid. A file is there whole or not at all; one that exists is replaced only with --force.
    Prints the file and how many segments it holds. Exit code 1 when there is nothing to
    export; then nothing is written.
    """
    from usearch.cli.progress import count_bar
    from usearch.opened import OpenStore
    from usearch.question_syntax import parse_term
    from usearch.questions import Question
    from usearch.settings import setting
    from usearch.store import open_snapshot

    kind = _chosen_format(output, format)
    if polygons and kind in ("parquet", "labelstudio"):
        raise UsageError(f"{kind} holds masks, not polygons", "leave --polygons out")
    if not queries and (top is not None or min_score is not None):
        raise UsageError("--top and --min-score choose hits of a --query", "name a --query TERM")
    opened = OpenStore(open_snapshot(chosen_store(store)))
    if queries:
        asked = [Question((parse_term(query),)) for query in queries]
        least = setting("min_score", min_score)
        answers = opened.ask_each(asked, top or 1000, where=where, min_score=least)
        selected = sum(len(answer.hits) for answer in answers)
    else:
        rows = opened.snapshot.live_rows() if where is None else opened.rows_where(where)
        selected = len(rows)
    if not selected:
        if json:
            json_result("export", _document(opened, None, kind, 0, queries, where))
        note(f"nothing to export: {_why_nothing(opened, where, queries)}")
        raise typer.Exit(ExitCode.NO_MATCH)
    with count_bar("writing", selected, "segments") as progress:
        how = _How(output, kind, force, polygons, vectors, progress)
        written = _write_hits(opened, answers, how) if queries else _write_rows(opened, rows, how)
    if json:
        json_result("export", _document(opened, output, kind, written, queries, where))
    else:
        result(f"{output}\t{written}")


def _chosen_format(output: Path, asked: str | None) -> Format:
    from usearch.exports import FORMATS

    for kind in FORMATS:
        if kind == (asked or _ENDINGS.get(output.suffix.lower())):
            return kind
    known = ", ".join(FORMATS)
    if asked is None:
        raise UsageError(
            f"the ending of {output} says no format", f"name one with --format: {known}"
        )
    raise UsageError(f"no format {asked!r}", f"formats: {known}")


@dataclass(frozen=True, slots=True)
class _How:
    """Where an export goes, and how it is written."""

    output: Path
    kind: Format
    force: bool
    polygons: bool
    vectors: bool
    progress: Callable[[int], None]


def _write_rows(opened: OpenStore, rows: npt.NDArray[np.int64], how: _How) -> int:
    from usearch.exports import export_segments

    return export_segments(
        opened.snapshot,
        rows,
        how.output,
        how.kind,
        force=how.force,
        polygons=how.polygons,
        vectors=how.vectors,
        progress=how.progress,
    )


def _write_hits(opened: OpenStore, answers: list[Answer], how: _How) -> int:
    from usearch.exports import export_source
    from usearch.exports.sources import FoundSegments
    from usearch.render.hit_files import write_hits_parquet

    if how.kind == "parquet":
        vectors = opened.hit_vectors(answers) if how.vectors else None
        return write_hits_parquet(how.output, answers, vectors, force=how.force)
    return export_source(
        FoundSegments(answers),
        how.output,
        how.kind,
        force=how.force,
        polygons=how.polygons,
        progress=how.progress,
    )


def _why_nothing(opened: OpenStore, where: str | None, queries: list[str] | None) -> str:
    if not opened.snapshot.n_segments:
        return f"the store {opened.snapshot.path} holds no segments; usearch index FOLDER fills it"
    if queries:
        return "no segment matches " + " or ".join(repr(query) for query in queries)
    return f"no segment matches the filter {where!r}"


def _document(
    opened: OpenStore,
    output: Path | None,
    kind: Format,
    written: int,
    queries: list[str] | None,
    where: str | None,
) -> dict[str, Any]:
    return {
        "store": json_name(opened.snapshot.path),
        "output": None if output is None else json_name(output.absolute()),
        "format": kind,
        "segments": written,
        "queries": [json_name(query) for query in queries or []],
        "where": where,
    }
