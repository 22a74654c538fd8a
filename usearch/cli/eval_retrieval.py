"""`usearch eval retrieval`: does search find what is labelled?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.eval_options import (
    EvalForceOption,
    EvalModelOption,
    EvalPresetOption,
    EvalSegmenterOption,
    EvalStoreOption,
    EvalTemplatesOption,
    EvalWorkersOption,
)
from usearch.cli.eval_output import ReportOption
from usearch.cli.options import DeviceOption, JsonOption
from usearch.cli.output import note
from usearch.errors import SpaceMismatch, UsageError

if TYPE_CHECKING:
    from eval.datasets import MapSet, RegionSet
    from eval.systems import System, TextSide
    from eval.text_retrieval import Block, TextRetrieval
    from usearch.store import Snapshot


def retrieval(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[SET]",
            help="A benchmark, such as ade150 or cocostuff. Without it: --coco.",
            show_default=False,
        ),
    ] = "",
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Where the benchmark is.", show_default=False),
    ] = None,
    coco: Annotated[
        Path | None,
        typer.Option(
            "--coco",
            metavar="FILE",
            help="Labelled masks: COCO instances json.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Photos of --coco.", show_default=False),
    ] = None,
    iou: Annotated[
        float,
        typer.Option(
            "--iou",
            metavar="IOU",
            min=0.05,
            max=1.0,
            help="From which IoU on a segment lies on a labelled region.",
        ),
    ] = 0.5,
    min_area: Annotated[
        int,
        typer.Option(
            "--min-area",
            metavar="PX",
            min=1,
            help="Labelled regions with fewer pixels need not be found.",
        ),
    ] = 1024,
    distractors: Annotated[
        Path | None,
        typer.Option(
            "--distractors",
            metavar="STORE",
            help="Also search among the segments of this store, all of them wrong answers.",
            show_default=False,
        ),
    ] = None,
    preset: EvalPresetOption = None,
    model: EvalModelOption = None,
    segmenter: EvalSegmenterOption = None,
    templates: EvalTemplatesOption = "",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help="Only N photos, evenly spread.", show_default=False
        ),
    ] = None,
    store: EvalStoreOption = None,
    device: DeviceOption = "auto",
    workers: EvalWorkersOption = None,
    report: ReportOption = None,
    force: EvalForceOption = False,
    json: JsonOption = False,
) -> None:
    """Text to segment and text to photo: recall and mean average precision.

    \b
    usearch eval retrieval --coco instances_val2017.json --images val2017
    usearch eval retrieval ade150 --root ADEChallengeData2016 --iou 0.25
    usearch eval retrieval --coco labels.json --images photos --distractors holidays/.usearch

    Each name that is labelled is asked once, of the stored segments. recall@k is the share of
    names with a right answer among the first k, mAP counts every labelled region: one that no
    segment covers with --iou is a miss. Intervals (95 %) draw the names again. With
    --distractors both figures are printed; a photo of that store that shows an asked name
    counts as wrong all the same, so take one whose photos you know. docs/evaluation.md says more.
    """
    from eval.report import EvalReport
    from eval.systems import parse_systems, text_side
    from eval.text_retrieval import with_retrieval
    from usearch.cli.eval_output import check_places, show_report
    from usearch.cli.repeat import command_line
    from usearch.settings import setting

    check_places(report, None, force=force)
    system = parse_systems("", model or setting("preset", preset), segmenter)[0]
    if system.segmenter == "given":
        raise UsageError(
            "with labelled masks as segments there is nothing to find",
            "take --segmenter tree or sam; usearch eval SET --errors has masks that are given",
        )
    labels = _labels(name, root, coco, images, limit, min_area)
    side = text_side(system)
    run = _Run(system, side, templates, iou, store, device, workers)
    start = time.monotonic()
    plain, mixed, snapshot = run.measured(labels, distractors)
    found = EvalReport(
        data_set=labels.labelled.name,
        list_id=labels.labelled.list_id,
        system=system.title,
        command=command_line(context),
        n_photos=len(labels.labelled.photos),
        n_classes=len(labels.names),
        subset=labels.subset,
        times={"all": round(time.monotonic() - start, 3)},
        options={
            "iou": iou,
            "min_area": min_area,
            "templates": templates or "the model's own",
            "distractors": "" if distractors is None else str(distractors),
            "space_id": snapshot.space.id,
        },
        notes=tuple(labels.notes),
    )
    titles = [one[0] for one in labels.names]
    found = with_retrieval(found, plain, titles)
    if mixed is not None:
        found = with_retrieval(found, mixed, titles, "retrieval.with_distractors.")
    show_report(found, json=json, report=report, force=force)


@dataclass(frozen=True, slots=True)
class _Labels:
    """A labelled set, with the names that are asked.

    Attributes:
        labelled: The set, with the photos that are measured.
        names: For each class its names.
        min_area: Smaller regions need not be found.
        subset: Only a part of the set is measured.
        notes: Sentences for the reader.
    """

    labelled: RegionSet | MapSet
    names: list[list[str]]
    min_area: int
    subset: bool
    notes: list[str]


def _labels(
    name: str,
    root: Path | None,
    coco: Path | None,
    images: Path | None,
    limit: int | None,
    min_area: int,
) -> _Labels:
    from eval.datasets import MapSet, open_dataset, read_coco
    from eval.map_reports import found_lines
    from usearch.cli.eval_collect import limited

    labelled: RegionSet | MapSet
    if bool(name) == (coco is not None):
        raise UsageError(
            "labels are wanted: a benchmark, or a file of masks",
            "usearch eval retrieval ade150 --root DIR, or --coco FILE --images DIR",
        )
    if coco is not None:
        if images is None:
            raise UsageError("--coco FILE needs its photos", "add --images DIR")
        labelled = read_coco(coco, images)
    elif root is None:
        raise UsageError(f"where {name} is was not said", "add --root DIR")
    else:
        labelled = open_dataset(name, root)
    names = (
        [list(one) for one in labelled.names]
        if isinstance(labelled, MapSet)
        else [[one] for one in (*labelled.things, *labelled.stuff)]
    )
    labelled, subset = limited(labelled, limit)
    notes = found_lines(labelled)
    for line in notes:
        note(line)
    return _Labels(labelled, names, min_area, subset, notes)


@dataclass(frozen=True, slots=True)
class _Run:
    """What answers, and how it is counted."""

    system: System
    side: TextSide
    templates: str
    iou: float
    store: Path | None
    device: str
    workers: int | None

    def measured(
        self, labels: _Labels, distractors: Path | None
    ) -> tuple[TextRetrieval, TextRetrieval | None, Snapshot]:
        """Without distractors, and with them where there are any."""
        import numpy as np

        from eval.system_stores import default_folder
        from eval.text_retrieval import asked_names, text_retrieval
        from eval.text_targets import labelled_photos, store_blocks
        from usearch.cli.eval_collect import collected_photos
        from usearch.cli.progress import count_bar
        from usearch.text.embed import embed_names
        from usearch.text.templates import get_templates

        flat = [one for names in labels.names for one in names]
        vectors = embed_names(
            self.side.encoder,
            flat,
            get_templates(self.templates or self.side.templates),
            default_folder() / "texts",
        )
        texts = np.split(vectors, np.cumsum([len(one) for one in labels.names])[:-1])
        others = None if distractors is None else self._others(distractors)
        paths = [photo.path for photo in labels.labelled.photos]
        collected, photos = collected_photos(
            paths, self.system, self.side, self.store, self.device, self.workers
        )
        snapshot = collected.snapshot
        ids = set(collected.ids.values())
        with count_bar("comparing", len(paths), "photos") as progress:
            met = labelled_photos(
                labels.labelled, labels.names, collected.ids, photos, labels.min_area, progress
            )
            asked = asked_names(met, texts, self.iou)
        plain = text_retrieval(asked, store_blocks(snapshot, ids))
        if others is None:
            return plain, None, snapshot
        own = {row.hash for row in snapshot.photo_records() if row.photo_id in ids}
        rest = {row.photo_id for row in others.photo_records()
                if row.status == "ok" and row.hash not in own}  # fmt: skip
        note(f"distractors: {len(rest):,} photos of {others.path}")

        def gallery() -> Iterator[Block]:
            yield from store_blocks(snapshot, ids)
            yield from store_blocks(others, rest)

        return plain, text_retrieval(asked, gallery()), snapshot

    def _others(self, distractors: Path) -> Snapshot:
        from usearch.opened import named_store
        from usearch.store import open_snapshot

        others = open_snapshot(named_store(distractors))
        if others.space.id != self.side.space_id:
            raise SpaceMismatch(
                f"{others.path} holds vectors of {others.space.name} ({others.space.id}), "
                f"{self.system.title} makes those of {self.side.space_id}",
                "name distractors that the same model indexed",
            )
        return others
