"""What is shown while something takes long."""

from __future__ import annotations

import io
import sys

import pytest

from indexer.reports import Progress
from usearch.cli import progress
from usearch.cli.progress import byte_bar, duration, index_progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def forward(seconds):
        now[0] += seconds

    return forward


def test_without_a_terminal_a_line_is_written_every_half_minute(capsys, clock):
    with index_progress() as show:
        show(Progress("looking"))
        clock(20)
        show(Progress("indexing", 0, 100))
        clock(29)
        show(Progress("indexing", 25, 100, 2500))
        show(Progress("indexing", 26, 100, 2600))
        clock(29)
        show(Progress("indexing", 58, 100, 5800))
        clock(1)
        show(Progress("indexing", 59, 100, 5900))
    assert capsys.readouterr().err.splitlines() == [
        "indexing: 25 of 100 photos, 2,500 segments, 0.9 photos/s, 87 s left",
        "indexing: 59 of 100 photos, 5,900 segments, 1.0 photos/s, 41 s left",
    ]


def test_a_short_run_says_nothing(capsys, clock):
    with index_progress() as show:
        for number in range(10):
            show(Progress("indexing", number, 10))
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_on_a_terminal_it_is_a_bar_with_rate_segments_and_time_left(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with index_progress() as show:
        for number in range(1, 6):
            show(Progress("indexing", number, 10, number * 100))
    shown = stream.getvalue()
    assert "indexing" in shown and "5/10" in shown
    assert "500 segments" in shown and "photos/s" in shown


def test_a_dumb_terminal_gets_no_control_characters(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "dumb")
    with index_progress() as show, byte_bar("w.pth", 10) as tell:
        show(Progress("indexing", 1, 10))
        tell(5)
    assert "\x1b" not in stream.getvalue()


def test_a_download_shows_how_much_is_there(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with byte_bar("weights.pth", 1000) as tell:
        tell(500)
    assert "weights.pth" in stream.getvalue() and "50%" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(4.26, "4.3 s"), (9.97, "10 s"), (89, "89 s"), (840, "14 min"), (12_000, "3 h 20 min")],
)
def test_spans_of_time_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said
