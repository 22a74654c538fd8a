"""Bars on stderr for what takes long; lines now and then where nobody sees a bar."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usearch.cli.output import note

if TYPE_CHECKING:
    from indexer.reports import Progress

EVERY_SECONDS = 30.0
"""How often a line says how far the work is where there is no bar."""

_STAGES = {
    "looking": "looking for photos",
    "loading": "loading the models",
    "timing": "timing a few photos",
    "indexing": "indexing",
    "stopping": "stopping, what is done is kept",
    "finishing": "building the index",
}


def shows_bars() -> bool:
    """Whether stderr is a terminal that can move its cursor."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def index_progress() -> Iterator[Callable[[Progress], None]]:
    """How far an index run is: a bar on a terminal, a line every half minute elsewhere."""
    if not shows_bars():
        yield _Lines().show
        return
    with _bar("{task.fields[rate]}", "{task.fields[segments]} segments") as bar:
        row = bar.add_task("looking for photos", total=None, rate="", segments=0)

        def show(progress: Progress) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                row,
                description=_STAGES[progress.stage],
                total=progress.total or None,
                completed=progress.done,
                rate=f"{speed:.1f} photos/s" if speed else "",
                segments=f"{progress.segments:,}",
            )

        yield show


@contextmanager
def byte_bar(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """How far a download is."""
    if not shows_bars():
        yield lambda _: None
        return
    with _bar("{task.fields[rate]}") as bar:
        row = bar.add_task(name, total=total, rate="")

        def show(n_bytes: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed / 1e6:.1f} MB/s" if speed else ""
            bar.update(row, completed=n_bytes, rate=rate)

        yield show


@contextmanager
def count_bar(name: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """How many of `total` things are done."""
    if not shows_bars():
        yield lambda _: None
        return
    with _bar("{task.fields[unit]}", "") as bar:
        row = bar.add_task(name, total=total, unit=unit)
        yield lambda done: bar.update(row, completed=done)


@contextmanager
def _bar(*fields: str) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    counts = MofNCompleteColumn() if len(fields) > 1 else TaskProgressColumn()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        counts,
        *(TextColumn(field) for field in fields),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield bar


class _Lines:
    """Says how far an index run is, every half minute."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._began: float | None = None

    def show(self, progress: Progress) -> None:
        """Say it when it is time."""
        now = time.monotonic()
        if progress.stage == "indexing" and self._began is None:
            self._began = now
        if now - self._said >= EVERY_SECONDS:
            self._said = now
            note(self._line(progress, now))

    def _line(self, progress: Progress, now: float) -> str:
        said = _STAGES[progress.stage]
        if progress.stage != "indexing":
            return said
        rate = progress.done / max(now - (self._began or now), 1e-9)
        said += f": {progress.done:,} of {progress.total:,} photos, {progress.segments:,} segments"
        if progress.done:
            left = (progress.total - progress.done) / rate
            said += f", {rate:.1f} photos/s, {duration(left)} left"
        return said


def duration(seconds: float) -> str:
    """A span of time for people: 0.4 s, 40 s, 14 min, 3 h 20 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
