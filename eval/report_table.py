"""A report as tables for a terminal, wide or narrow. Text from outside never acts as markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from eval.measures import measure_of, section_of, section_title
from usearch.render.safe_text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from eval.compare import Comparison, Difference
    from eval.report import ClassRow, EvalReport, Published

_NARROW = 76
"""Columns below which what is published moves below its figure."""
_CLASSES = 5
"""Classes shown from each end of the per-class table."""


def report_tables(
    report: EvalReport, width: int = 100, classes: int = _CLASSES
) -> Iterator[RenderableType]:
    """What to print of a report, one after the other.

    Args:
        report: A report.
        width: Columns of the terminal.
        classes: Classes to show from each end of the per-class table; 0 = none.
    """
    yield _head(report)
    yield _figures(report, narrow=width < _NARROW)
    if len(map_sections(report)) > 1:
        yield _side_by_side(report, narrow=width < _NARROW)
    rows = [row for row in report.classes if row.labelled]
    if rows and classes:
        yield _classes(rows, classes, narrow=width < _NARROW)
    for line in _remarks(report):
        yield _text(line, "dim")


def figure_lines(report: EvalReport) -> Iterator[str]:
    """For a pipe, a metric a line: key, value, low and high end of its interval, with tabs."""
    for key, value in report.metrics.items():
        ends = report.intervals.get(key)
        cells = [value, ends.low if ends else None, ends.high if ends else None]
        yield "\t".join([key, *("" if cell is None else f"{cell:.6g}" for cell in cells)])


def shown_value(key: str, value: float | None) -> str:
    """A metric for people: shares in %, counts with separators."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if measure_of(key).kind == "count" else f"{100 * value:.1f}"


def shown_interval(report: EvalReport, key: str) -> str:
    """The interval of a metric for people, in %; "" when it has none."""
    ends = report.intervals.get(key)
    return f"[{100 * ends.low:.1f}, {100 * ends.high:.1f}]" if ends else ""


def facts(report: EvalReport) -> str:
    """One line: how many photos and classes, which list."""
    part = ", a part of the set" if report.subset else ""
    photos = "photo" if report.n_photos == 1 else "photos"
    return (
        f"{report.n_photos:,} {photos}{part}, {report.n_classes:,} classes, list {report.list_id}"
    )


def published_text(published: Published) -> str:
    """A figure from the literature, with who reached it and why it may not compare."""
    value = shown_value(published.key, published.value)
    sign = "" if published.comparable else " (not comparable)"
    return f"{value} {published.system}{sign}"


def map_sections(report: EvalReport) -> list[str]:
    """Sections with scores of class maps: "" for the run itself, its oracles, other systems."""
    return [section_of(key) for key in report.metrics if key.rpartition(".")[2] == "miou_present"]


def long_sections(report: EvalReport) -> dict[str, list[str]]:
    """Section -> its metrics, but for maps other than the run's own: they stand side by side."""
    beside = set(map_sections(report)) - {""}
    found: dict[str, list[str]] = {}
    for key in report.metrics:
        if section_of(key) not in beside or measure_of(key).sample != "maps":
            found.setdefault(section_of(key), []).append(key)
    return {name: keys for name, keys in found.items() if keys != [f"{name}.classes_present"]}


def _head(report: EvalReport) -> Text:
    text = _text("")
    text.append(printable(f"{report.data_set}: {report.system}"), "bold")
    text.append("\n" + printable(facts(report)), "dim")
    return text


def _figures(report: EvalReport, narrow: bool) -> Table:
    told: dict[str, list[Published]] = {}
    for published in report.published:
        told.setdefault(published.key, []).append(published)
    beside = bool(told) and not narrow
    table = _table("", "%", "95 % interval", *(["published"] if beside else []), right=(1, 2))
    for section, keys in long_sections(report).items():
        if section:
            table.add_section()
            table.add_row(_text(section_title(section), "bold"))
        for key in keys:
            value = shown_value(key, report.metrics[key])
            row = [measure_of(key).label, value, shown_interval(report, key)]
            figures = [published_text(p) for p in told.get(key, ())]
            table.add_row(*map(_text, [*row, *(["\n".join(figures)] if beside else [])]))
            if not beside:
                for figure in figures:
                    table.add_row(_text(f"  published: {figure}", "dim"))
    return table


SIDE_BY_SIDE = {
    "miou_present": "mIoU",
    "miou_union": "mIoU, union",
    "fwiou": "fwIoU",
    "pixel_accuracy": "pixels",
    "covered": "covered",
}
"""Measures of class maps that are compared in columns, with short heads."""


def _side_by_side(report: EvalReport, narrow: bool) -> Table:
    """Class maps of the run, of its oracles and of other systems, one a row."""
    shown = ("miou_present", "pixel_accuracy") if narrow else tuple(SIDE_BY_SIDE)
    table = _table("class maps", *(SIDE_BY_SIDE[key] for key in shown), right=range(1, 9))
    for section in map_sections(report):
        cells = [section_title(section) if section else "this run"]
        for last in shown:
            key = f"{section}.{last}" if section else last
            value = shown_value(key, report.metrics.get(key))
            ends = shown_interval(report, key) if last == "miou_present" and not narrow else ""
            cells.append(f"{value} {ends}".rstrip())
        table.add_row(*map(_text, cells))
    return table


def _classes(rows: Sequence[ClassRow], n: int, narrow: bool) -> Table:
    heads = (
        ("class", "IoU %", "of labels") if narrow else ("class", "IoU %", "of labels", "taken for")
    )
    table = _table(*heads, right=(1, 2))
    total = sum(row.labelled for row in rows)
    ranked = sorted(rows, key=lambda row: -(row.iou or 0.0))
    cut = len(ranked) > 2 * n
    for place, row in enumerate([*ranked[:n], *ranked[-n:]] if cut else ranked):
        if cut and place == n:
            left = len(ranked) - 2 * n
            table.add_row(_text(f"... {left:,} more", "dim"))
        cells = [row.name, shown_value("iou", row.iou), f"{100 * row.labelled / total:.1f} %"]
        table.add_row(*map(_text, cells if narrow else [*cells, missed_text(row)]))
    return table


def missed_text(row: ClassRow) -> str:
    """What most of a class's missed pixels were taken for, and how much of the class that is."""
    if row.taken_for is None:
        return ""
    share = f"{100 * row.taken_share:.0f}" if row.taken_share >= 0.01 else "<1"
    return f"{row.taken_for or 'no class'} {share} %"


def _remarks(report: EvalReport) -> Iterator[str]:
    told = dict.fromkeys((p.source, p.note) for p in report.published)
    for source, note in told:
        yield f"published: {source}{f'; {note}' if note else ''}"
    if report.subset:
        yield "Only a part of the set was measured: published figures do not compare."
    yield from report.notes
    if report.times:
        yield "seconds: " + ", ".join(f"{k} {v:.1f}" for k, v in report.times.items())
    yield f"again: {report.command}"


def _table(*heads: str, right: Iterable[int]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    aligned = set(right)
    for number, head in enumerate(heads):
        if number in aligned:
            table.add_column(head, justify="right", no_wrap=True)
        else:
            table.add_column(head, overflow="fold")
    return table


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(printable(text, keep_newlines=True), style)


def comparison_tables(
    found: Comparison, names: tuple[str, str], width: int = 100, classes: int = _CLASSES
) -> Iterator[RenderableType]:
    """What to print of a comparison.

    Args:
        found: Second report against first.
        names: Of the two.
        width: Columns of the terminal.
        classes: Classes to show of the largest gains, and of the largest losses.
    """
    narrow = width < _NARROW
    yield _text(f"A {names[0]}\nB {names[1]}\n{_paired(found)}")
    table = _table("", "A", "B", "B - A", "95 % interval", "", right=(1, 2, 3, 4))
    section = ""
    for row in found.differences:
        if section_of(row.key) != section:
            section = section_of(row.key)
            table.add_section()
            table.add_row(_text(section_title(section), "bold"))
        cells = difference_cells(row)
        label = measure_of(row.key).label if not narrow else row.key.rpartition(".")[2]
        style = {"higher": "green", "lower": "red"}.get(row.verdict, "")
        table.add_row(_text(label), *map(_text, cells[:-1]), _text(cells[-1], style))
    yield table
    lost = [row for row in reversed(found.classes) if row.second < row.first][:classes]
    won = [row for row in found.classes if row.second > row.first][:classes]
    if won or lost:
        changes = _table("class", "A", "B", "B - A", right=(1, 2, 3))
        for change in [*won, *reversed(lost)]:
            a, b = 100 * change.first, 100 * change.second
            changes.add_row(*map(_text, (change.name, f"{a:.1f}", f"{b:.1f}", f"{b - a:+.1f}")))
        yield changes


def difference_cells(row: Difference) -> tuple[str, str, str, str, str]:
    """A difference for people: first, second, change, interval, verdict."""
    if measure_of(row.key).kind == "count":
        change, ends = f"{row.change:+,.0f}", ""
    else:
        change = f"{100 * row.change:+.1f}"
        i = row.interval
        ends = f"[{100 * i.low:+.1f}, {100 * i.high:+.1f}]" if i else ""
    first, second = shown_value(row.key, row.first), shown_value(row.key, row.second)
    return first, second, change, ends, row.verdict


def _paired(found: Comparison) -> str:
    return f"{found.n_photos:,} photos, drawn again {found.rounds:,} times for both"
