"""A plain list with headed columns for a terminal. Text from outside never acts as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from usearch.render.safe_text import printable


def listing(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Rows of texts under heads; long texts are folded, never cut."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(text)) for text in row))
    return table
