"""Tables for a terminal, as rich renderables. Text from outside never acts as markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.style import Style
from rich.table import Table
from rich.text import Text

from usearch.render.rows import cell
from usearch.render.safe_text import printable
from usearch.scores import strength
from usearch.search import shown_path

if TYPE_CHECKING:
    from usearch.answers import Answer

_STYLES = {"weak": Style(color="yellow"), "fair": Style(), "good": Style(color="green", bold=True)}
"""Of scores, by their strength."""


def hit_table(answer: Answer) -> Table:
    """Ranked hits: score, photo, where in it, how large."""
    title = Text(printable(answer.question), "bold")
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("cosine", justify="right", style="dim", no_wrap=True)
    table.add_column("photo", overflow="fold", ratio=1)
    table.add_column("box x0 y0 x1 y1", justify="right", no_wrap=True)
    table.add_column("of photo", justify="right", no_wrap=True)
    for hit in answer.hits:
        table.add_row(
            str(hit.rank),
            Text(f"{hit.score:.2f}", _STYLES[strength(hit.score, answer.cutoff)]),
            f"{hit.cosine:.3f}",
            Text(printable(shown_path(hit.image))),
            " ".join(f"{value:.0f}" for value in hit.box),
            percent(hit.area_share),
        )
    return table


def share_table(title: str, shares: Sequence[tuple[str, float]]) -> Table:
    """Names with the share of pixels that each takes, as bars."""
    table = Table(box=SIMPLE_HEAD, title=Text(printable(title), "bold"), title_justify="left")
    table.add_column("class", overflow="fold")
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name, share in shares:
        table.add_row(Text(printable(name)), percent(share), Text(bar(share, 24), "cyan"))
    return table


def class_table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Classes of a collection: mean share, photos with the class, segments."""
    table = Table(box=SIMPLE_HEAD, title=Text(printable(title), "bold"), title_justify="left")
    table.add_column("class", overflow="fold")
    table.add_column("of pixels", justify="right", no_wrap=True)
    table.add_column("photos", justify="right", no_wrap=True)
    table.add_column("segments", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(printable(row["name"])),
            percent(row["share"]),
            f"{row['photos']:,}",
            f"{row['segments']:,}",
            Text(bar(row["share"], 24), "cyan"),
        )
    return table


def fact_table(facts: Mapping[str, str]) -> Table:
    """Labels and values in two columns."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for label, value in facts.items():
        table.add_row(Text(printable(label)), Text(printable(value)))
    return table


def value_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Any rows under the names of their columns; numbers to the right."""
    table = Table(box=SIMPLE_HEAD)
    for at, name in enumerate(names):
        right = any(isinstance(row[at], int | float) for row in rows)
        table.add_column(
            Text(printable(name)), justify="right" if right else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(printable(cell(value))) for value in row))
    return table


def percent(share: float) -> str:
    """A share as a person reads it: 12 %, 0.4 %, <0.1 %."""
    if share == 0:
        return "0 %"
    if share < 0.001:
        return "<0.1 %"
    return f"{share:.1%}".replace("%", " %") if share < 0.1 else f"{share:.0%}".replace("%", " %")


def bar(share: float, width: int) -> str:
    """A bar of at most `width` characters, in eighths."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
