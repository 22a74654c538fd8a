"""Filter text to tokens, and errors that point at their place in it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from usearch.errors import UsageError
from usearch.render.safe_text import printable

TokenKind = Literal["word", "number", "date", "text", "sign", "end"]

LONGEST = 1_000_000
"""Characters of a filter: a list of fifty thousand ids fits."""

_SHOWN = 60
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*(?:\.\d+)?|\.\d+)")
_UNIT = re.compile(r"%|[^\W\d_]+")
_DATE = re.compile(r"\d{4}-\d[\dTt:-]*")  # what looks like one; `dates` knows better
_WORD = re.compile(r"[^\W\d]\w*")
_SIGN = re.compile(r"<=|>=|!=|<>|==|!~|[=<>~(),]")
_FOREIGN = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter.

    Attributes:
        kind: What it is.
        text: As written; of a text in quotes, what stands between them.
        start: Where it begins in the filter.
        unit: What follows a number without a space.
    """

    kind: TokenKind
    text: str
    start: int
    unit: str = ""


def mistake(text: str, at: int, message: str, hint: str = "") -> UsageError:
    """The error for a place in a filter, with the place shown by a caret.

    Args:
        text: The filter.
        at: Where the mistake begins.
        message: What is wrong.
        hint: What would be right.
    """
    first = max(0, at - _SHOWN // 2)
    last = min(len(text), first + _SHOWN)
    before = ("…" if first else "") + printable(text[first:at])
    after = printable(text[at:last]) + ("…" if last < len(text) else "")
    excerpt = f"{before}{after}\n{' ' * _columns(before)}^"
    return UsageError(f"--where, character {at + 1}: {message}", hint, excerpt)


def _columns(text: str) -> int:
    """Places that a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def tokenize(text: str) -> list[Token]:
    """The tokens of a filter, an "end" behind them.

    Raises:
        UsageError: Too long, a character that means nothing here, or a quote left open.
    """
    if len(text) > LONGEST:
        raise UsageError(
            f"--where has {len(text):,} characters; {LONGEST:,} are the limit",
            "choose rows in Python: Snapshot.search(allowed=...)",
        )
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
            continue
        token, at = _next(text, at)
        tokens.append(token)
    return [*tokens, Token("end", "", len(text))]


def _next(text: str, at: int) -> tuple[Token, int]:
    if text[at] in "\"'":
        return _quoted(text, at)
    date = _DATE.match(text, at)
    if date:
        return Token("date", date[0], at), date.end()
    number = _NUMBER.match(text, at)
    if number:
        unit = _UNIT.match(text, number.end())
        end = unit.end() if unit else number.end()
        return Token("number", number[0], at, unit[0] if unit else ""), end
    word = _WORD.match(text, at)
    if word:
        return Token("word", word[0], at), word.end()
    sign = _SIGN.match(text, at)
    if sign:
        return Token("sign", sign[0], at), sign.end()
    for foreign, ours in _FOREIGN.items():
        if text.startswith(foreign, at):
            raise mistake(text, at, f"{foreign} is not known here", f"write {ours}")
    raise mistake(
        text,
        at,
        f"{printable(text[at])!r} means nothing here",
        'texts stand in quotes: path ~ "*.jpg"',
    )


def _quoted(text: str, at: int) -> tuple[Token, int]:
    """A text in quotes; the quote itself is written twice inside."""
    quote = text[at]
    pieces = []
    end = at + 1
    while True:
        close = text.find(quote, end)
        if close < 0:
            raise mistake(text, at, "this quote is never closed", f"end the text with {quote}")
        pieces.append(text[end:close])
        end = close + 1
        if not text.startswith(quote, end):
            break
        pieces.append(quote)
        end += 1
    found = "".join(pieces)
    for i, char in enumerate(found):
        if "\ud800" <= char <= "\udfff" and not "\udc80" <= char <= "\udcff":
            raise mistake(text, at, f"character {i + 1} of this text is no character")
    return Token("text", found, at), end
