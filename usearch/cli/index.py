"""`usearch index`: photos to segments and vectors in a store."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption, StoreOption
from usearch.cli.output import json_result, note
from usearch.errors import ExitCode, StoreError, StoreNotFound, UsageError

if TYPE_CHECKING:
    from indexer.one_photo import Load
    from indexer.reports import IndexReport, Progress
    from usearch.store import Snapshot

_DEFAULT_PRESET = "mini"
_LISTED = 10


def index(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders with photos, or photos.")
    ],
    store: StoreOption = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            envvar="USEARCH_PRESET",
            metavar="NAME",
            help="The models to work with. Without it: those of the store, or mini.",
            show_default=False,
        ),
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            "--segmenter",
            metavar="tree|sam|given",
            help="What cuts the photos. Without it: the preset's own.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            metavar="COCO.json",
            help="Masks that you have, for --segmenter given.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device", metavar="auto|cpu|cuda", help="Where torch models run; mini needs none."
        ),
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="Processes that work on photos. Without it: one a core; two for torch models.",
            show_default=False,
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="GLOB",
            help="Only files whose name or path matches; repeatable. Without it: all endings "
            "of photos.",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="GLOB",
            help="Leave out files and folders that match; repeatable.",
            show_default=False,
        ),
    ] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Also follow links that lead out of PATH.")
    ] = False,
    max_pixels: Annotated[
        int,
        typer.Option(
            "--max-pixels",
            metavar="N",
            min=1,
            help="Skip photos of more pixels; larger ones need 3 to 4 bytes a pixel and worker.",
        ),
    ] = 250_000_000,
    allow_truncated: Annotated[
        bool,
        typer.Option("--allow-truncated", help="Index files that end too early as far as they go."),
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove photos from the store whose file is gone.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Prune even where all photos of a PATH are gone.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try photos again that could not be read before.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare contents too, not only size and time of files."),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help="Index at most N photos now.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is to do, and do nothing.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit with 3 when any photo is skipped, now or since an earlier run."
        ),
    ] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help=f"List all skipped photos, not the first {_LISTED}.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Cut photos into segments and store their vectors.

    \b
    usearch index ./photos
    usearch index ./photos --prune        # also forget photos that are gone
    usearch index ./photos --store big    # not into ./.usearch

    Runs again where it stopped: photos that are in the store and have not changed are not
    read, moved photos are recognised by their content. Ctrl-C keeps what is done. Photos
    that cannot be read are skipped, listed with the reason, and not tried again until
    they change (or --retry). Formats: JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, JPEG 2000,
    PNM; HEIC with the extra `heic`. Hidden files are left out.
    """
    from indexer.pipeline import index_photos

    folder = _store_folder(store)
    known = _snapshot_if_any(folder)
    chosen = preset or (known.preset if known is not None else _DEFAULT_PRESET)
    cutter = _chosen_segmenter(chosen, segmenter, masks, known)
    load = _loader(chosen, cutter, masks, device)
    if not dry_run:
        note(f"store: {folder}" + ("" if known is not None else " (new)"))
    with _progress_bar() as progress:
        report = index_photos(
            paths,
            folder,
            load,
            preset=chosen,
            include=include or (),
            exclude=exclude or (),
            follow_links=follow_links,
            workers=workers or _default_workers(chosen, cutter),
            prune=prune,
            force=force,
            retry=retry,
            verify=verify,
            limit=limit,
            dry_run=dry_run,
            max_pixels=max_pixels,
            allow_truncated=allow_truncated,
            progress=progress,
        )
    note("\n".join(_summary(report, dry_run=dry_run, all_skipped=skipped)))
    if json:
        json_result("index", _document(report, folder, chosen))
    code = _exit_code(report, strict)
    if code != ExitCode.DONE:
        raise typer.Exit(code)


def _store_folder(store: Path | None) -> Path:
    """The store to write: the one named, the nearest one, or a new one here."""
    from usearch.store import find_store

    if store is None:
        try:
            return find_store()
        except StoreNotFound:
            return Path.cwd() / ".usearch"
    inside = store / ".usearch"
    holds_one = (inside / "manifest.json").exists() and not (store / "manifest.json").exists()
    return inside if holds_one else store


def _snapshot_if_any(folder: Path) -> Snapshot | None:
    from usearch.store import open_snapshot

    try:
        return open_snapshot(folder)
    except StoreNotFound:
        return None


def _chosen_segmenter(
    preset: str, segmenter: str | None, masks: Path | None, known: Snapshot | None
) -> str | None:
    """The segmenter asked for, else the store's own; None for the preset's own."""
    if segmenter is None and masks is not None:
        segmenter = "given"
    if known is not None and known.preset == preset:
        segmenter = segmenter or known.segmenter
        if segmenter != known.segmenter:
            raise StoreError(
                f"{known.path} was cut by {known.segmenter}, not by {segmenter}",
                "leave --segmenter out, or index into another store with --store",
            )
    if (segmenter == "given") != (masks is not None):
        raise UsageError(
            "--segmenter given and --masks COCO.json belong together",
            "name the file with your masks, or leave both out to cut with the preset's segmenter",
        )
    return segmenter


def _loader(preset: str, segmenter: str | None, masks: Path | None, device: str) -> Load:
    """What the worker processes call to load their models."""
    from indexer.presets import load_indexer

    found = None if masks is None else masks.absolute()
    return partial(load_indexer, preset, segmenter, device, masks=found)


def _default_workers(preset: str, segmenter: str | None) -> int | None:
    """Processes for a preset: None is one a core.

    torch models are large and use several cores by themselves; two processes keep one busy
    while the other decodes.
    """
    torch_free = preset == _DEFAULT_PRESET and segmenter != "sam"
    return None if torch_free else 2


@contextmanager
def _progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """A bar on stderr where that is a terminal that can move its cursor; else nothing."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[segments]} segments"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
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


_STAGES = {
    "looking": "looking for photos",
    "loading": "loading the models",
    "indexing": "indexing",
    "finishing": "building the index",
}


def _summary(report: IndexReport, *, dry_run: bool, all_skipped: bool) -> list[str]:
    """The lines for people at the end of a run."""
    lines = []
    if report.stopped_by is not None:
        lines.append("stopped; run the same command again to go on")
    if dry_run:
        lines.append(f"{report.to_do:,} photos to index of {report.found:,} found")
    else:
        rate = report.indexed / max(report.seconds, 1e-9)
        lines.append(
            f"{report.indexed:,} photos indexed, {report.segments:,} segments, "
            f"{report.seconds:.1f} s" + (f", {rate:.1f} photos/s" if report.indexed else "")
        )
    counts = {
        "unchanged": report.unchanged - sum(report.failed_before.values()),
        "changed": report.changed,
        "moved": report.moved,
        "same content, new time": report.touched,
        "removed from the store": report.removed,
        "left for another run (--limit)": report.postponed,
        "gone, still in the store (--prune removes them)": report.gone,
        "segments rejected, their vectors were not finite": report.rejected,
        "links left out (--follow-links)": report.survey.links_left_out,
    }
    lines += [f"  {count:,} {what}" for what, count in counts.items() if count]
    before = sum(report.failed_before.values())
    if before:
        reasons = _reasons(report.failed_before)
        lines.append(f"  {before:,} skipped before and not tried again (--retry): {reasons}")
    lines += [f"  not listed: {path}: {why}" for path, why in report.survey.unreadable.items()]
    if report.skipped:
        reasons = _reasons(Counter(photo.reason for photo in report.skipped))
        lines.append(f"{len(report.skipped):,} skipped: {reasons}")
        shown = report.skipped if all_skipped else report.skipped[:_LISTED]
        lines += [f"  {_one_line(p.path)}: {p.reason}: {_one_line(p.detail)}" for p in shown]
        if len(shown) < len(report.skipped):
            lines.append(f"  and {len(report.skipped) - len(shown):,} more (--skipped)")
    return lines


def _reasons(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())


def _one_line(text: str) -> str:
    from usearch.render.safe_text import printable

    return printable(text)


def _document(report: IndexReport, folder: Path, preset: str) -> dict[str, Any]:
    """The values of `--json`."""
    return {
        "store": str(folder.absolute()),
        "preset": preset,
        "found": report.found,
        "to_do": report.to_do,
        "indexed": report.indexed,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "touched": report.touched,
        "moved": report.moved,
        "removed": report.removed,
        "gone": report.gone,
        "postponed": report.postponed,
        "segments": report.segments,
        "rejected_segments": report.rejected,
        "skipped": [
            {"path": _exact(photo.path), "reason": photo.reason, "detail": photo.detail}
            for photo in report.skipped
        ],
        "skipped_before": dict(report.failed_before),
        "unreadable_folders": {_exact(p): why for p, why in report.survey.unreadable.items()},
        "links_left_out": report.survey.links_left_out,
        "seconds": round(report.seconds, 3),
        "worker_seconds": {k: round(v, 3) for k, v in report.stage_seconds.items()},
        "stopped": report.stopped_by is not None,
    }


def _exact(path: str) -> str:
    """A path for JSON; bytes that are no UTF-8 become U+FFFD."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _exit_code(report: IndexReport, strict: bool) -> int:
    if report.stopped_by is not None:
        return 128 + report.stopped_by
    # Photos skipped before count too: the code does not depend on which run met them first.
    skipped = len(report.skipped) + sum(report.failed_before.values())
    nothing_usable = report.found == skipped > 0
    if skipped and (strict or nothing_usable):
        return ExitCode.INPUT
    return ExitCode.DONE
