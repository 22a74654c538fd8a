"""What is asked on the command line of `usearch query`, as questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.errors import InputError, UsageError

if TYPE_CHECKING:
    from usearch.questions import AnyOf, Question, Term


@dataclass(frozen=True, slots=True)
class Typed:
    """The options that say what is looked for, as typed."""

    text: Sequence[str] = ()
    query: Sequence[str] = ()
    queries: str | None = None
    each: bool = False
    also: Sequence[str] = ()
    minus: Sequence[str] = ()
    image: Sequence[str] = ()
    at: str | None = None
    box: str | None = None
    segment: Sequence[int] = ()


def typed_questions(typed: Typed) -> list[Question | AnyOf]:
    """The questions to answer: one, or with `--each` one for each text.

    What `--and`, `--image`, `--segment` and `--not` say belongs to every one of them.

    Raises:
        UsageError: The options make no sense together, or nothing is asked.
        InputError: The file of questions cannot be used.
    """
    from usearch.question_syntax import parse_term
    from usearch.questions import AnyOf, Question

    if len(typed.text) > 1:
        words = " ".join(typed.text)
        raise UsageError(
            f"{len(typed.text)} texts: {', '.join(map(repr, typed.text))}",
            f'put quotes around one: usearch query "{words}"; or ask several: -q ONE -q OTHER',
        )
    alternatives = [parse_term(text) for text in (*typed.text, *typed.query)]
    if typed.queries is not None:
        alternatives += _read(typed.queries)
    shared = [parse_term(text) for text in typed.also]
    shared += _pictures(typed)
    shared += [_segment(number) for number in typed.segment]
    unwanted = [_negative(parse_term(text)) for text in typed.minus]
    if not alternatives:
        if not shared and not unwanted:
            raise UsageError("nothing was asked", 'say what to look for: usearch query "red car"')
        return [Question((*shared, *unwanted))]
    questions = [Question((one, *shared, *unwanted)) for one in alternatives]
    if typed.each:
        return list(questions)
    different = tuple(dict.fromkeys(questions))
    return [different[0] if len(different) == 1 else AnyOf(different)]


def files_asked_as_words(typed: Typed) -> list[str]:
    """Terms that are words by how they are typed but also name a file: `a.jpg`, `a.jpg@40,60`.

    A name without a dot is taken for the word that it is, and so is one after a backslash.
    """
    from usearch.question_syntax import parse_term
    from usearch.questions import Text

    found = []
    for words in (*typed.text, *typed.query, *typed.also, *typed.minus):
        content = parse_term(words).content
        if "\\" in words or "." not in words or not isinstance(content, Text):
            continue
        name = content.words.rpartition("@")[0]
        # Not Path.is_file: it raises for what is too long for a name.
        if any(os.path.isfile(path) for path in (content.words, name)):  # noqa: PTH113
            found.append(content.words)
    return found


def _pictures(typed: Typed) -> list[Term]:
    from usearch.question_syntax import parse_place, place_in
    from usearch.questions import Term

    if typed.at is not None and typed.box is not None:
        raise UsageError("--at and --box were both given", "a point or a box, not both")
    place = typed.at if typed.at is not None else typed.box
    option = "--at" if typed.at is not None else "--box"
    if place is None:
        return [Term(parse_place(name), label=name) for name in typed.image]
    if len(typed.image) != 1:
        raise UsageError(f"{option} needs one --image", f"--image a.jpg {option} {place}")
    expected = 2 if option == "--at" else 4
    if place.count(",") != expected - 1:
        raise UsageError(
            f"{option} {place}: {expected} numbers were expected",
            "--at x,y or --box x,y,width,height, in pixels of the picture as shown",
        )
    path = Path(typed.image[0]).expanduser()
    return [Term(place_in(path, place), label=f"{typed.image[0]}@{place}")]


def _segment(number: int) -> Term:
    from usearch.questions import SegmentId, Term

    return Term(SegmentId(number))


def _negative(term: Term) -> Term:
    return replace(term, weight=-term.weight)


def _read(name: str) -> list[Term]:
    from usearch.question_syntax import LARGEST_FILE, read_questions

    if name == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed", "give --queries a file")
        return read_questions(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")
    try:
        with Path(name).open("rb") as file:
            return read_questions(file.read(LARGEST_FILE + 1), name)
    except OSError as problem:
        raise InputError(
            f"cannot read {name}: {problem.strerror}", "--queries takes a text file, or - for stdin"
        ) from problem
