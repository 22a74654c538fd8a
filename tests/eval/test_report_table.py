"""Reports and comparisons on a terminal: every figure, at any width, and nothing acts."""

import io

import pytest
from report_samples import names_of, photo_maps, tally_of, toy_report

from eval.compare import compare_reports
from eval.report import Published, with_maps, with_values
from eval.report_table import comparison_tables, figure_lines, report_tables

Console = pytest.importorskip("rich.console").Console


def drawn(blocks, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    for block in blocks:
        console.print(block)
    return console.file.getvalue()


@pytest.fixture
def report():
    published = (
        Published("miou_present", 0.37, "USE + SAM", "Table 2", False, "another photo set"),
        Published("miou_present", 0.275, "OVSeg + SAM", "Table 2"),
    )
    found = toy_report(published=published, times={"index": 3.25}, subset=True)
    masks = tally_of(photo_maps(12, 0.1))
    return with_maps(found, masks, names_of(12), prefix="oracles.proposals.")


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_figures_and_what_is_published_are_there_at_any_width(report, width):
    text = drawn(report_tables(report, width), width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    value, ends = report.metrics["miou_present"], report.intervals["miou_present"]
    assert f"{100 * value:.1f}" in words
    assert f"[{100 * ends.low:.1f}, {100 * ends.high:.1f}]" in words
    assert "37.0 USE" in words
    assert "27.5 OVSeg" in words
    assert "usearch eval toy" in words


def test_what_cannot_be_compared_is_said_to_be_so(report):
    words = " ".join(drawn(report_tables(report, 120), 120).split())
    assert "37.0 USE + SAM (not comparable)" in words
    assert "another photo set" in words
    assert "27.5 OVSeg + SAM (not" not in words
    assert "Only a part of the set was measured" in words


def test_the_oracle_stands_beside_the_run(report):
    lines = drawn(report_tables(report, 100), 100).splitlines()
    start = next(i for i, line in enumerate(lines) if "class maps" in line)
    own = next(line for line in lines[start:] if "this run" in line)
    oracle = next(line for line in lines[start:] if "our segments, true names" in line)
    assert f"{100 * report.metrics['miou_union']:.1f}" in own
    assert f"{100 * report.metrics['oracles.proposals.miou_union']:.1f}" in oracle


def test_of_many_classes_the_ends_are_shown(report):
    text = drawn(report_tables(report, 100, classes=1), 100)
    assert "1 more" in text
    assert "cat" not in text  # no label, nothing to be right about


def test_class_names_never_act_as_markup_or_on_the_terminal(report):
    text = drawn(report_tables(report, 100), 100)
    assert "a <b>tall</b> tree" in text
    hostile = with_values(toy_report(system="[red]x[/red] \x1b[2J"), {})
    shown = drawn(report_tables(hostile, 100), 100)
    assert "[red]x[/red] \\x1b[2J" in shown
    assert "\x1b[2J" not in shown


def test_a_pipe_gets_a_metric_a_line(report):
    lines = dict(line.split("\t", 1) for line in figure_lines(report))
    value, low, high = map(float, lines["miou_present"].split("\t"))
    assert low < value < high
    assert value == pytest.approx(report.metrics["miou_present"], rel=1e-5)
    assert lines["classes_present"] == "3\t\t"


@pytest.mark.parametrize("width", [60, 100])
def test_a_comparison_shows_both_values_and_the_change(width):
    found = compare_reports(toy_report(wrong=0.5), toy_report(wrong=0.2))
    text = drawn(comparison_tables(found, ("a.json", "b.json"), width), width)
    assert max(map(len, text.splitlines())) <= width
    row = next(line for line in text.splitlines() if "higher" in line)
    first = found.differences[0]
    assert f"{100 * first.first:.1f}" in row
    assert f"{100 * first.change:+.1f}" in row
