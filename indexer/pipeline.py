"""Photos to a store: discover, compare, decode, cut, embed, commit.

    discover -> make_plan -> Crew (decode -> segment -> embed) -> Writer.add

A run can end at any instant. What was committed stays, what was not is found again by the
next run, and no photo is ever in the store twice: each commit replaces the old rows of its
photos in the same step.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from indexer.batch import Batch
from indexer.discovery import Survey, discover, resolved_root
from indexer.forecast import forecast
from indexer.interrupts import Stop, interrupts
from indexer.one_photo import Load, Loaded, Reading
from indexer.photos import MAX_PIXELS
from indexer.planning import KnownPhotos, Plan, make_plan
from indexer.reports import IndexReport, Progress
from indexer.workers import Alone, Crew, crew_for
from usearch.errors import InputError, StoreNotFound, UsageError
from usearch.render.safe_text import printable
from usearch.store import Snapshot, Writer, open_snapshot, open_writer
from usearch.store.lock import WriteLock


def index_photos(
    roots: Sequence[Path],
    store: Path,
    load: Load,
    *,
    preset: str,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_links: bool = False,
    workers: int | None = None,
    prune: bool = False,
    force: bool = False,
    retry: bool = False,
    verify: bool = False,
    limit: int | None = None,
    dry_run: bool = False,
    timed: int = 0,
    max_pixels: int = MAX_PIXELS,
    allow_truncated: bool = False,
    keys: bool | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IndexReport:
    """Brings a store up to date with the photos below some folders.

    Args:
        roots: Folders or single files.
        store: The store's folder; made when absent.
        load: Makes segmenter and embedder; each worker process calls it.
        preset: Name of the preset that `load` loads, for the manifest.
        include: See `indexer.discovery.discover`.
        exclude: See there.
        follow_links: See there.
        workers: Worker processes; by default one a core. 0 works in this process, without
            protection from crashing decoders.
        prune: Take photos out of the store whose file is gone.
        force: Prune even when a root has lost all its photos.
        retry: Try photos again that could not be read before.
        verify: Compare the content of unchanged photos as well.
        limit: Index at most so many photos in this run.
        dry_run: Only find out what there is to do, and write nothing.
        timed: Photos that a dry run cuts and embeds to forecast size and time; 0 for none.
        max_pixels: See `indexer.photos.decode`.
        allow_truncated: See there.
        keys: Whether segments get visual keys: None gives them to photos that are indexed now,
            where the models make keys; True makes them for stored photos too that have none;
            False makes none.
        progress: Is called often, from this thread.

    Raises:
        InputError: A root is missing, or there is no photo at all.
        StoreBusy: Another process writes this store.
        StoreError: The store is damaged, newer, read-only, or of another space.
        ModelError: Weights or a package are missing.
        ResourceError: Disk or memory ran out; what was committed stays.
    """
    start = time.monotonic()
    tell = progress or (lambda _: None)
    tell(Progress("looking"))
    report = IndexReport()
    survey = report.survey
    found = list(
        discover(
            roots, include, exclude, leave_out=[store], follow_links=follow_links, survey=survey
        )
    )
    report.found = len(found)
    for photo in found:  # a Path for each would cost seconds
        report.endings[os.path.splitext(photo.path)[1].lower()] += 1  # noqa: PTH122
    folders = [resolved_root(root) for root in roots]

    def planned(snapshot: Snapshot | None) -> Plan:
        return make_plan(
            found,
            KnownPhotos(snapshot),
            folders,
            max_pixels=max_pixels,
            retry=retry,
            verify=verify,
            limit=limit,
            without_keys=_without_keys(snapshot) if keys else frozenset(),
        )

    snapshot = _snapshot_if_any(store)
    plan = planned(snapshot)
    if not found and not plan.gone:
        raise _nothing_found(folders, survey)
    reading = Reading(
        max_pixels=max_pixels, allow_truncated=allow_truncated, keys=keys is not False
    )
    if dry_run:
        _count(plan, report)
        report.moved = len(plan.moves)
        if timed:
            with interrupts() as stop:
                report.forecast = forecast(
                    plan.tasks, load, reading, workers, timed=timed, stopped=stop.asked, tell=tell
                )
                report.stopped_by = stop.signal
        report.seconds = time.monotonic() - start
        return report
    if prune and plan.empty_roots and not force:
        raise InputError(
            f"nothing is left in {printable(plan.empty_roots[0])}, which the store has photos of: "
            "nothing was removed",
            "Is the disk mounted? When the photos really are gone, add --force.",
        )
    with interrupts() as stop:
        if snapshot is not None and snapshot.preset == preset and not plan.tasks:
            _count(plan, report)
            if plan.moves or (prune and plan.gone):
                with _writer(store, preset, _made_by(snapshot)) as writer:
                    _tidy(plan, writer, report, prune=prune)
        else:
            if snapshot is not None:
                WriteLock(snapshot.path).release()  # refuse before any model is loaded
            tell(Progress("loading", total=len(plan.tasks)))
            with crew_for(load, reading, workers, len(plan.tasks)) as crew:
                loaded = crew.wait_until_loaded(stop.asked)
                _count(plan, report)
                if loaded is not None:
                    if keys and loaded.keys is None:
                        raise _no_keys(preset)
                    with _writer(store, preset, loaded) as writer:
                        if snapshot is None or writer.snapshot.version != snapshot.version:
                            plan = planned(writer.snapshot)
                        _count(plan, report)
                        _tidy(plan, writer, report, prune=prune)
                        _work(plan, crew, writer, report, stop, tell)
        report.stopped_by = stop.signal
    _refuse_lost_roots(folders, report)
    report.seconds = time.monotonic() - start
    return report


def _snapshot_if_any(store: Path) -> Snapshot | None:
    try:
        return open_snapshot(store)
    except StoreNotFound:
        return None


def _without_keys(snapshot: Snapshot | None) -> set[int]:
    from usearch.store.keys import photos_without_keys

    return set() if snapshot is None else photos_without_keys(snapshot, None)


def _no_keys(preset: str) -> UsageError:
    return UsageError(
        f"the model {preset} makes no visual keys: it has no feature of a segment apart from the "
        "vector that texts share",
        "leave --keys out",
    )


def _made_by(snapshot: Snapshot) -> Loaded:
    return Loaded(snapshot.space, snapshot.segmenter, snapshot.segmenter_settings)


def _writer(store: Path, preset: str, loaded: Loaded) -> Writer:
    return open_writer(
        store,
        space=loaded.space,
        preset=preset,
        segmenter=loaded.segmenter,
        segmenter_settings=loaded.segmenter_settings,
        keys=loaded.keys,
    )


def _refuse_lost_roots(roots: Sequence[str], report: IndexReport) -> None:
    """A folder that went away during the run is no folder of vanished photos."""
    vanished = any(photo.reason == "vanished" for photo in report.skipped)
    for root in roots:
        if vanished and _is_away(root):
            raise InputError(
                f"{printable(root)} went away while its photos were read; the "
                f"{report.indexed:,} photos indexed before are kept",
                "Mount the disk again and run the same command.",
            )


def _is_away(root: str) -> bool:
    """Whether a folder is missing, or empty as the place of a disk that is not mounted."""
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is None
    except NotADirectoryError:
        return False  # a single photo was asked for
    except OSError:
        return True


def _nothing_found(roots: Sequence[str], survey: Survey) -> InputError:
    where = ", ".join(printable(root) for root in roots)
    others = ", ".join(
        f"{count} {suffix or 'without ending'}"
        for suffix, count in survey.other_suffixes.most_common(5)
    )
    said = [f"other files: {others}"] if others else []
    said += [f"{survey.hidden} hidden"] if survey.hidden else []
    said += [f"{survey.links_left_out} links left out"] if survey.links_left_out else []
    said += [f"{len(survey.unreadable)} unreadable folders"] if survey.unreadable else []
    return InputError(
        f"no photos in {where}" + (f" ({'; '.join(said)})" if said else ""),
        "Give a folder that holds photos; --include '*.ext' takes other endings.",
    )


def _count(plan: Plan, report: IndexReport) -> None:
    report.unchanged = plan.unchanged
    report.failed_before = plan.failed_before
    report.postponed = plan.postponed
    report.to_do = report.left = len(plan.tasks)
    report.new = sum(task.known is None for task in plan.tasks)
    report.gone = len(plan.gone)


def _tidy(plan: Plan, writer: Writer, report: IndexReport, *, prune: bool) -> None:
    """Writes what needs no photo to be read: moves, and removals when asked for."""
    if plan.moves:
        writer.rename(plan.moves)
        report.moved = len(plan.moves)
    if prune and plan.gone:
        writer.remove(plan.gone)
        report.removed = len(plan.gone)
        report.gone = 0


def _work(
    plan: Plan,
    crew: Crew | Alone,
    writer: Writer,
    report: IndexReport,
    stop: Stop,
    tell: Callable[[Progress], None],
) -> None:
    """Runs the tasks and commits their outcomes batch by batch."""
    batch = Batch(writer, report)
    stream = crew.outcomes(plan.tasks, stop.asked)
    done = 0
    while True:
        try:
            outcome = next(stream)
        except StopIteration:
            break
        except Exception:
            batch.commit()  # what is finished is not lost with the photo that failed
            raise
        if outcome is not None:
            done += 1
            batch.take(outcome)
        if batch.is_due():
            batch.commit()
        tell(Progress("indexing", done, len(plan.tasks), report.segments, len(report.skipped)))
    if stop.asked():
        tell(Progress("stopping", done, len(plan.tasks), report.segments, len(report.skipped)))
    batch.commit()
    report.left = len(plan.tasks) - done
    report.rejected = writer.rejected
    if not stop.asked():
        tell(Progress("finishing", done, done, report.segments, len(report.skipped)))
        start = time.monotonic()
        writer.finish()
        report.stage_seconds["store"] += time.monotonic() - start
