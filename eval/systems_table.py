"""Several systems on one set, side by side: a row each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from eval.report_table import facts, published_text, shown_interval, shown_value
from usearch.render.safe_text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from eval.report import EvalReport

_COLUMNS = {
    "miou_present": "mIoU",
    "miou_union": "union",
    "fwiou": "fwIoU",
    "pixel_accuracy": "pixels",
    "covered": "covered",
    "bank.miou_present": "mIoU, bank",
    "oracles.proposals.miou_present": "true names",
    "oracles.naming.miou_present": "true masks",
}
"""Columns of the table, by metric; those that no system has are left out."""


def systems_table(reports: Sequence[EvalReport]) -> Iterator[RenderableType]:
    """What to print of several systems on the same set.

    Args:
        reports: One a system, at least one.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    first = reports[0]
    columns = [key for key in _COLUMNS if any(key in one.metrics for one in reports)]
    head = _text(first.data_set, "bold")
    head.append(f"\n{facts(first)}", "dim")
    yield head
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("system")
    for key in columns:
        table.add_column(_COLUMNS[key], justify="right")
        if key == "miou_present":
            table.add_column("95 % interval")
    for one in reports:
        cells = [one.system]
        for key in columns:
            cells.append(shown_value(key, one.metrics.get(key)))
            if key == "miou_present":
                cells.append(shown_interval(one, key))
        table.add_row(*map(_text, cells))
    yield table
    for published in first.published:
        yield _text(f"published: {published_text(published)}, {published.source}", "dim")
    yield _text(f"again: {first.command}", "dim")


def systems_lines(reports: Sequence[EvalReport]) -> Iterator[str]:
    """For a pipe, a system a line with tabs: system, then key=value of every metric."""
    for one in reports:
        cells = [f"{k}={'' if v is None else format(v, '.6g')}" for k, v in one.metrics.items()]
        yield "\t".join([one.system, *cells])


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(printable(text, keep_newlines=True), style)
