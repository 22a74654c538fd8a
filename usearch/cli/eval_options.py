"""Options of `usearch eval`: those that its commands share, and all of those on label maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from usearch.cli.class_options import (
    DEFAULT_BANK_WEIGHT,
    DEFAULT_NEIGHBOURS,
    BankWeightOption,
    NeighboursOption,
)
from usearch.cli.eval_output import PageOption, ReportOption
from usearch.cli.options import DeviceOption, JsonOption


def _option(name: str, metavar: str, text: str, **more: Any) -> Any:
    """An option whose help says what holds without it."""
    return typer.Option(name, metavar=metavar, help=text, show_default=False, **more)


EvalPresetOption = Annotated[
    str | None, _option("--preset", "NAME", "The models. Without it: the setting, or mini.")
]
EvalModelOption = Annotated[
    str | None, _option("--model", "RUN", "A trained model, in place of a preset.")
]
EvalSegmenterOption = Annotated[
    str | None,
    _option("--segmenter", "tree|sam", "What cuts the photos. Without it: the model's own."),
]
EvalTemplatesOption = Annotated[
    str,
    _option(
        "--templates",
        "SET",
        "Sentences that names are put into. Without it: the model's own.",
    ),
]
EvalStoreOption = Annotated[
    Path | None, _option("--store", "DIR", "The store. Without it: in the cache folder.")
]
EvalWorkersOption = Annotated[
    int | None,
    _option("--workers", "N", "Processes that index. Without it: one a core.", min=0),
]
EvalForceOption = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapChoices:
    """What can be chosen of a run on label maps; a field is an option."""

    preset: EvalPresetOption = None
    model: EvalModelOption = None
    segmenter: Annotated[
        str | None,
        _option(
            "--segmenter",
            "tree|sam|given",
            "What cuts the photos; given: the labelled masks. Without it: the model's own.",
        ),
    ] = None
    systems: Annotated[
        str,
        _option(
            "--systems",
            "LIST",
            "Several systems in one table, such as tree+mini,given+mini,tree+crop,tree+clip.",
        ),
    ] = ""
    errors: Annotated[
        bool,
        typer.Option(
            "--errors",
            help="Also say where the error comes from: true names on our segments, our names on "
            "labelled masks.",
        ),
    ] = False
    templates: Annotated[
        str,
        _option(
            "--templates",
            "SET",
            "Sentences that names are put into: name, single, use4, vild14, imagenet80, "
            "maskclip85. Without it: the model's own.",
        ),
    ] = ""
    scale: Annotated[
        float,
        _option(
            "--scale",
            "S",
            "What cosines are multiplied by before the softmax. Without it: the model's own.",
            min=0.0,
        ),
    ] = 0.0
    vote: Annotated[
        bool,
        typer.Option("--vote", help="Each segment takes the class that most of its pixels have."),
    ] = False
    stability: Annotated[
        float,
        typer.Option(
            "--stability",
            metavar="P",
            min=0.0,
            help="Weight segments by the P-th power of the segmenter's score.",
        ),
    ] = 0.0
    second: Annotated[
        str,
        _option(
            "--second",
            "MODEL",
            "A second model over the same segments: a preset, a run, or crop, clip-crop.",
        ),
    ] = ""
    second_weight: Annotated[
        float,
        typer.Option(
            "--second-weight", metavar="W", min=0.0, max=1.0, help="Weight of the second model."
        ),
    ] = 0.0
    bank: Annotated[
        str,
        _option(
            "--bank",
            "STORE|self",
            "A store as memory, or the set's own segments: what looks alike votes along. Reported "
            "beside the run without it; docs/memory.md.",
        ),
    ] = ""
    bank_weight: BankWeightOption = DEFAULT_BANK_WEIGHT
    neighbours: NeighboursOption = DEFAULT_NEIGHBOURS
    limit: Annotated[
        int | None,
        _option("--limit", "N", "Only N photos, evenly spread: quick, not comparable.", min=1),
    ] = None
    store: Annotated[
        Path | None,
        _option("--store", "DIR", "The store of a single system. Without it: in the cache folder."),
    ] = None
    device: DeviceOption = "auto"
    workers: EvalWorkersOption = None
    report: ReportOption = None
    html: PageOption = None
    force: EvalForceOption = False
    json: JsonOption = False
