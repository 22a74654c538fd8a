"""Rows of any table as text: of SQL, whose columns are not known before."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from usearch.render.csv_cells import csv_line


def distinct(names: Sequence[str]) -> list[str]:
    """Names of columns, a number behind those that came before: `n`, `n_2`."""
    found: list[str] = []
    for name in names:
        new, number = name, 1
        while new in found:
            number += 1
            new = f"{name}_{number}"
        found.append(new)
    return found


def plain(value: Any) -> Any:
    """A value as JSON knows it.

    Times are ISO text, bytes base64, decimals stay exact as text, numbers that are not
    finite are null.
    """
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
    return str(value)


def cell(value: Any) -> str:
    """A value as text in a table: null is empty."""
    import json

    found = plain(value)
    if found is None:
        return ""
    if isinstance(found, str):
        return found
    return json.dumps(found, ensure_ascii=False)


def csv_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines of a CSV file (RFC 4180), names first."""
    yield csv_line(names)
    for row in rows:
        yield csv_line(map(cell, row))
