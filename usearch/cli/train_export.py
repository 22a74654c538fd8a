"""`usearch train export`: a trained run in ONNX, for machines without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usearch.cli.options import JsonOption
from usearch.cli.output import json_result, note, result
from usearch.render.safe_text import json_name


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Where to. Without it: `onnx` in RUN, where --model RUN finds it.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a trained run as ONNX: nothing of torch is needed to use it.

    \b
    usearch train export runs/birds              # then --model runs/birds asks without torch
    usearch train export runs/birds -o birds     # a folder to copy: --model birds
    usearch models info birds

    The folder holds the head as one matrix, the backbones, the text side, and the card with
    data, recipe and figures. Vectors are those of the run to rounding, so it has the same
    embedding space: a store that one of them made is asked with the other. Prints a line a
    file: name, bytes.
    """
    from usearch.models.files import require_packages

    require_packages("torch", "open_clip", "timm", "onnx", "safetensors", extra="train")
    from trainer.use.export import export_run

    made = export_run(run, output)
    if json:
        values = {"folder": json_name(made.folder), "files": made.files, "without": made.without}
        json_result("train export", values)
    else:
        for name, size in made.files.items():
            result(f"{name}\t{size}")
    for reason in made.without:
        note(f"not exported: {reason}")
    if made.without:
        note("without its backbones the folder answers texts, and cannot index")
    note(f"use it with --model {run if output is None else made.folder}")
