"""Where the answers of `usearch query` go: one form on stdout, and any number of files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from usearch.cli.output import (
    is_terminal,
    json_result,
    note,
    open_in_browser,
    result,
    terminal,
    write_bytes,
)
from usearch.errors import UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.explain import Explanation
    from usearch.opened import OpenStore
    from usearch.render.terminal_pictures import Protocol

Form = Literal["json", "jsonl", "csv", "paths", "table", "lines"]


@dataclass(frozen=True, slots=True)
class Output:
    """The options that say what becomes of the answers."""

    json: bool = False
    jsonl: bool = False
    csv: bool = False
    paths: bool = False
    null: bool = False
    preview: str | None = None
    explain: bool = False
    crops: Path | None = None
    cutout: bool = False
    html: Path | None = None
    show: bool = False
    coco: Path | None = None
    parquet: Path | None = None
    vectors: bool = False
    force: bool = False
    links: bool = False

    @property
    def form(self) -> Form:
        """What is printed."""
        if self.json:
            return "json"
        if self.jsonl:
            return "jsonl"
        if self.csv:
            return "csv"
        if self.paths:
            return "paths"
        return "table" if is_terminal() else "lines"


def check_output(output: Output) -> None:
    """Refuse options that do not go together, before any work is done.

    Raises:
        UsageError: They do not.
    """
    forms = ("json", "jsonl", "csv", "paths")
    chosen = [f"--{form}" for form in forms if getattr(output, form)]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)}: stdout has one form", "choose one of them")
    needs = (
        ("null", "-0", "paths", "--paths"),
        ("cutout", "--cutout", "crops", "--crops DIR"),
        ("show", "--open", "html", "--html FILE"),
        ("links", "--links", "html", "--html FILE"),
        ("vectors", "--vectors", "parquet", "--parquet FILE"),
    )
    for name, option, needed, with_option in needs:
        if getattr(output, name) and not getattr(output, needed):
            raise UsageError(f"{option} goes with {with_option}", f"add {with_option}")
    if output.preview is not None:
        from usearch.render.terminal_pictures import PROTOCOLS

        if output.preview not in ("auto", *PROTOCOLS):
            raise UsageError(
                f"--preview {output.preview} is no way to show pictures",
                f"one of: auto, {', '.join(PROTOCOLS)}",
            )
    files = [file for file in (output.html, output.coco, output.parquet) if file is not None]
    if len(set(files)) < len(files):
        raise UsageError("two files have the same name", "give each its own")
    from usearch.result_files import refuse_existing

    for file in files:
        refuse_existing(file, force=output.force)
    if output.explain and (output.jsonl or output.csv or output.paths):
        raise UsageError(f"--explain and {chosen[0]}: there is no place for it", "use --json")


def print_answers(
    output: Output,
    opened: OpenStore,
    answers: Sequence[Answer],
    explained: Sequence[Sequence[Explanation]],
    each: bool,
) -> None:
    """Write answers to stdout, in the form that was asked for."""
    form = output.form
    if form == "json":
        json_result("query", _document(opened, answers, explained, each))
    elif form == "jsonl":
        from usearch.render.hit_lines import json_lines

        sys.stdout.writelines(f"{line}\n" for line in json_lines(answers))
    elif form == "csv":
        from usearch.render.hit_lines import csv_lines

        write_bytes("".join(f"{line}\r\n" for line in csv_lines(*answers)).encode())
    elif form == "paths":
        from usearch.render.hit_lines import path_bytes, path_lines

        paths = path_lines(*answers)
        write_bytes(path_bytes(paths, null=output.null, terminal=is_terminal()))
    elif form == "table":
        _print_tables(output, opened, answers, explained)
    else:
        _print_lines(answers, explained, each)


def write_files(output: Output, opened: OpenStore, answers: Sequence[Answer]) -> None:
    """Write the files that were asked for, and say where they are.

    Raises:
        InputError: One cannot be written.
    """
    if output.crops is not None:
        from usearch.render.crops import write_crops
        from usearch.stored_photos import photo_reader

        hits = [hit for answer in answers for hit in answer.hits]
        read = photo_reader(opened.snapshot)
        written = write_crops(
            output.crops, hits, cutout=output.cutout, read_photo=read, skipped=note
        )
        note(f"{len(written)} {'cut-outs' if output.cutout else 'crops'} are in {output.crops}")
    if output.html is not None:
        _write_page(output, opened, answers)
    if output.parquet is not None:
        from usearch.render.hit_files import write_hits_parquet

        vectors = opened.hit_vectors(answers) if output.vectors else None
        rows = write_hits_parquet(output.parquet, answers, vectors, force=output.force)
        note(f"{rows} hits are in {output.parquet}")
    if output.coco is not None:
        from usearch.render.hit_files import write_hits_coco

        note(
            f"{write_hits_coco(output.coco, answers, force=output.force)} hits are in {output.coco}"
        )


def _write_page(output: Output, opened: OpenStore, answers: Sequence[Answer]) -> None:
    from usearch.render.gallery import gallery_html
    from usearch.result_files import new_file
    from usearch.stored_photos import photo_reader

    assert output.html is not None
    title = ", ".join(answer.question for answer in answers[:4])
    title += f" and {len(answers) - 4} more" if len(answers) > 4 else ""
    read = photo_reader(opened.snapshot)
    page = gallery_html(answers, title=title, read_photo=read, links=output.links, skipped=note)
    with new_file(output.html, force=output.force) as file:
        file.write(page.encode("utf-8", "replace"))
    note(f"the page is {output.html}")
    if output.show:
        open_in_browser(output.html.absolute().as_uri())


def _document(
    opened: OpenStore,
    answers: Sequence[Answer],
    explained: Sequence[Sequence[Explanation]],
    each: bool,
) -> dict[str, Any]:
    from usearch.render.hit_lines import answer_values

    store = {
        "store": json_name(opened.snapshot.path),
        "preset": opened.snapshot.preset,
        "calibrated": opened.calibration.calibrated,
    }
    documents = [answer_values(answer) for answer in answers]
    for document, explanations in zip(documents, explained, strict=False):
        for hit, explanation in zip(document["hits"], explanations, strict=True):
            hit["explain"] = explanation.values()
    return {**store, "answers": documents} if each else {**store, **documents[0]}


def _print_tables(
    output: Output,
    opened: OpenStore,
    answers: Sequence[Answer],
    explained: Sequence[Sequence[Explanation]],
) -> None:
    protocol = "none" if output.explain else _protocol(output.preview)
    for i, answer in enumerate(answers):
        if answer.hits and protocol != "none":
            from usearch.render.terminal_hits import print_hits
            from usearch.stored_photos import photo_reader

            read = photo_reader(opened.snapshot)
            print_hits(sys.stdout, answer, protocol, read_photo=read, environ=os.environ)
        elif answer.hits:
            from usearch.render.tables import hit_table

            terminal().print(hit_table(answer))
        for hit, explanation in zip(answer.hits, explained[i] if explained else (), strict=False):
            result(f"{hit.rank}. segment {hit.segment}")
            for line in explanation.lines():
                result(line)


def _protocol(given: str | None) -> Protocol:
    from usearch.render.terminal_pictures import picture_protocol
    from usearch.settings import setting

    return picture_protocol(os.environ, sys.stdout, setting("preview", given))


def _print_lines(
    answers: Sequence[Answer], explained: Sequence[Sequence[Explanation]], each: bool
) -> None:
    from usearch.render.hit_lines import rounded_box
    from usearch.render.safe_text import printable
    from usearch.search import shown_path

    for i, answer in enumerate(answers):
        for j, hit in enumerate(answer.hits):
            box = ",".join(f"{value:g}" for value in rounded_box(hit))
            asked = answer.question if each else hit.matched
            values = [str(hit.rank), f"{hit.score:.3f}", f"{hit.cosine:.4f}", box]
            values += [f"{hit.area_share:.4f}", printable(shown_path(hit.image))]
            result("\t".join([printable(asked), *values] if asked else values))
            for line in explained[i][j].lines() if explained else ():
                result(line)
