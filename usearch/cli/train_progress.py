"""How far a training is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usearch.cli.output import note
from usearch.cli.progress import EVERY_SECONDS, duration, shows_bars

if TYPE_CHECKING:
    from trainer.use.loop import Look
    from trainer.use.photos import Collection
    from trainer.use.run import Stage, Watch

_STAGES = {
    "reading pairs": "looking through the pairs",
    "encoding texts": "encoding texts",
    "caching features": "caching features",
    "held-out photos": "looking at held-out photos",
    "fitting": "fitting a ridge",
    "training": "training",
}


@contextmanager
def watched(first: bool) -> Iterator[Watch]:
    """What to tell of a run; only the first of several processes tells it."""
    from trainer.use.run import Watch

    if not first:
        yield Watch()
        return
    if not shows_bars():
        lines = _Lines()
        yield Watch(lines.stage, lines.texts, lines.look, lines.cached)
        return
    with _live() as bar:
        shown = _Bar(bar)
        yield Watch(shown.stage, shown.texts, shown.look, shown.cached)


class _Pace:
    """Photos a second and time left, over the last steps: the first ones are slower."""

    def __init__(self) -> None:
        self._last: deque[tuple[int, float]] = deque(maxlen=50)

    def after(self, look: Look) -> tuple[float, float]:
        """(photos a second, seconds left)."""
        self._last.append((look.photos, look.seconds))
        photos = sum(n for n, _ in self._last)
        seconds = max(sum(s for _, s in self._last), 1e-9)
        left = (look.total - look.step) * seconds / len(self._last)
        return photos / seconds, left


class _Lines:
    """A line a stage, one for each look at held-out photos, and one every half minute."""

    def __init__(self) -> None:
        self._pace = _Pace()
        self._said = time.monotonic()

    def stage(self, stage: Stage, collection: Collection | None) -> None:
        """A stage begins."""
        if stage == "encoding texts" and collection is not None:
            note(counts_of(collection))
        note(_STAGES[stage])

    def texts(self, done: int, total: int) -> None:
        """Some texts are encoded."""
        self._now_and_then(f"encoding texts: {done:,} of {total:,}")

    def cached(self, done: int, total: int) -> None:
        """Features of some photos are in the cache."""
        self._now_and_then(f"caching features: {done:,} of {total:,} photos")

    def look(self, look: Look) -> None:
        """A step is done."""
        rate, left = self._pace.after(look)
        said = (
            f"step {look.step:,} of {look.total:,}: loss {look.line['loss']:.3f}, "
            f"{rate:.2g} photos/s, {duration(left)} left"
        )
        held = look.line.get("held")
        if held is None:
            self._now_and_then(said)
        else:
            note(f"{said}; held out: {held_figures(held)}")
            self._said = time.monotonic()

    def _now_and_then(self, text: str) -> None:
        now = time.monotonic()
        if now - self._said >= EVERY_SECONDS:
            self._said = now
            note(text)


class _Bar:
    """One bar; figures on held-out photos stay above it."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._row = bar.add_task("", total=None, figures="")
        self._pace = _Pace()

    def stage(self, stage: Stage, collection: Collection | None) -> None:
        """A stage begins."""
        if stage == "encoding texts" and collection is not None:
            self._bar.console.print(counts_of(collection))
        self._bar.reset(self._row, description=_STAGES[stage], total=None, figures="")

    def texts(self, done: int, total: int) -> None:
        """Some texts are encoded."""
        self._bar.update(self._row, completed=done, total=total)

    def cached(self, done: int, total: int) -> None:
        """Features of some photos are in the cache."""
        self._bar.update(self._row, completed=done, total=total)

    def look(self, look: Look) -> None:
        """A step is done."""
        rate, left = self._pace.after(look)
        figures = f"loss {look.line['loss']:.3f}  {rate:.2g} photos/s  {duration(left)} left"
        self._bar.update(self._row, completed=look.step, total=look.total, figures=figures)
        held = look.line.get("held")
        if held is not None:
            self._bar.console.print(f"step {look.step:>7,}  held out: {held_figures(held)}")


def counts_of(collection: Collection) -> str:
    """What is trained on, in words."""
    segments = sum(source.segments for source in collection.sources)
    return (
        f"{len(collection.train):,} photos with {segments:,} segments and "
        f"{len(collection.texts):,} texts to train on, {len(collection.held):,} photos held out"
    )


def held_figures(held: dict[str, float]) -> str:
    """Figures on held-out photos, in words."""
    return (
        f"loss {held['loss']:.3f}, naming {held['naming']:.1%}, "
        f"recall@1 {held['recall@1']:.1%}, recall@10 {held['recall@10']:.1%}"
    )


@contextmanager
def _live() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield bar
