"""What every `usearch eval` command does with its report: print it, write JSON and a page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.output import is_terminal, note, open_in_browser, result, terminal

if TYPE_CHECKING:
    from eval.report import EvalReport
    from eval.report_page import Shown

ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        "-o",
        metavar="FILE",
        help="Also write the report as JSON, for `usearch eval compare`.",
        show_default=False,
    ),
]
PageOption = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Also write a page: figures, the worst and best photos, every class.",
        show_default=False,
    ),
]


def check_places(report: Path | None, page: Path | None, *, force: bool) -> None:
    """Refuse taken places before hours of work, and not after.

    Raises:
        InputError: A file is there, or its folder is not.
    """
    from usearch.errors import InputError
    from usearch.result_files import refuse_existing

    for path in (report, page):
        if path is not None:
            refuse_existing(path, force=force)
            if not path.resolve().parent.is_dir():
                raise InputError(f"there is no folder {path.parent}", "make it first")


def show_report(
    found: EvalReport,
    read: Callable[[str], Shown] | None = None,
    *,
    json: bool = False,
    report: Path | None = None,
    page: Path | None = None,
    show: bool = False,
    force: bool = False,
) -> None:
    """Print a report and write what was asked for.

    Args:
        found: The report.
        read: Gives a photo of the set by its name in the report's samples, with its labels and
            its prediction; asked for the two dozen photos of the page only. Without it the
            page has no pictures.
        json: Print the JSON document and no table.
        report: Where the JSON document goes too.
        page: Where the page goes.
        show: Open the page in a browser.
        force: Replace files that are there.

    Raises:
        InputError: A file cannot be written.
    """
    from eval.report_json import report_text
    from eval.report_table import figure_lines, report_tables

    write_files(found, read, report=report, page=page, force=force)
    if json:
        sys.stdout.write(report_text(found))
    elif is_terminal():
        console = terminal()
        for block in report_tables(found, console.width):
            console.print(block)
    else:
        for line in figure_lines(found):
            result(line)
    if page is not None and show:
        open_in_browser(page.resolve().as_uri())


def write_files(
    found: EvalReport,
    read: Callable[[str], Shown] | None = None,
    *,
    report: Path | None = None,
    page: Path | None = None,
    force: bool = False,
) -> None:
    """Write a report as JSON and as a page, where places are given; see `show_report`.

    Raises:
        InputError: A file cannot be written.
    """
    from usearch.result_files import new_file

    if report is not None:
        from eval.report_json import report_text

        with new_file(report, force=force) as file:
            file.write(report_text(found).encode())
        note(f"wrote {report}")
    if page is not None:
        from eval.report_page import report_page

        with new_file(page, force=force) as file:
            file.write(report_page(found, read).encode("utf-8", "replace"))
        note(f"wrote {page}")
