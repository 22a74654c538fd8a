"""Globs as regular expressions: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of a set.

As in `--include`, `*` crosses folders and case does not matter. The expressions are for RE2,
which takes time in proportion to the text whatever the pattern is.
"""

from __future__ import annotations

import re

LONGEST_GLOB = 1_000
"""Characters of a pattern: a path is not longer, and RE2 gives up somewhere beyond."""


def glob_regex(glob: str) -> str:
    """A regular expression in RE2's syntax for the whole of a text."""
    pieces: list[str] = []
    at = 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            if not pieces or pieces[-1] != ".*":
                pieces.append(".*")
        elif char == "?":
            pieces.append(".")
        elif char == "[" and (end := _set_end(glob, at)) > 0:
            pieces.append(_set(glob[at + 1 : end]))
            at = end
        else:
            pieces.append(re.escape(char))
        at += 1
    return f"(?is)^(?:{''.join(pieces)})$"


def _set_end(glob: str, at: int) -> int:
    """Place of the ] that ends a set, -1 where none does: then the [ is a plain character."""
    first = at + 2 if glob.startswith("!", at + 1) else at + 1
    return glob.find("]", first + 1)


def _set(inner: str) -> str:
    negated = inner.startswith("!")
    chars = inner[negated:]
    ranges = []
    at = 0
    while at < len(chars):
        if at + 2 < len(chars) and chars[at + 1] == "-":
            low, high = chars[at], chars[at + 2]
            at += 3
        else:
            low = high = chars[at]
            at += 1
        if low <= high:
            ranges.append(f"\\x{{{ord(low):x}}}-\\x{{{ord(high):x}}}")
    if not ranges:  # [z-a] is a set of nothing
        return "." if negated else r"[^\x00-\x{10ffff}]"
    return f"[{'^' if negated else ''}{''.join(ranges)}]"
