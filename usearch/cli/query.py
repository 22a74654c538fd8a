"""`usearch query`: the segments that match some words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import is_terminal, json_path, json_result, note, result, terminal
from usearch.errors import ExitCode

if TYPE_CHECKING:
    from usearch.opened import OpenStore
    from usearch.search import Hit


def query(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to look for.")],
    store: StoreOption = None,
    top: Annotated[
        int, typer.Option("-k", "--top", metavar="N", help="The most hits to print.")
    ] = 10,
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
    json: JsonOption = False,
) -> None:
    """Find the segments that match some words.

    \b
    usearch query "red car"
    usearch query grass -k 50 --json

    On a terminal: a table. Otherwise one line a hit, separated by tabs: rank, score,
    cosine, box (x0,y0,x1,y1 in pixels of the photo as shown), share of the photo, path.
    The score says how likely the segment is what was asked for; ranking is by cosine.
    Exit code 1 when nothing matches.
    """
    from usearch.errors import UsageError
    from usearch.opened import OpenStore
    from usearch.search import checked_text
    from usearch.store import open_snapshot

    text = checked_text(text)
    if top < 1:
        raise UsageError(f"--top {top}: at least 1 hit must be asked for")
    if min_score is not None and not 0.0 <= min_score <= 1.0:
        raise UsageError(f"--min-score {min_score}: scores lie between 0 and 1")
    opened = OpenStore(open_snapshot(chosen_store(store)))
    nearest = opened.query(text, top)
    cutoff = min_score if min_score is not None else opened.calibration.cutoff
    hits = nearest if everything else [hit for hit in nearest if hit.score >= cutoff]
    if json:
        json_result("query", _document(opened, text, cutoff, hits))
    elif is_terminal():
        _print_table(text, hits)
    else:
        _print_lines(hits)
    if not hits:
        note(_nothing(opened, text, cutoff, nearest))
        raise typer.Exit(ExitCode.NO_MATCH)
    if len(hits) < len(nearest) and not json:
        note(f"{len(nearest) - len(hits)} more are near but score below {cutoff:.2f}; --all")


def _print_table(text: str, hits: list[Hit]) -> None:
    from usearch.render.tables import hit_table

    if hits:
        terminal().print(hit_table(text, hits))


def _print_lines(hits: list[Hit]) -> None:
    from usearch.render.safe_text import printable
    from usearch.search import shown_path

    for hit in hits:
        box = ",".join(f"{value:g}" for value in _round(hit.box))
        path = printable(shown_path(hit.image))
        result(
            f"{hit.rank}\t{hit.score:.3f}\t{hit.cosine:.4f}\t{box}\t{hit.area_share:.4f}\t{path}"
        )


def _document(opened: OpenStore, text: str, cutoff: float, hits: list[Hit]) -> dict[str, Any]:
    snapshot = opened.snapshot
    return {
        "query": {"text": text},
        "store": json_path(snapshot.path),
        "preset": snapshot.preset,
        "photos": snapshot.n_photos,
        "segments": snapshot.n_segments,
        "cutoff": cutoff,
        "hits": [hit_values(hit) for hit in hits],
    }


def hit_values(hit: Hit) -> dict[str, Any]:
    """A hit as the plain JSON values that `--json` prints."""
    values: dict[str, Any] = {
        "rank": hit.rank,
        "cosine": round(hit.cosine, 6),
        "score": round(hit.score, 6),
        "image": json_path(hit.image),
        "photo_size": {"width": hit.width, "height": hit.height},
        "box": _round(hit.box),
        "area_share": round(hit.area_share, 6),
        "segment": hit.segment,
        "photo": hit.photo,
        "rle": {"size": list(hit.mask_size), "counts": hit.rle.decode("ascii")},
    }
    try:
        hit.image.encode()
    except UnicodeEncodeError:
        import base64
        import os

        # JSON has no bytes: the exact name goes beside the readable one.
        values["image_base64"] = base64.b64encode(os.fsencode(hit.image)).decode("ascii")
    return values


def _round(box: tuple[float, float, float, float]) -> list[float]:
    return [round(float(value), 2) for value in box]


def _nothing(opened: OpenStore, text: str, cutoff: float, nearest: list[Hit]) -> str:
    from usearch.search import shown_path

    if not nearest:
        return f"the store {opened.snapshot.path} holds no segments; usearch index FOLDER fills it"
    best = max(nearest, key=lambda hit: hit.score)
    return (
        f"nothing here matches {text!r}: the best of {opened.snapshot.n_segments} segments scores "
        f"{best.score:.2f}, the cut-off is {cutoff:.2f}\n"
        f"  it is in {shown_path(best.image)}; --all shows the nearest anyway"
    )
