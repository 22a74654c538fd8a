"""`usearch eval compare`: two reports over the same photos, with a paired bootstrap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption
from usearch.cli.output import is_terminal, json_result, result, terminal
from usearch.errors import UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from eval.compare import Comparison, Difference


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="The report to compare with.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="What changed.")],
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", help="Times that the photos are drawn again.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the drawing.")] = 0,
    json: JsonOption = False,
) -> None:
    """Say what differs between two reports, and whether it is more than chance.

    \b
    usearch eval ade150 --root DIR --report before.json
    usearch eval ade150 --root DIR --templates cat-seg --report after.json
    usearch eval compare before.json after.json

    Both must be over the same photos, labels and class list; anything else is refused. The
    same photos are drawn again for both, so the interval is that of the difference: 0 outside
    of it is a gain or a loss, 0 inside is "unsure".

    Into a pipe, a metric is one line: key, A, B, B - A, low, high, verdict.
    """
    from eval.compare import compare_reports
    from eval.report_json import read_report

    if not 100 <= rounds <= 100_000:
        raise UsageError(f"--rounds {rounds}", "100 to 100000")
    if seed < 0:
        raise UsageError(f"--seed {seed}", "0 or more")
    names = (str(first), str(second))
    found = compare_reports(read_report(first), read_report(second), names, rounds, seed)
    if json:
        json_result("eval compare", _values(found, (json_name(first), json_name(second)), seed))
    elif is_terminal():
        from eval.report_table import comparison_tables

        console = terminal()
        for block in comparison_tables(found, names, console.width):
            console.print(block)
    else:
        for row in found.differences:
            result("\t".join(_cells(row)))


def _cells(row: Difference) -> list[str]:
    ends = (row.interval.low, row.interval.high) if row.interval else (None, None)
    numbers = (row.first, row.second, row.change, *ends)
    return [row.key, *("" if n is None else f"{n:.6g}" for n in numbers), row.verdict]


def _values(found: Comparison, names: tuple[str, str], seed: int) -> dict[str, Any]:
    return {
        "first": names[0],
        "second": names[1],
        "n_photos": found.n_photos,
        "rounds": found.rounds,
        "seed": seed,
        "differences": [
            {
                "key": row.key,
                "first": row.first,
                "second": row.second,
                "change": row.change,
                "interval": [row.interval.low, row.interval.high] if row.interval else None,
                "better": row.better,
                "verdict": row.verdict,
            }
            for row in found.differences
        ],
        "classes": [
            {
                "name": row.name,
                "first": row.first,
                "second": row.second,
                "labelled": row.labelled,
            }
            for row in found.classes
        ],
    }
