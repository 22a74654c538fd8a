"""`usearch eval partimagenet`: mask AP of parts, from stored segments."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.class_options import (
    DEFAULT_BANK_WEIGHT,
    DEFAULT_NEIGHBOURS,
    BankWeightOption,
    NeighboursOption,
)
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
from usearch.errors import InputError, UsageError

if TYPE_CHECKING:
    from eval.datasets import RegionSet


def partimagenet(
    context: typer.Context,
    root: Annotated[
        Path,
        typer.Option("--root", metavar="DIR", help="Where the data set is.", show_default=False),
    ],
    split: Annotated[
        str, typer.Option("--split", metavar="val|test|train", help="Which photos of it.")
    ] = "val",
    layout: Annotated[
        str,
        typer.Option(
            "--layout",
            metavar="vlpart|coco",
            help="Take this layout (docs/datasets.md). Without it: the first that is there.",
            show_default=False,
        ),
    ] = "",
    preset: EvalPresetOption = None,
    model: EvalModelOption = None,
    segmenter: EvalSegmenterOption = None,
    templates: EvalTemplatesOption = "",
    nms: Annotated[
        float,
        typer.Option(
            "--nms",
            metavar="IOU",
            min=0.0,
            max=1.0,
            help="Of two masks of one part with more IoU, only the better counts; 1 = both do.",
        ),
    ] = 1.0,
    bank: Annotated[
        str,
        typer.Option(
            "--bank",
            metavar="STORE|self",
            help="A store as memory, or the set's own segments; docs/memory.md.",
            show_default=False,
        ),
    ] = "",
    bank_weight: BankWeightOption = DEFAULT_BANK_WEIGHT,
    neighbours: NeighboursOption = DEFAULT_NEIGHBOURS,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Only N photos, evenly spread: quick, not comparable.",
            show_default=False,
        ),
    ] = None,
    store: EvalStoreOption = None,
    device: DeviceOption = "auto",
    workers: EvalWorkersOption = None,
    report: ReportOption = None,
    force: EvalForceOption = False,
    json: JsonOption = False,
) -> None:
    """PartImageNet, 40 parts: mask AP.

    \b
    usearch eval partimagenet --root PartImageNet
    usearch eval partimagenet --root PartImageNet --segmenter sam --preset large
    usearch eval partimagenet --root PartImageNet --limit 100      # quick, not comparable

    As section 4.4 of the USE paper: every stored segment is named among the 40 parts, the 91
    stuff classes of COCO and the 11 super-categories; those whose best name is a part are its
    detections, with the probability as the score. Prints COCO's mask AP (IoU 0.5 to 0.95, at
    most 100 detections a photo) with 95 % intervals over photos, and that of each part, beside
    the paper's figure. Needs the extra `eval`, and labels as COCO json: the edition of index
    pictures has no objects.
    """
    from eval.datasets import open_dataset
    from eval.map_reports import found_lines
    from eval.parts import part_names, part_scores, photo_numbers, with_parts
    from eval.published import published_figures
    from eval.report import EvalReport
    from eval.system_stores import default_folder
    from eval.systems import parse_systems, text_side
    from usearch.classify import embed_classes
    from usearch.cli.eval_collect import bank_for, collected_photos, limited
    from usearch.cli.eval_output import check_places, show_report
    from usearch.cli.progress import count_bar
    from usearch.cli.repeat import command_line
    from usearch.settings import setting
    from usearch.text.class_lists import ClassList
    from usearch.text.templates import get_templates

    check_places(report, None, force=force)
    system = parse_systems("", model or setting("preset", preset), segmenter)[0]
    if system.segmenter == "given":
        raise UsageError("masks that are given are no detections", "take --segmenter tree or sam")
    opened = open_dataset("partimagenet", root, split, layout)
    labelled, subset = limited(_with_objects(opened, root), limit)
    for line in found_lines(labelled):
        note(line)
    names = part_names(labelled.things)
    side = text_side(system)
    texts = embed_classes(
        ClassList([list(one) for one in names.names], "partimagenet"),
        side.encoder,
        get_templates(templates or side.templates),
        side.calibration,
        scored=False,
        cache_dir=default_folder() / "texts",
    )
    start = time.monotonic()
    collected, photos = collected_photos(
        [photo.path for photo in labelled.photos], system, side, store, device, workers
    )
    indexed = time.monotonic()
    mix = bank_for(bank, bank_weight, neighbours, collected.snapshot, texts)
    with count_bar("naming parts", len(labelled.photos), "photos") as progress:
        scores = part_scores(
            labelled,
            photos,
            photo_numbers(labelled, collected.ids),
            texts,
            mix=mix,
            nms=nms,
            progress=progress,
        )
    found = EvalReport(
        data_set="partimagenet",
        list_id=names.list_id,
        system=system.title,
        command=command_line(context),
        n_photos=len(labelled.photos),
        n_classes=len(names.names),
        subset=subset,
        published=published_figures("partimagenet", complete=not subset and split == "val"),
        times={"index": indexed - start, "score": time.monotonic() - indexed},
        options={
            "split": split,
            "templates": templates or "the model's own",
            "nms": nms,
            "bank": bank,
            "bank_weight": bank_weight if bank else 0.0,
            "neighbours": neighbours if bank else 0,
            "space_id": collected.snapshot.space.id,
        },
        notes=(
            *found_lines(labelled),
            f"{scores.detections:,} segments were taken for a part; at most 100 a photo count",
        ),
    )
    found = with_parts(found, scores.ap, labelled.things)
    if scores.mixed is not None:
        found = with_parts(found, scores.mixed, labelled.things, "bank.parts.")
    show_report(found, json=json, report=report, force=force)


def _with_objects(opened: object, root: Path) -> RegionSet:
    from eval.datasets import RegionSet

    if not isinstance(opened, RegionSet):
        raise InputError(
            f"{root} has index pictures, which tell no objects apart: mask AP needs COCO json",
            "give the folder of an edition with annotations/val.json or val.json",
        )
    return opened
