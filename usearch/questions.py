"""Questions: what can be asked.

A question is one or more *terms*, each with a weight; terms with a negative weight say what
is not wanted. A term is a text, a picture, a box or a point in a picture, or a segment of the
store. How they are typed is in `usearch.question_syntax`; docs/queries.md is the page for users.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from usearch.errors import UsageError

LONGEST_TEXT = 2000
"""Characters of a text. More is a file given by mistake, not a name of something."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words, as they are: nothing in them has a meaning of its own."""

    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole picture, of the store or not."""

    path: Path


@dataclass(frozen=True, slots=True)
class Region:
    """A box in a picture.

    Attributes:
        path: The picture.
        box: x0, y0, x1, y1 in pixels of the picture as shown, half-open.
    """

    path: Path
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """What lies at a point of a picture: the smallest sensible segment there.

    Attributes:
        path: The picture.
        x: From the left, in pixels of the picture as shown.
        y: From the top.
    """

    path: Path
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class SegmentId:
    """A segment of the store, by its id."""

    id: int


Content: TypeAlias = Text | Picture | Region | Point | SegmentId


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a question.

    Attributes:
        content: What is wanted, or not.
        weight: How much it counts beside the other terms; not 0; negative = not wanted.
        label: As typed, without its weight and sign.
    """

    content: Content
    weight: float = 1.0
    label: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight) or self.weight == 0:
            raise UsageError(
                f"{self.label or self.content!r} has a weight of {self.weight}",
                "a weight is a number other than 0, such as in 2:red",
            )
        if not self.label:
            object.__setattr__(self, "label", _label(self.content))


@dataclass(frozen=True, slots=True)
class Question:
    """Terms that belong together: their weighted sum is looked for.

    Attributes:
        terms: At least one with a positive weight.
        label: Readable, for people: 'red car -toy'.
    """

    terms: tuple[Term, ...]
    label: str = ""

    def __post_init__(self) -> None:
        if not any(term.weight > 0 for term in self.terms):
            raise UsageError(
                "the question says only what is not wanted" if self.terms else "nothing was asked",
                'say what to look for as well: usearch query "dog" --not "cage"',
            )
        if not self.label:
            object.__setattr__(self, "label", _joined(self.terms))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Several questions with one ranking: a segment counts by the question it answers best."""

    questions: tuple[Question, ...]

    @property
    def label(self) -> str:
        """The labels of all, shortened where there are many."""
        shown = " | ".join(question.label for question in self.questions[:_SHOWN])
        more = len(self.questions) - _SHOWN
        return f"{shown} | ... {more} more" if more > 0 else shown


_SHOWN = 8

Askable: TypeAlias = "str | os.PathLike[str] | Content | Term | Question | AnyOf | Sequence[object]"
"""What Python callers may ask: a str is always a text, a `Path` a picture, a list a mix of these
or of pairs (one of these, weight)."""


def as_question(asked: Askable, minus: Iterable[object] = ()) -> Question | AnyOf:
    """What a Python caller asks, as a question.

    Args:
        asked: See `Askable`.
        minus: What is not wanted: the same kinds of things, but questions.

    Raises:
        UsageError: It is no question, or an empty one.
    """
    unwanted = tuple(_negative(_term(item)) for item in _items(minus))
    if isinstance(asked, AnyOf):
        if not asked.questions:
            raise UsageError("nothing was asked")
        return AnyOf(tuple(_extended(question, unwanted) for question in asked.questions))
    if isinstance(asked, Question):
        return _extended(asked, unwanted)
    terms = [_term(item) for item in asked] if isinstance(asked, list | tuple) else [_term(asked)]
    return Question((*terms, *unwanted))


def any_of(*asked: Askable) -> AnyOf:
    """Several questions with one ranking.

    Raises:
        UsageError: There are none, or one makes no sense.
    """
    questions: list[Question] = []
    for one in asked:
        question = as_question(one)
        questions += question.questions if isinstance(question, AnyOf) else [question]
    if not questions:
        raise UsageError("nothing was asked", 'say what to look for: usearch query "red car"')
    return AnyOf(tuple(dict.fromkeys(questions)))


def checked_text(text: str) -> str:
    """The text with white space at its ends removed and single spaces inside.

    Raises:
        UsageError: The text is empty, too long, or not text.
    """
    words = " ".join(text.split())
    if not any(char.isprintable() and not char.isspace() for char in words):
        raise UsageError("the question is empty", 'say what to look for: usearch query "red car"')
    if len(words) > LONGEST_TEXT:
        raise UsageError(
            f"the question has {len(words)} characters; {LONGEST_TEXT} are the limit",
            "name what to look for in a few words",
        )
    try:
        words.encode()
    except UnicodeEncodeError:
        raise UsageError("the question is not valid UTF-8 text") from None
    return words


def _items(minus: Iterable[object]) -> Iterable[object]:
    # One thing that is not wanted need not be put into a list.
    single = isinstance(
        minus, str | os.PathLike | Text | Picture | Region | Point | SegmentId | Term
    )
    return (minus,) if single else minus


def _term(item: object) -> Term:
    if isinstance(item, Term):
        return item
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], int | float):
        inner = _term(item[0])
        return replace(inner, weight=inner.weight * float(item[1]))
    if isinstance(item, str):
        return Term(Text(checked_text(item)))
    if isinstance(item, os.PathLike):
        return Term(Picture(Path(item)))
    if isinstance(item, Text):
        return Term(Text(checked_text(item.words)))
    if isinstance(item, Picture | Region | Point | SegmentId):
        return Term(item)
    raise UsageError(
        f"{type(item).__name__} is no question",
        "ask a text, a Path, a Region, a Point, a SegmentId, or a list of them",
    )


def _negative(term: Term) -> Term:
    return replace(term, weight=-abs(term.weight))


def _extended(question: Question, unwanted: tuple[Term, ...]) -> Question:
    return Question((*question.terms, *unwanted)) if unwanted else question


def _label(content: Content) -> str:
    if isinstance(content, Text):
        return content.words
    if isinstance(content, SegmentId):
        return f"segment:{content.id}"
    if isinstance(content, Picture):
        return str(content.path)
    if isinstance(content, Point):
        return f"{content.path}@{content.x:g},{content.y:g}"
    x0, y0, x1, y1 = content.box
    return f"{content.path}@{x0:g},{y0:g},{x1 - x0:g},{y1 - y0:g}"


def _joined(terms: Sequence[Term]) -> str:
    """'red car +./a.jpg -2:toy': every term with its sign and, where it is not 1, its weight."""
    words: list[str] = []
    for term in terms:
        sign = "-" if term.weight < 0 else "+" if words else ""
        size = abs(term.weight)
        words.append(f"{sign}{'' if size == 1 else f'{size:g}:'}{term.label}")
    return " ".join(words)
