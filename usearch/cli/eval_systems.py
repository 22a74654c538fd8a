"""Several systems of one evaluation: one table, and files of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.cli.output import SCHEMA_VERSION, is_terminal, result, terminal

if TYPE_CHECKING:
    from eval.report import EvalReport
    from eval.report_page import Shown
    from eval.systems import System
    from usearch.cli.eval_options import MapChoices

Places = list[tuple[Path | None, Path | None]]


def places_of(report: Path | None, page: Path | None, systems: Sequence[System]) -> Places:
    """Where each system's report and page go: `a.json` is `a.tree+mini.json` when several do."""
    if len(systems) == 1:
        return [(report, page)]

    def of(path: Path | None, system: System) -> Path | None:
        return None if path is None else path.with_name(f"{path.stem}.{system.title}{path.suffix}")

    return [(of(report, system), of(page, system)) for system in systems]


def show_systems(
    found: Sequence[tuple[EvalReport, Callable[[str], Shown]]], places: Places, chosen: MapChoices
) -> None:
    """Write the files of each system, and print one table, or one JSON object, of all.

    Raises:
        InputError: A file cannot be written.
    """
    from eval.report_json import report_values
    from eval.systems_table import systems_lines, systems_table
    from usearch.cli.eval_output import write_files

    for (one, show), (report, page) in zip(found, places, strict=True):
        write_files(one, show, report=report, page=page, force=chosen.force)
    reports = [one for one, _ in found]
    if chosen.json:
        values = [report_values(one) for one in reports]
        head = {"schema": "usearch.eval.systems/1", "schema_version": SCHEMA_VERSION}
        json.dump({**head, "command": "eval", "systems": values}, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    elif is_terminal():
        console = terminal()
        for block in systems_table(reports):
            console.print(block)
    else:
        for line in systems_lines(reports):
            result(line)
