"""COCO panoptic labels: a json of segments, and PNGs whose colours are segment ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from indexer.segmenters.coco_masks import is_whole, short
from trainer.pairs import Kind, PairImage
from trainer.readers.coco import (
    CocoFile,
    CocoImage,
    class_of,
    coco_folders,
    photo_of,
    read_coco_file,
)
from trainer.readers.options import Options
from trainer.readers.photos import find_photo, photo_folder
from trainer.readers.report import Report
from trainer.readers.segments import Mark
from usearch.errors import InputError

Ids = npt.NDArray[np.uint32]


def read_panoptic(path: Path, options: Options, report: Report) -> Iterator[PairImage]:
    """Photos of a panoptic file: things as objects, all else and crowds as stuff."""
    coco = read_coco_file(path, "coco-panoptic", report)
    report.say(
        f"{path.name}: COCO panoptic, {len(coco.images):,} images, {len(coco.classes):,} classes"
    )
    report.refuse()
    if not coco.images:
        return
    first = next(iter(coco.images.values())).name
    photos = photo_folder(options, coco_folders(path), first, report)
    pngs = _png_folder(coco, options, report)
    for image_id, image in coco.images.items():
        marks: list[Mark] = []
        for row, entry in coco.marks.pop(image_id, []):
            marks += _marks(coco, image, pngs, row, entry, report)
        if not marks:
            report.left_out["photos without segments"] += 1
            continue
        photo = photo_of(image, photos, marks, options.name or coco.source, options, report)
        if photo is not None:
            yield photo


def segment_ids(file: Path) -> Ids:
    """Segment ids, uint32 [H, W], of a panoptic PNG: R + 256 G + 65536 B; 0 is no segment.

    Raises:
        InputError: It cannot be read, or is no picture of 8-bit colours.
    """
    try:
        with Pillow.open(file, formats=("PNG",)) as picture:
            mode = picture.mode
            colours = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if mode not in ("RGB", "RGBA"):
        raise InputError(f"{file} holds no 8-bit colours (its mode is {mode}): no segment ids")
    ids: Ids = colours[..., :3].astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
    return ids


def _png_folder(coco: CocoFile, options: Options, report: Report) -> Path:
    names = (entry.get("file_name") for rows in coco.marks.values() for _, entry in rows)
    first = next((name for name in names if isinstance(name, str)), "")
    beside = coco.path.parent
    looked = [
        *([options.masks] if options.masks else []),
        beside / coco.path.stem,
        beside / "panoptic",
        beside,
    ]
    for folder in looked[:1] if options.masks else looked:
        if first and find_photo(folder, first) is not None:
            report.say(f"masks: {folder}")
            return folder
    raise InputError(
        f"the panoptic PNG {first} lies in none of: {', '.join(map(str, looked))}",
        "name the folder of the PNGs: --masks DIR",
    )


def _marks(
    coco: CocoFile, image: CocoImage, pngs: Path, row: int, entry: dict[str, Any], report: Report
) -> Iterator[Mark]:
    where = f"{coco.path}, annotations[{row}]"
    name, infos = entry.get("file_name"), entry.get("segments_info")
    file = find_photo(pngs, name) if isinstance(name, str) else None
    if file is None:
        report.problem(f"{where}.file_name", f"there is no PNG {short(name)} in {pngs}")
        return
    if not isinstance(infos, list) or not all(isinstance(info, dict) for info in infos):
        report.problem(f"{where}.segments_info", f"{short(infos)} is no list of segments")
        return
    try:
        ids = segment_ids(file)
    except InputError as error:
        report.problem(f"{where}.file_name", error.message)
        return
    if image.size is not None and ids.shape != image.size:
        report.problem(
            f"{where}.file_name",
            f"{file} has {ids.shape[1]} x {ids.shape[0]} pixels, its photo "
            f"{image.size[1]} x {image.size[0]}",
        )
        return
    there = {int(i) for i in np.unique(ids)} - {0}
    for number, info in enumerate(infos):
        place = f"{where}.segments_info[{number}]"
        segment = info.get("id")
        if not is_whole(segment) or segment not in there:
            report.problem(f"{place}.id", f"{short(segment)} is not in {file}, or was used before")
            continue
        there.discard(segment)
        found = class_of(coco, info, place, report)
        if found is None:
            continue
        crowd = bool(info.get("iscrowd"))
        if crowd:
            report.left_out["crowds, kept as stuff"] += 1
        kind: Kind = "object" if found.thing and not crowd else "stuff"
        yield Mark(place, kind, found.texts, ids == segment, field="id")
    if there:
        more = "" if len(there) == 1 else f" and {len(there) - 1} more"
        what = f"{file} has the id {min(there)}{more}, which the json lacks"
        report.problem(f"{where}.segments_info", what)
