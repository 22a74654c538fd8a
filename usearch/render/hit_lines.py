"""Hits as text for programs: JSON values, JSON lines, CSV, paths. docs/formats.md is the contract.

Nothing prints here. JSON is ASCII and CSV holds no control character, so both are the same
bytes in every locale and cannot steer a terminal; paths can be had as the exact bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from usearch.render.csv_cells import csv_line, no_formula
from usearch.render.safe_text import json_name, printable

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.hits import Hit

LINES_SCHEMA = "usearch.query.lines/1"
"""What a line of `--jsonl` is valid against: `usearch/schemas/query.lines.json`."""

CSV_COLUMNS = (
    "question", "rank", "score", "cosine", "image", "x0", "y0", "x1", "y1", "area_share",
    "width", "height", "segment", "photo", "parent", "depth", "segmenter_score", "matched",
    "folded", "taken_at", "camera", "image_base64",
)  # fmt: skip
"""Header of `--csv`. Columns may be added at the end, nothing else changes."""


def hit_values(hit: Hit) -> dict[str, Any]:
    """A hit as plain JSON values: the object that `--json` and `--jsonl` print."""
    values: dict[str, Any] = {
        "rank": hit.rank,
        "cosine": round(hit.cosine, 6),
        "score": round(hit.score, 6),
        "image": json_name(hit.image),
        "photo_size": {"width": hit.width, "height": hit.height},
        "box": rounded_box(hit),
        "area_share": round(hit.area_share, 6),
        "segment": hit.segment,
        "photo": hit.photo,
        "parent": hit.parent,
        "depth": hit.depth,
        "segmenter_score": round(hit.segmenter_score, 6),
        "matched": _text(hit.matched),
        "folded": hit.folded,
        "taken_at": hit.taken_at,
        "camera": hit.camera,
        "rle": {"size": list(hit.mask_size), "counts": hit.rle.decode("ascii")},
    }
    if not _is_utf8(hit.image):
        # JSON has no bytes: the exact name goes beside the readable one.
        values["image_base64"] = _base64(hit.image)
    return values


def answer_values(answer: Answer) -> dict[str, Any]:
    """An answer as plain JSON values; `hits` are in their order, `best` is null without any."""
    return {
        "query": {"text": _text(answer.question)},
        **_searched(answer),
        "hits": [hit_values(hit) for hit in answer.hits],
    }


def json_lines(answers: Sequence[Answer]) -> Iterator[str]:
    """JSON objects without line ends, each with a `type`.

    For each answer: one `begin`, a `hit` for each hit, one `summary`. Each names its question,
    so that a line is understood alone.
    """
    import json

    for answer in answers:
        question = _text(answer.question)
        begin = {"type": "begin", "schema": LINES_SCHEMA, "question": question}
        yield json.dumps(begin)
        for hit in answer.hits:
            yield json.dumps({"type": "hit", "question": question, **hit_values(hit)})
        end = {"type": "summary", "question": question, "hits": len(answer.hits)}
        yield json.dumps(end | _searched(answer))


def csv_lines(*answers: Answer) -> Iterator[str]:
    """A header and one record a hit, RFC 4180, without the line ends (which are CR LF there).

    A record is one line: control characters are written as escapes, and `image_base64` has
    the exact path where `image` differs from it. Text that a spreadsheet would take for a
    formula gets an apostrophe in front; a path begins with "/" and never is one.
    """
    yield ",".join(CSV_COLUMNS)
    for answer in answers:
        for hit in answer.hits:
            yield csv_line(_csv_values(answer, hit))


def path_lines(*answers: Answer) -> list[str]:
    """The photos of all hits, best first, each once: absolute paths as Python takes them."""
    return list(dict.fromkeys(hit.image for answer in answers for hit in answer.hits))


def path_bytes(paths: Sequence[str], *, null: bool = False, terminal: bool = False) -> bytes:
    r"""Paths as what is written to stdout.

    Args:
        paths: As `path_lines` gives them, or made relative.
        null: A zero byte behind each, and the exact bytes of every name (`-0`).
        terminal: A person reads it: control characters are written as escapes.

    Returns:
        Without `null` one path a line. A name that itself holds a line end is written with
        escapes ("a\\x0ab.jpg"), for it would be read as two photos: `null` is for those.
    """
    if null:
        return b"".join(os.fsencode(path) + b"\0" for path in paths)
    lines = [
        printable(path) if terminal or "\n" in path or "\r" in path else path for path in paths
    ]
    return b"".join(os.fsencode(line) + b"\n" for line in lines)


def rounded_box(hit: Hit) -> list[float]:
    """x0, y0, x1, y1 in hundredths of a pixel."""
    return [round(float(value), 2) for value in hit.box]


def _searched(answer: Answer) -> dict[str, Any]:
    return {
        "photos": answer.photos,
        "segments": answer.segments,
        "cutoff": round(answer.cutoff, 6),
        "below": answer.below,
        "best": None if answer.best is None else hit_values(answer.best),
    }


def _csv_values(answer: Answer, hit: Hit) -> list[object]:
    shown = printable(json_name(hit.image))
    return [
        no_formula(_text(answer.question)),
        hit.rank,
        f"{hit.score:.6f}",
        f"{hit.cosine:.6f}",
        shown,
        *(f"{value:.10g}" for value in rounded_box(hit)),
        f"{hit.area_share:.6f}",
        hit.width,
        hit.height,
        hit.segment,
        hit.photo,
        "" if hit.parent is None else hit.parent,
        hit.depth,
        f"{hit.segmenter_score:.6f}",
        no_formula(_text(hit.matched)),
        hit.folded,
        no_formula(hit.taken_at or ""),
        no_formula(hit.camera or ""),
        "" if shown == hit.image else _base64(hit.image),
    ]


def _text(text: str) -> str:
    """Text that UTF-8 can hold: a question may quote a file name of other bytes."""
    return text if _is_utf8(text) else json_name(text)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _base64(path: str) -> str:
    import base64

    return base64.b64encode(os.fsencode(path)).decode("ascii")
