"""`usearch train --ablate`: the paper's ablations on the backbones at hand, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from usearch.cli.output import is_terminal, json_result, note, result, terminal
from usearch.cli.train_progress import watched
from usearch.errors import ExitCode, UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from indexer.interrupts import Stop
    from trainer.use.ablation import AblationRow
    from trainer.use.backbones import Backbones
    from trainer.use.distributed import Processes
    from trainer.use.run import Request

_COLUMNS = ("table", "head", "parameters", "loss", "naming", "recall@1", "recall@10")


def show_ablation(
    request: Request,
    backbones: Backbones,
    seeds: int,
    processes: Processes,
    stop: Stop,
    json: bool,
) -> None:
    """Train every head of the ablation and print how they do on held-out photos.

    Raises:
        UsageError: Several processes were started, or options ask for a single head.
        Exit: It was stopped before the last head; what is done stays.
    """
    from trainer.use.ablation import ablate_run

    if processes.count > 1:
        raise UsageError("--ablate runs in one process", "start it without torchrun")
    if request.warm_start or not request.cls:
        raise UsageError(
            "--ablate trains heads with and without class tokens, from a random start",
            "leave out --no-cls and --warm-start",
        )
    with watched(True) as watch:
        rows, whole = ablate_run(
            request, backbones, seeds, stop, watch, on_row=lambda row: note(_line(row))
        )
    if json:
        values = {"run": json_name(request.run), "rows": [row.to_json() for row in rows]}
        json_result("train ablate", values)
    elif is_terminal():
        _table(rows)
    elif rows:
        result("\t".join(_COLUMNS))
        for row in rows:
            result("\t".join(_cells(row)))
    if not whole:
        note("stopped; the same command goes on from there")
        raise typer.Exit(ExitCode.INTERRUPTED)
    first = rows[0]
    trained = (
        f"{first.seeds} trainings a head, mean ± standard deviation"
        if first.seeds > 1
        else "one training a head"
    )
    note(f"{trained}; {first.segments:,} held-out segments, {first.texts:,} names")


def _line(row: AblationRow) -> str:
    return f"{row.variant.name}: loss {row.mean['loss']:.3f}, naming {row.mean['naming']:.1%}"


def _cells(row: AblationRow) -> list[str]:
    def figure(key: str, factor: int, digits: int) -> str:
        mean = f"{factor * row.mean[key]:.{digits}f}"
        return f"{mean} ± {factor * row.spread[key]:.{digits}f}" if row.seeds > 1 else mean

    return [
        row.variant.table,
        row.variant.name,
        f"{row.parameters:,}",
        figure("loss", 1, 3),
        *(figure(key, 100, 1) for key in _COLUMNS[4:]),
    ]


def _table(rows: list[AblationRow]) -> None:
    if not rows:
        return
    from rich.table import Table
    from rich.text import Text

    table: Any = Table(box=None, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in ("table", "head") else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    terminal().print(table)
