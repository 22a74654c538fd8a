"""Runs on label maps as reports: the figures, where the error comes from, photos to show."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets import MapSet, RegionSet, read_image
from eval.map_runs import Answers, MapRun
from eval.proposals import proposal_report
from eval.published import published_figures
from eval.report import EvalReport, Published, with_maps, with_proposals
from eval.report_page import Shown
from usearch.errors import InputError
from usearch.records import Image


def photo_names(labelled: MapSet) -> dict[Path, str]:
    """What each photo is called in reports: its path below the set's photos, with `/`."""
    home = labelled.found.images if labelled.found is not None else None
    if home is None or not all(p.path.is_relative_to(home) for p in labelled.photos):
        home = Path(os.path.commonpath([photo.path.parent for photo in labelled.photos]))
    return {photo.path: photo.path.relative_to(home).as_posix() for photo in labelled.photos}


def found_lines(labelled: MapSet | RegionSet) -> list[str]:
    """Where a set was found and how its labels were read, a sentence a line."""
    found = labelled.found
    if found is None:
        return []
    of = f" of {found.expected:,}" if found.expected and not found.complete else ""
    return [
        f"{labelled.name}: {found.photos:,}{of} photos in {found.images}, labels in "
        f"{found.labels} (layout {found.layout})",
        f"labels: {found.encoding}",
        *found.notes,
    ]


def map_report(
    labelled: MapSet,
    title: str,
    run: MapRun,
    *,
    command: str,
    subset: bool,
    times: Mapping[str, float],
    options: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> EvalReport:
    """The report of one system's run.

    Args:
        labelled: The set, with the photos that were measured.
        title: Of the system.
        run: What was counted.
        command: The command line that repeats it.
        subset: Only a part of the published set was measured.
        times: Stage -> seconds.
        options: What was chosen, as plain JSON values.
        notes: Sentences for the reader.
    """
    names = photo_names(labelled)
    report = EvalReport(
        data_set=labelled.name,
        list_id=labelled.list_id,
        system=title,
        command=command,
        n_photos=len(labelled.photos),
        n_classes=len(labelled.names),
        subset=subset,
        published=_published(labelled, complete=not subset),
        times=times,
        options=options,
        notes=(*found_lines(labelled), *notes),
    )
    titles = [one[0] for one in labelled.names]
    report = with_maps(report, run.tally, list(names.values()), titles)
    if run.mixed is not None:
        report = with_maps(report, run.mixed, list(names.values()), prefix="bank.")
    if run.oracle is not None:
        report = with_maps(report, run.oracle, list(names.values()), prefix="oracles.proposals.")
    if run.best:
        of_region = [names[path] for path in run.best_photos]
        number = np.unique(of_region, return_inverse=True)[1]
        proposals = proposal_report(run.best, number, run.most_segments)
        report = with_proposals(report, proposals, run.best, of_region)
    return report


def _published(labelled: MapSet, complete: bool) -> tuple[Published, ...]:
    """Figures of the paper; none for a folder, which may be called as a benchmark is."""
    if labelled.found is None or labelled.found.layout == "folder":
        return ()
    return published_figures(labelled.name, complete)


def with_naming_oracle(report: EvalReport, run: MapRun) -> EvalReport:
    """A report with a run on labelled masks beside it; photos as in the report."""
    photos = report.samples["maps"].names
    return with_maps(report, run.tally, photos, prefix="oracles.naming.")


def error_lines(report: EvalReport) -> list[str]:
    """What the oracles say, in two sentences; none where they were not measured."""
    run, masks, names = (
        report.metrics.get(f"{prefix}miou_present")
        for prefix in ("", "oracles.proposals.", "oracles.naming.")
    )
    if run is None or masks is None or names is None:
        return []
    better = "names" if masks > names else "masks"
    return [
        f"mIoU: this run {100 * run:.1f}; true names on our segments {100 * masks:.1f}; our names "
        f"on the labelled masks {100 * names:.1f}",
        f"More is to be gained by better {better}: perfect {better} alone would give "
        f"{100 * max(masks, names):.1f}",
    ]


def shower(labelled: MapSet, answers: Answers) -> Callable[[str], Shown]:
    """Gives photos for a page by their name in the report; these photos are opened."""
    by_name = {name: path for path, name in photo_names(labelled).items()}
    by_path = {photo.path: photo for photo in labelled.photos}

    def show(name: str) -> Shown:
        truth, predicted = answers.show(by_path[by_name[name]])
        return Shown(_picture(by_name[name], truth.shape), truth, predicted)

    return show


def _picture(path: Path, size: tuple[int, int]) -> Image:
    """The photo at the size of its labels; grey where it cannot be read."""
    try:
        image = read_image(path)
    except InputError:
        return np.full((*size, 3), 128, np.uint8)
    if image.shape[:2] == size:
        return image
    from PIL import Image as PillowImage

    resized = PillowImage.fromarray(image).resize(
        (size[1], size[0]), PillowImage.Resampling.BILINEAR
    )
    return np.asarray(resized)
