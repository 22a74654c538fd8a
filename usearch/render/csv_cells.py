"""Lines of CSV files (RFC 4180), for every command that writes some."""

from __future__ import annotations

from collections.abc import Iterable

from usearch.render.safe_text import printable

_FORMULA = ("=", "+", "-", "@")


def csv_line(values: Iterable[object]) -> str:
    """Values as one record, without the line end (which is CR LF); None is empty."""
    return ",".join("" if value is None else _quoted(str(value)) for value in values)


def no_formula(text: str) -> str:
    """One line of text that no spreadsheet takes for a formula: an apostrophe in front."""
    safe = printable(text)
    return f"'{safe}" if safe.lstrip().startswith(_FORMULA) else safe


def _quoted(text: str) -> str:
    if any(char in text for char in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text
