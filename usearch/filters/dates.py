"""Dates in filters: a year, a month, a day, a minute or a second, each with its two ends."""

from __future__ import annotations

import re
from datetime import MAXYEAR, datetime, timedelta

_FORMS = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2}))?)?)?)?", re.ASCII
)
_AFTER_ALL = ":"
"""Greater than every ISO time as text."""


def normal_date(text: str) -> str | None:
    """A date as it is written in filters (`T` before the time), or None if it is none."""
    found = _FORMS.fullmatch(text.strip())
    if not found:
        return None
    year, month, day, hour, minute, second = found.groups()
    numbers = [int(part) for part in found.groups() if part]
    try:
        _instant(numbers)
    except ValueError:
        return None
    date = "-".join(part for part in (year, month, day) if part)
    time = ":".join(part for part in (hour, minute, second) if part)
    return f"{date}T{time}" if time else date


def bounds(text: str) -> tuple[str, str]:
    """First instant of a date, and the first one after it, as ISO text to compare with."""
    found = _FORMS.fullmatch(text)
    if found is None:
        raise ValueError(f"not a date: {text!r}")
    given = [int(part) for part in found.groups() if part]
    start = _instant(given)
    return start.isoformat(), _after(start, len(given))


def _instant(parts: list[int]) -> datetime:
    year, month, day, hour, minute, second = [*parts, *(1, 1, 1, 0, 0, 0)[len(parts) :]]
    return datetime(year, month, day, hour, minute, second)


def _after(start: datetime, parts: int) -> str:
    try:
        if parts == 1:
            return start.replace(year=start.year + 1).isoformat()
        if parts == 2:
            after = (start.year, start.month + 1) if start.month < 12 else (start.year + 1, 1)
            return start.replace(year=after[0], month=after[1]).isoformat()
        step = {3: timedelta(days=1), 5: timedelta(minutes=1), 6: timedelta(seconds=1)}[parts]
        return (start + step).isoformat()
    except (ValueError, OverflowError):
        if start.year == MAXYEAR:
            return _AFTER_ALL
        raise
