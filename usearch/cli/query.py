"""`usearch query`: the segments that match words, pictures, or parts of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption, ModelOption, StoreOption, asked_model, chosen_store
from usearch.cli.output import note
from usearch.cli.query_output import Output, check_output, print_answers, write_files
from usearch.cli.query_terms import Typed, files_asked_as_words, typed_questions
from usearch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.opened import OpenStore
    from usearch.questions import AnyOf, Question


def query(
    text: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="What to look for.")
    ] = None,
    store: StoreOption = None,
    model: ModelOption = None,
    asked: Annotated[
        list[str] | None,
        typer.Option("-q", "--query", metavar="TERM", help="One of several: any of them counts."),
    ] = None,
    queries: Annotated[
        str | None,
        typer.Option("--queries", metavar="FILE", help="A question a line; - reads stdin."),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Answer every question by itself.")] = False,
    also: Annotated[
        list[str] | None,
        typer.Option("--and", metavar="TERM", help="Also part of what is looked for."),
    ] = None,
    minus: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="TERM", help="Leave out what is rather this."),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            "--image", "--like", metavar="FILE", help="A picture; FILE@x,y or FILE@x,y,w,h: a part."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="X,Y", help="What lies at this point of --image."),
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", metavar="X,Y,W,H", help="This box of --image.")
    ] = None,
    segment: Annotated[
        list[int] | None,
        typer.Option("--segment", metavar="ID", help="More like a segment of the store."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="FILTER", help="Search only there: 'area > 5% and ...'."),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "-k",
            "--top",
            metavar="N",
            help="The most hits to print.  [default: 10]",
            show_default=False,
        ),
    ] = None,
    per_image: Annotated[
        int | None, typer.Option("--per-image", metavar="N", help="The most hits of one photo.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="image", help="Rank photos, by their best segments."),
    ] = None,
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="Fold near copies (bursts, duplicates) into one.")
    ] = False,
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            metavar="S",
            help="Leave out hits that score less (0..1). Without it: the preset's cut-off.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print the nearest, matching or not.")
    ] = False,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="KEY", help="Order of the same hits: score, date, path."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what each hit is made of.")
    ] = False,
    preview: Annotated[
        str | None,
        typer.Option(
            "--preview",
            metavar="HOW",
            help="Pictures beside the hits on a terminal: kitty, iterm2, sixel, blocks, none.",
            show_default="what the terminal can show",
        ),
    ] = None,
    no_preview: Annotated[
        bool, typer.Option("--no-preview", help="The same as --preview none.")
    ] = False,
    json: JsonOption = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    paths: Annotated[
        bool, typer.Option("--paths", help="Print only the photos, each once.")
    ] = False,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="End each of --paths with a zero byte.")
    ] = False,
    crops: Annotated[
        Path | None, typer.Option("--crops", metavar="DIR", help="Write a picture a hit.")
    ] = None,
    cutout: Annotated[
        bool, typer.Option("--cutout", help="Write --crops as cut-outs with a clear ground.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to look at.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open --html in a browser.")] = False,
    links: Annotated[
        bool, typer.Option("--links", help="Let --html link to the photos' files on this machine.")
    ] = False,
    coco: Annotated[
        Path | None, typer.Option("--coco", metavar="FILE", help="Write the hits as COCO JSON.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="Write the hits as a table.")
    ] = None,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Put the vectors into --parquet.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Find the segments that match words, pictures, or parts of pictures.

    \b
    usearch query "red car"
    usearch query dog --not cage --per-image 1 --html dogs.html --open
    usearch query -q cat -q dog --where "area > 5%" --json
    usearch query --image shop.jpg --at 812,430
    usearch query --queries list.txt --each --csv > found.csv

    A TERM is a text, a picture (./a.jpg, /a.jpg), a part of one (./a.jpg@x,y or
    ./a.jpg@x,y,w,h), or segment:ID; 2:TERM weighs twice. A backslash in front makes text of
    anything. Several -q are one ranking of whatever matches any of them.

    On a terminal: a table. Otherwise one line a hit, separated by tabs: rank, score,
    cosine, box (x0,y0,x1,y1 in pixels of the photo as shown), share of the photo, path.
    The score says how likely the segment is what was asked for; ranking is by cosine.
    Exit code 1 when nothing matches. docs/queries.md has the details.
    """
    from usearch.opened import OpenStore
    from usearch.settings import setting
    from usearch.store import open_snapshot

    if no_preview:
        if preview not in (None, "none"):
            raise UsageError(f"--no-preview and --preview {preview}", "choose one")
        preview = "none"
    output = Output(
        json, jsonl, csv, paths, null, preview, explain, crops, cutout, html, show, coco, parquet,
        vectors, force, links,
    )  # fmt: skip
    check_output(output)
    options = _checked_options(
        k=setting("top", top),
        where=where,
        per_image=setting("per_image", per_image),
        group=group,
        dedupe=dedupe,
        min_score=min_score,
        everything=everything,
        sort=sort,
    )
    typed = Typed(
        text or (), asked or (), queries, each, also or (), minus or (), image or (), at, box,
        segment or (),
    )  # fmt: skip
    questions = typed_questions(typed)
    opened = OpenStore(open_snapshot(chosen_store(store)), asked_model(model))
    answers = opened.ask_each(questions, **options)
    explained = _explained(opened, answers, questions) if explain else []
    # Files first: who reads stdout may leave early.
    write_files(output, opened, answers)
    print_answers(output, opened, answers, explained, each)
    _notes(opened, answers, output)
    for words in files_asked_as_words(typed):
        note(f"{words!r} was asked as words; the file here is asked with ./{words}")
    if not any(answer.hits for answer in answers):
        raise typer.Exit(ExitCode.NO_MATCH)


def _checked_options(
    *,
    k: int,
    where: str | None,
    per_image: int | None,
    group: str | None,
    dedupe: bool,
    min_score: float | None,
    everything: bool,
    sort: str | None,
) -> dict[str, Any]:
    """The options of `OpenStore.ask_each`, refused with the names they have here."""
    from usearch.settings import setting

    if k < 1:
        raise UsageError(f"--top {k}: at least 1 hit must be asked for")
    if per_image is not None and per_image < 1:
        raise UsageError(f"--per-image {per_image}: at least 1 hit a photo must be asked for")
    if group not in (None, "image"):
        raise UsageError(f"--group {group}: hits are grouped by image only", "--group image")
    if everything and min_score is not None:
        raise UsageError("--all and --min-score: one shows what the other leaves out", "choose one")
    if min_score is not None and not 0.0 <= min_score <= 1.0:
        raise UsageError(f"--min-score {min_score}: scores lie between 0 and 1")
    if sort not in (None, "score", "date", "path"):
        raise UsageError(f"--sort {sort}: hits can be sorted by score, date or path")
    if where is not None:
        from usearch.filters import parse_filter

        # A mistake in it is told before a model is loaded.
        parse_filter(where)
    return {
        "k": k,
        "where": where,
        "per_image": per_image,
        "group": group is not None,
        "dedupe": dedupe,
        "min_score": None if everything else setting("min_score", min_score),
        "everything": everything,
        "sort": sort,
    }


def _explained(
    opened: OpenStore, answers: Sequence[Answer], questions: Sequence[Question | AnyOf]
) -> list[Any]:
    return [
        opened.explain(answer, question)
        for answer, question in zip(answers, questions, strict=True)
    ]


def _notes(opened: OpenStore, answers: Sequence[Answer], output: Output) -> None:
    """What people should know: damage, what was searched and left out, why nothing came."""
    for warning in opened.snapshot.warnings:
        note(warning)
    for answer in answers:
        if not answer.hits:
            note(_nothing(opened, answer))
        elif answer.below and output.form in ("table", "lines"):
            asked = f"{answer.question!r}: " if len(answers) > 1 else ""
            more = "1 more is" if answer.below == 1 else f"{answer.below:,} more are"
            note(f"{asked}{more} near but score below {answer.cutoff:.2f}; --all")
    if output.form == "table" and any(answer.hits for answer in answers):
        note(f"searched {answers[0].photos:,} photos, {answers[0].segments:,} segments")


def _nothing(opened: OpenStore, answer: Answer) -> str:
    from usearch.search import shown_path

    if opened.snapshot.n_segments == 0:
        return f"the store {opened.snapshot.path} holds no segments; usearch index FOLDER fills it"
    if answer.segments == 0:
        return "no segment passes the filter of --where"
    looked = f"searched {answer.photos:,} photos, {answer.segments:,} segments"
    if answer.best is None:
        return (
            f"nothing here matches {answer.question!r}: all is rather what was not wanted; {looked}"
        )
    return (
        f"nothing here matches {answer.question!r}: {looked}; the best scores "
        f"{answer.best.score:.2f}, the cut-off is {answer.cutoff:.2f}\n"
        f"  it is in {shown_path(answer.best.image)}; --all shows the nearest anyway"
    )
