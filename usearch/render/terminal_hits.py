"""Hits on a terminal that shows pictures: the segment at the left, what is known at the right."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from usearch.errors import InputError
from usearch.render.safe_text import printable

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.hits import Hit, ReadPhoto
    from usearch.render.terminal_pictures import Protocol

_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_YELLOW = "\x1b[33m"
_COLOURS = {"weak": _YELLOW, "fair": _BOLD, "good": "\x1b[1;32m"}
"""Of scores, by their strength."""
_GAP = 2
_LEAST_TEXT = 24
"""Columns that the text needs beside a picture."""


def print_hits(
    stream: TextIO,
    answer: Answer,
    protocol: Protocol,
    *,
    read_photo: ReadPhoto,
    environ: Mapping[str, str],
    width: int | None = None,
) -> None:
    """Write the hits of an answer, each as soon as its picture is there.

    A photo that cannot be shown any more has its reason in the place of its picture.

    Args:
        stream: A terminal.
        answer: Its question is the heading.
        protocol: See `usearch.render.terminal_pictures.picture_protocol`.
        read_photo: Gives pixels, see `usearch.stored_photos.photo_reader`.
        environ: Of the process; tells how many colours blocks have.
        width: Of the terminal in columns; asked for when None.
    """
    from usearch.render.hits import hit_view
    from usearch.render.terminal_pictures import CELL, cell_size, has_true_colour, terminal_picture

    # Hits of one photo often follow each other.
    read = functools.lru_cache(maxsize=4)(read_photo)
    width = width or shutil.get_terminal_size((80, 24)).columns
    columns, rows = picture_cells(width)
    cell = CELL if protocol == "blocks" else cell_size(stream)
    true_colour = has_true_colour(environ)
    stream.write(f"{_BOLD}{printable(answer.question)}{_RESET}\n\n")
    for hit in answer.hits:
        lines = _facts(hit, answer, max(10, width - columns - _GAP))
        drawn = ""
        if protocol != "none" and columns:
            try:
                view = hit_view(hit, read, columns * cell[0] / (rows * cell[1]))
                drawn = terminal_picture(
                    view, columns, rows, protocol, cell=cell, true_colour=true_colour
                )
            except InputError as problem:
                lines += _folded(printable(problem.message), width - columns - _GAP, _YELLOW)
        stream.write(beside(drawn, lines, columns, rows, protocol) + "\n")
        stream.flush()


def picture_cells(width: int) -> tuple[int, int]:
    """Columns and rows of the pictures on a terminal of a width; zeros where it is too narrow."""
    columns = min(28, width - _LEAST_TEXT - _GAP)
    if columns < 10:
        return 0, 0
    return columns, max(4, round(columns * 0.33))


def beside(drawn: str, lines: list[str], columns: int, rows: int, protocol: Protocol) -> str:
    """Characters that put text lines to the right of a picture, and end below both.

    Blocks are text and are joined line by line. For the others room is made first, so that
    nothing scrolls while the picture is drawn; the cursor is put back to its upper left
    corner, and each line of text begins behind the picture.

    Args:
        drawn: From `terminal_picture`; "" leaves the room empty.
        lines: Styled lines, each of which fits beside.
        columns: Of the picture's room.
        rows: Of the picture's room.
        protocol: That `drawn` is of.
    """
    high = max(rows, len(lines))
    behind = f"\r\x1b[{columns + _GAP}C" if columns else "\r"
    texts = lines + [""] * (high - len(lines))
    if protocol == "blocks":
        blocks = drawn.split("\n") if drawn else []
        blocks += [""] * (high - len(blocks))
        return "".join(
            f"{block}{behind if text else ''}{text}\n"
            for block, text in zip(blocks, texts, strict=True)
        )
    # Sixels come in bands of six rows of pixels: one more line, lest the last one scrolls.
    room = "\n" * (high + 1) + f"\x1b[{high + 1}A"
    shown = f"\r\x1b7{drawn}\x1b8" if drawn else "\r"
    return room + shown + "".join(f"{behind if text else ''}{text}\n" for text in texts)


def _facts(hit: Hit, answer: Answer, room: int) -> list[str]:
    """What is said of a hit, in lines of at most `room` columns."""
    from usearch.render.tables import percent
    from usearch.scores import strength
    from usearch.search import shown_path

    colour = _COLOURS[strength(hit.score, answer.cutoff)]
    head = f"{hit.rank}. "
    lines = [f"{_DIM}{head}{_RESET}{colour}{hit.score:.2f}{_RESET}{_DIM}  {hit.cosine:.3f}{_RESET}"]
    lines += _folded(printable(shown_path(hit.image)), room, "")
    box = " ".join(f"{value:.0f}" for value in hit.box)
    quiet = [f"{percent(hit.area_share)} of the photo, box {box}", f"segment {hit.segment}"]
    if hit.matched and hit.matched != answer.question:
        quiet.insert(0, f"as {hit.matched}")
    if hit.folded:
        quiet.append(f"and {hit.folded} near copies")
    for text in quiet:
        lines += _folded(printable(text), room, _DIM)
    return lines


def _folded(text: str, room: int, style: str) -> list[str]:
    """A text in lines of at most `room` cells, wide letters counted as two."""
    from rich.cells import get_character_cell_size

    lines, line, taken = [], "", 0
    for char in text:
        size = get_character_cell_size(char)
        if taken + size > max(2, room):
            lines.append(line)
            line, taken = "", 0
        line, taken = line + char, taken + size
    return [f"{style}{each}{_RESET}" if style else each for each in (*lines, line)]
