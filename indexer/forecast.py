"""What a run would make and how long it would take, without writing anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from indexer.one_photo import Load, Outcome, Reading
from indexer.photos import PhotoError, check_header
from indexer.planning import Task
from indexer.reports import Forecast, Progress, SkippedPhoto
from indexer.workers import crew_for

_LOOK_SECONDS = 20.0
_TIME_SECONDS = 30.0
"""How long headers are read and photos are timed, at most."""

_ROW_BYTES = 30
_MASK_SHARE = 0.2
"""Of a segment in segments.parquet: the columns beside its mask, and what compression leaves of
the mask; measured on stores of photos."""


def forecast(
    tasks: Sequence[Task],
    load: Load,
    reading: Reading,
    workers: int | None,
    *,
    timed: int,
    stopped: Callable[[], bool],
    tell: Callable[[Progress], None],
) -> Forecast:
    """Looks at the headers of photos, and cuts and embeds a few of them.

    Args:
        tasks: Photos that a run would read.
        load: See `indexer.pipeline.index_photos`.
        reading: How files are read.
        workers: Processes of the run; by default one a core.
        timed: Photos to cut and embed; spread evenly over the tasks.
        stopped: Whether to end early.
        tell: Is told how far it is.

    Raises:
        ModelError: Weights or a package are missing.
    """
    looked_at, usable, unusable = _look(tasks, reading, stopped, tell)
    sample = _spread(usable, timed)
    if not sample or stopped():
        return Forecast(looked_at, len(tasks), unusable)
    began = time.monotonic()
    tell(Progress("loading"))
    outcomes: list[Outcome] = []
    with crew_for(load, reading, workers, len(sample)) as crew:
        loaded = crew.wait_until_loaded(stopped)
        loading = time.monotonic() - began
        if loaded is None:
            return Forecast(looked_at, len(tasks), unusable)
        n_workers = max(crew.size, 1)
        began = time.monotonic()
        for outcome in crew.outcomes(sample, stopped):
            outcomes += [outcome] if outcome is not None else []
            tell(Progress("timing", len(outcomes), len(sample)))
            if time.monotonic() - began > _TIME_SECONDS:
                break
    if not outcomes:
        return Forecast(looked_at, len(tasks), unusable)
    share = (looked_at - len(unusable)) / looked_at
    times = len(tasks) * share / len(outcomes)
    segments, size = _made(outcomes)
    work = sum(sum(outcome.seconds) for outcome in outcomes)
    return Forecast(
        looked_at,
        len(tasks),
        unusable,
        timed=len(outcomes),
        failed=sum(_failed(outcome) for outcome in outcomes),
        workers=n_workers,
        segments=round(segments * times),
        bytes=round(size * times),
        seconds=loading + work * times / n_workers,
    )


def _look(
    tasks: Sequence[Task],
    reading: Reading,
    stopped: Callable[[], bool],
    tell: Callable[[Progress], None],
) -> tuple[int, list[Task], list[SkippedPhoto]]:
    """Reads headers: how many, which photos look usable, and why the others do not.

    The order is spread over all photos, so that what is seen until the time is up stands for
    the rest.
    """
    began = time.monotonic()
    usable: list[Task] = []
    unusable: list[SkippedPhoto] = []
    order = [task for start in range(_STRIDE) for task in tasks[start::_STRIDE]]
    for number, task in enumerate(order):
        if stopped() or time.monotonic() - began > _LOOK_SECONDS:
            break
        tell(Progress("looking", number, len(tasks), failed=len(unusable)))
        photo = task.photo
        try:
            if photo.problem:
                raise PhotoError("not_a_file", f"{photo.problem}, not a file")
            check_header(photo.full_path, reading.max_pixels)
        except PhotoError as error:
            unusable.append(SkippedPhoto(photo.full_path, error.reason, error.detail))
        else:
            usable.append(task)
    usable.sort(key=lambda task: task.number)
    unusable.sort(key=lambda photo: photo.path)
    return len(usable) + len(unusable), usable, unusable


_STRIDE = 97


def _spread(tasks: Sequence[Task], count: int) -> list[Task]:
    """So many tasks from beginning to end."""
    if len(tasks) <= count:
        return list(tasks)
    return [tasks[(2 * i + 1) * len(tasks) // (2 * count)] for i in range(count)]


def _made(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """Segments of outcomes, and the bytes that storing them takes."""
    segments, vectors, masks = 0, 0, 0
    for outcome in outcomes:
        made = outcome.indexed
        if made is not None and made.segments is not None and made.vectors is not None:
            segments += len(made.vectors)
            vectors += made.vectors.size * 2
            vectors += 0 if made.keys is None else made.keys.size * 2
            masks += sum(map(len, made.segments.rles))
    return segments, vectors + round(masks * _MASK_SHARE) + segments * _ROW_BYTES


def _failed(outcome: Outcome) -> bool:
    return outcome.indexed is not None and outcome.indexed.photo.status != "ok"
