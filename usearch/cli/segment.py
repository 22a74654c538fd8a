"""`usearch segment`: a class for every pixel of photos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption, PresetOption
from usearch.cli.output import is_terminal, json_path, json_result, note, result, terminal
from usearch.errors import ExitCode, InputError, SpaceMismatch, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from indexer.embedders import Embedder
    from indexer.segmenters import Segmenter
    from usearch.records import FloatArray
    from usearch.render.class_files import MapFiles
    from usearch.text.class_lists import ClassList

_SHOWN = 6
_SMALLEST_SIDE = 32


def segment(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMG", help="Photos, or folders with photos.")
    ],
    classes: Annotated[
        Path, typer.Option("--classes", metavar="FILE", help="One class a line: name, synonym, ...")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the maps go.")
    ],
    preset: PresetOption = "mini",
    segmenter: Annotated[
        str | None,
        typer.Option(
            "--segmenter",
            metavar="tree|sam",
            help="What cuts the photos. Without it: the preset's own.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device", metavar="auto|cpu|cuda", help="Where torch models run; mini needs none."
        ),
    ] = "auto",
    overlay: Annotated[
        bool,
        typer.Option("--overlay/--no-overlay", help="Also write the map over the photo."),
    ] = True,
    max_side: Annotated[
        int,
        typer.Option(
            "--max-side", metavar="PX", help="Longest side at which photos are cut into segments."
        ),
    ] = 1024,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when any photo was skipped.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Give every pixel of photos a class from a list.

    \b
    usearch segment street.jpg --classes street.txt -o maps
    usearch segment photos/ --classes names.txt -o maps --no-overlay --json

    Writes <stem>.png, an indexed PNG of the photo's size whose value is the class: its line
    in the list from 0, blank lines not counted; 255 where there is no class. Lists of more
    than 255 classes give 16-bit PNGs with 65535 for no class. classes.txt beside it
    names the values, <stem>-overlay.png shows it. Photos of one name get maps called
    <stem>-2.png and so on; photos are never written over.

    Prints a line a photo, with the share of each class. Photos that cannot be read are
    skipped with the reason; exit code 3 when none could be read.
    """
    from indexer.photos import discover
    from usearch.classify import no_class_value
    from usearch.render import class_files
    from usearch.text.class_lists import read_class_list

    if max_side < _SMALLEST_SIDE:
        raise UsageError(f"--max-side {max_side}: at least {_SMALLEST_SIDE} pixels are needed")
    listed = read_class_list(classes)
    no_class_value(len(listed))
    if any(image.is_dir() and image.resolve() == output.resolve() for image in images):
        raise UsageError(
            f"{output} holds the photos; maps there would be taken for photos next time",
            "name another folder with -o",
        )
    photos = [Path(found.full_path) for found in discover(images, leave_out=[output])]
    if not photos:
        raise InputError("no photo was found", "name photos, or folders with photos")
    class_files.make_folder(output)
    files = class_files.map_files(photos, output, reserved=[classes])
    names_file = class_files.free_name(output / "classes.txt", [classes, *photos])
    models = _load(preset, segmenter, device, listed)
    class_files.write_names(names_file, listed.titles)
    reports = []
    for photo, place in zip(photos, files, strict=True):
        report = _one_photo(photo, place, models, listed, max_side, overlay)
        reports.append(report)
        if not json:
            _print_report(report)
    if json:
        values = {"classes": json_path(names_file), "preset": preset, "images": reports}
        json_result("segment", values)
    skipped = sum("map" not in report for report in reports)
    if skipped:
        note(f"{skipped} of {len(reports)} photos skipped")
    elif not json:
        note(f"maps, overlays and {names_file.name} are in {output}")
    if skipped and (strict or skipped == len(reports)):
        raise typer.Exit(ExitCode.INPUT)


@dataclass(frozen=True, slots=True)
class _Models:
    """What turns a photo into a class map."""

    segmenter: Segmenter
    embedder: Embedder
    class_vectors: list[FloatArray]
    logit_scale: float


def _load(preset: str, segmenter: str | None, device: str, listed: ClassList) -> _Models:
    import os

    import indexer.presets
    from usearch.models import presets
    from usearch.text.embed import embed_names
    from usearch.text.templates import TEMPLATES

    cutter, embedder = indexer.presets.load_indexer(
        preset, segmenter, device, threads=os.cpu_count() or 1
    )
    encoder = presets.load_text_encoder(preset)
    if encoder.space.id != embedder.space.id:
        raise SpaceMismatch(
            f"the image side of {preset} makes vectors of {embedder.space.id}, "
            f"the text side of {encoder.space.id}",
            "install the preset's files again",
        )
    flat = [name for names in listed.names for name in names]
    vectors = embed_names(encoder, flat, TEMPLATES[presets.preset_templates(preset)])
    per_class, start = [], 0
    for names in listed.names:
        per_class.append(vectors[start : start + len(names)])
        start += len(names)
    return _Models(cutter, embedder, per_class, presets.preset_calibration(preset).logit_scale)


def _one_photo(
    photo: Path,
    place: MapFiles,
    models: _Models,
    listed: ClassList,
    max_side: int,
    overlay: bool,
) -> dict[str, Any]:
    """Cut, classify and write one photo; what happened, as plain JSON values."""
    from indexer.photos import PhotoError, decode
    from usearch.classify import class_map, class_shares, resized_map, segment_probabilities
    from usearch.render.class_files import write_class_map, write_picture

    try:
        decoded = decode(photo, max_side)
    except PhotoError as problem:
        note(f"skipped: {photo}: {problem.detail}")
        return {"image": json_path(photo), "status": problem.reason, "detail": problem.detail}
    segments = models.segmenter.segment(decoded.image)
    vectors = models.embedder.embed(decoded.image, segments)
    probabilities = segment_probabilities(vectors, models.class_vectors, models.logit_scale)
    grid = class_map(segments, probabilities)
    labels = resized_map(grid, (decoded.height, decoded.width))
    write_class_map(place.map, labels, len(listed))
    if overlay:
        from usearch.render.overlay import class_overlay

        shown = resized_map(grid, decoded.image.shape[:2])
        write_picture(place.overlay, class_overlay(decoded.image, shown, listed.titles))
    shares = class_shares(labels, len(listed))
    values: dict[str, Any] = {
        "image": json_path(photo),
        "status": "ok",
        "photo_size": {"width": decoded.width, "height": decoded.height},
        "map": json_path(place.map),
        "segments": len(segments),
        "covered_share": round(float(shares.sum()), 6),
        "classes": list(_ranked(shares, listed)),
    }
    if overlay:
        values["overlay"] = json_path(place.overlay)
    return values


def _ranked(shares: npt.NDArray[np.float64], listed: ClassList) -> Iterator[dict[str, Any]]:
    for value in sorted(range(len(shares)), key=lambda c: (-shares[c], c)):
        if shares[value] > 0:
            share = round(float(shares[value]), 6)
            yield {"value": value, "name": listed.titles[value], "share": share}


def _print_report(report: dict[str, Any]) -> None:
    from usearch.render.safe_text import printable
    from usearch.search import shown_path

    if "map" not in report:
        return
    photo, written = (printable(shown_path(Path(report[k]).absolute())) for k in ("image", "map"))
    if not is_terminal():
        classes = ",".join(f"{c['name']}={c['share']:.4f}" for c in report["classes"])
        result(f"{photo}\t{written}\t{classes}")
        return
    from rich.text import Text

    from usearch.render.tables import percent

    line = Text.assemble((photo, "bold"), "  ")
    for item in report["classes"][:_SHOWN]:
        line.append(f"{printable(item['name'])} ")
        line.append(f"{percent(item['share'])}  ", "cyan")
    if len(report["classes"]) > _SHOWN:
        line.append(f"and {len(report['classes']) - _SHOWN} more", "dim")
    terminal().print(line)
