"""Why segments have their classes, as `usearch segment --bank STORE --explain` tells it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usearch.cli.output import is_terminal, result, terminal
from usearch.render.safe_text import json_name, printable

if TYPE_CHECKING:
    from usearch.classify import Explained


def explained_values(one: Explained) -> dict[str, Any]:
    """Plain JSON values of a segment's explanation; probabilities and shares in 0..1."""
    values = asdict(one)
    for vote in values["votes"]:
        vote["image"] = json_name(Path(vote["image"]))
    return values


def print_explained(one: Explained) -> None:
    """Print a segment and who voted on it: a line each, tabs between the columns in a pipe."""
    from usearch.search import shown_path

    head = f"  {_box(one.box)} is {printable(one.name)} {one.probability:.2f}"
    if one.own != one.name:
        head += f", alone {printable(one.own)} {one.own_probability:.2f}"
    rows = [
        (
            f"{vote.share:.3f}",
            f"{vote.similarity:.3f}",
            printable(vote.name),
            f"{vote.probability:.2f}",
            _box(vote.box),
            printable(shown_path(vote.image)),
        )
        for vote in one.votes
    ]
    if not is_terminal():
        for row in rows:
            result("\t".join(("", _box(one.box), printable(one.name), *row)))
        return
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    terminal().print(Text(head))
    if not rows:
        terminal().print(Text("    no neighbour voted", "dim"))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, side in (
        ("vote", "right"),
        ("similarity", "right"),
        ("its class", "left"),
        ("", "right"),
        ("box", "left"),
        ("photo", "left"),
    ):
        table.add_column(name, justify="right" if side == "right" else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    terminal().print(Padding(table, (0, 0, 0, 4)))


def _box(box: tuple[float, float, float, float]) -> str:
    """x0,y0,x1,y1 in whole pixels."""
    return ",".join(f"{value:.0f}" for value in box)
