"""How terms of questions are typed, on the command line and in files; see docs/queries.md."""

from __future__ import annotations

import math
import re
from pathlib import Path

from usearch.errors import InputError, UsageError
from usearch.questions import Picture, Point, Region, SegmentId, Term, Text, checked_text

MOST_QUESTIONS = 100_000
"""Of one file."""

LARGEST_FILE = 64 << 20
"""Bytes: far more than these questions need."""

_WEIGHT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}):(?=\s*[^\s\d])")
_PLACE = re.compile(r"(.+)@([-+.\d]+(?:,[-+.\d]+)+)", re.DOTALL)
_SEGMENT = re.compile(r"segment:(\d{1,18})")
_PATH_STARTS = ("./", "../", "/", "~/")


def parse_term(typed: str) -> Term:
    r"""A term as typed on the command line or in a line of `--queries`.

    `2:red car` has a weight of 2; `./a.jpg`, `../a.jpg`, `/a.jpg` and `~/a.jpg` are pictures,
    `./a.jpg@40,60` a point, `./a.jpg@40,60,200,100` a box (x, y, width, height), and
    `segment:65537` a segment of the store. All else is text: "16:9 screen" too, for a weight
    is not followed by a digit, and "a.jpg", for a path begins with one of the four. A
    backslash in front makes text of anything: `\./a.jpg`.

    Raises:
        UsageError: It is empty, or a weight or place makes no sense.
    """
    weight, rest = 1.0, typed.strip()
    found = _WEIGHT.match(rest)
    if found:
        weight, rest = float(found[1]), rest[found.end() :].strip()
        if weight == 0:
            raise UsageError(
                f"{typed.strip()!r} has a weight of 0 and would take no part",
                "leave it out, or put a backslash in front if the number belongs to the text",
            )
    if rest.startswith("\\"):
        return Term(Text(checked_text(rest[1:])), weight)
    segment = _SEGMENT.fullmatch(rest)
    if segment:
        return Term(SegmentId(int(segment[1])), weight, rest)
    if rest.startswith(_PATH_STARTS):
        return Term(parse_place(rest), weight, rest)
    return Term(Text(checked_text(rest)), weight)


def parse_place(typed: str) -> Picture | Region | Point:
    """A picture, or a point or box in it: `a.jpg`, `a.jpg@x,y`, `a.jpg@x,y,width,height`.

    A file whose very name ends so is that file.

    Raises:
        UsageError: The numbers make no sense.
    """
    found = _PLACE.fullmatch(typed)
    path = Path(typed).expanduser()
    if found is None or path.exists():
        return Picture(path)
    return place_in(Path(found[1]).expanduser(), found[2])


def place_in(path: Path, typed: str) -> Region | Point:
    """A point `x,y` or a box `x,y,width,height` in a picture.

    Raises:
        UsageError: These are not two or four numbers, or the box is empty.
    """
    try:
        numbers = [float(word) for word in typed.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 4) or not all(math.isfinite(number) for number in numbers):
        raise UsageError(
            f"{typed!r} is no place in a picture",
            "a point is x,y and a box x,y,width,height, in pixels of the picture as shown",
        )
    if len(numbers) == 2:
        return Point(path, numbers[0], numbers[1])
    x, y, width, height = numbers
    if width <= 0 or height <= 0:
        raise UsageError(
            f"the box {typed} is empty: {width:g} pixels wide and {height:g} high",
            "a box is x,y,width,height; for what lies at a point give x,y alone",
        )
    return Region(path, (x, y, x + width, y + height))


def read_questions(lines: bytes, name: str) -> list[Term]:
    r"""Terms of a file: one a line, in UTF-8; blank lines and lines that begin with # are left out.

    A text that begins with # is written `\#1 jersey`.

    Args:
        lines: The file's bytes.
        name: What to call it in messages.

    Raises:
        InputError: It is not UTF-8, a line makes no sense, or nothing is left.
    """
    if len(lines) > LARGEST_FILE:
        raise InputError(f"{name} has more than {LARGEST_FILE >> 20} MiB", "is it a list of texts?")
    terms: list[Term] = []
    for number, line in enumerate(lines.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            typed = line.decode("utf-8").strip()
            if typed and not typed.startswith("#"):
                terms.append(parse_term(typed))
        except UnicodeDecodeError as error:
            raise InputError(
                f"line {number} of {name} is not UTF-8 text", "convert it: iconv -t utf-8"
            ) from error
        except UsageError as error:
            raise InputError(f"line {number} of {name}: {error.message}", error.hint) from error
        if len(terms) > MOST_QUESTIONS:
            raise InputError(f"{name} has more than {MOST_QUESTIONS} questions", "split it")
    if not terms:
        raise InputError(f"{name} holds no question", "write one a line; # begins a comment")
    return terms
