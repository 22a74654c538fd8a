"""`usearch index`: photos to segments and vectors in a store."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.options import (
    DeviceOption,
    JsonOption,
    ModelOption,
    StoreOption,
    new_model,
    typed_value,
)
from usearch.cli.output import json_result, note
from usearch.errors import ExitCode, StoreError, StoreNotFound, UsageError
from usearch.settings import setting

if TYPE_CHECKING:
    from indexer.one_photo import Load
    from indexer.reports import IndexReport
    from usearch.store import Snapshot

_DEFAULT_PRESET = "mini"
_TIMED = 16
"""Photos that a dry run cuts and embeds to say how long the rest will take."""


def index(
    context: typer.Context,
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
    model: ModelOption = None,
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
    skip_invalid: Annotated[
        bool,
        typer.Option("--skip-invalid", help="Leave out wrong entries of --masks, and list them."),
    ] = False,
    device: DeviceOption = "auto",
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
    keys: Annotated[
        bool | None,
        typer.Option(
            "--keys/--no-keys",
            help="Visual keys, for --bank. Without it: new photos get them; --keys: stored "
            "photos that have none are indexed again too.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help="Index at most N photos now.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what there is to do and how long it takes, no more."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit with 3 when any photo is skipped, now or since an earlier run."
        ),
    ] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List all skipped photos, not the first 10.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Cut photos into segments and store their vectors.

    \b
    usearch index ./photos --dry-run      # what there is to do, and how long it takes
    usearch index ./photos
    usearch index ./photos ./scans --prune    # also forget photos that are gone
    usearch index ./photos --store big        # not into ./.usearch

    Runs again where it stopped: photos that are in the store and have not changed are not
    read, moved photos are recognised by their content. Ctrl-C keeps what is done. Photos
    that cannot be read are skipped, listed with the reason, and not tried again until
    they change (or --retry). Formats: JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, JPEG 2000,
    PNM; HEIC with the extra `heic`. Hidden files are left out.
    """
    from indexer.pipeline import index_photos
    from usearch.cli.index_lines import index_document, plan_lines, run_lines
    from usearch.cli.progress import index_progress

    folder = _store_folder(store)
    known = _snapshot_if_any(folder)
    if known is None:
        chosen = new_model(context, model, preset)
        segmenter = segmenter if masks is not None else setting("segmenter", segmenter)
    else:  # it keeps what made it, unless the command line insists
        chosen = _model_for(context, model, preset, known)
    cutter = _chosen_segmenter(chosen, segmenter, masks, known)
    load = _loader(chosen, cutter, masks, device, skip_invalid)
    wrong = _wrong_masks(masks, skip_invalid)
    note(f"store: {folder}" + ("" if known is not None else " (new)"))
    with index_progress() as progress:
        report = index_photos(
            paths,
            folder,
            load,
            preset=chosen,
            include=include or (),
            exclude=exclude or (),
            follow_links=follow_links,
            workers=setting("workers", workers) or _default_workers(chosen, cutter),
            prune=prune,
            force=force,
            retry=retry,
            verify=verify,
            keys=keys,
            limit=limit,
            dry_run=dry_run,
            timed=_TIMED,
            max_pixels=max_pixels,
            allow_truncated=allow_truncated,
            progress=progress,
        )
    lines = plan_lines if dry_run else run_lines
    note("\n".join(lines(report, all_skipped=skipped)))
    if json:
        values = index_document(report, folder, chosen, dry_run=dry_run)
        json_result("index", values | {"masks_left_out": wrong})
    code = _exit_code(report, strict)
    if code != ExitCode.DONE:
        raise typer.Exit(code)


def _model_for(
    context: typer.Context, model: str | None, preset: str | None, known: Snapshot
) -> str:
    """The model for a store that is there: its own, unless the command line insists.

    Raises:
        SpaceMismatch: The command line insists on a trained model of another space.
    """
    from usearch.models.presets import model_of_store, run_of
    from usearch.search import require_space

    if model is None and typed_value(context, "preset", preset) is None:
        return model_of_store(known.preset, known.space.id)
    chosen = new_model(context, model, preset)
    if (run := run_of(chosen)) is not None:
        require_space(known, run.space)
    return chosen


def _store_folder(store: Path | None) -> Path:
    """The store to write: the one named, the nearest one, or a new one here."""
    from usearch.store import find_store

    store = setting("store", store)
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
    from usearch.models.presets import run_of

    if segmenter is None and masks is not None:
        segmenter = "given"
    if known is not None and (known.preset == preset or run_of(preset) is not None):
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


def _wrong_masks(masks: Path | None, skip_invalid: bool) -> list[str]:
    """Says which entries of the mask file are left out; one line each."""
    if not skip_invalid:
        return []
    if masks is None:
        raise UsageError("--skip-invalid is about --masks COCO.json", "leave it out")
    from indexer.segmenters.coco_masks import describe, read_coco_masks
    from indexer.segmenters.given import MAX_MASKS

    problems = read_coco_masks(masks, MAX_MASKS, skip_invalid=True).problems
    if problems:
        note(f"{masks}: entries left out: {describe(problems)}")
    return problems


def _loader(
    preset: str, segmenter: str | None, masks: Path | None, device: str, skip_invalid: bool
) -> Load:
    """What the worker processes call to load their models."""
    from indexer.presets import load_indexer

    found = None if masks is None else masks.absolute()
    return partial(load_indexer, preset, segmenter, device, masks=found, skip_invalid=skip_invalid)


def _default_workers(preset: str, segmenter: str | None) -> int | None:
    """Processes for a preset: None is one a core.

    torch models are large and use several cores by themselves; two processes keep one busy
    while the other decodes.
    """
    torch_free = preset == _DEFAULT_PRESET and segmenter != "sam"
    return None if torch_free else 2


def _exit_code(report: IndexReport, strict: bool) -> int:
    if report.stopped_by is not None:
        return 128 + report.stopped_by
    # Photos skipped before count too: the code does not depend on which run met them first.
    skipped = len(report.skipped) + sum(report.failed_before.values())
    nothing_usable = report.found == skipped > 0
    if skipped and (strict or nothing_usable):
        return ExitCode.INPUT
    return ExitCode.DONE
