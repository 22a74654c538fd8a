"""LabelMe: one JSON a photo, masks as small PNGs or polygons."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from usearch import masks
from usearch.errors import InputError
from usearch.exports.coco import short_float
from usearch.exports.photo_masks import box_and_mask
from usearch.exports.polygons import TOLERANCE, outer_polygons
from usearch.exports.sources import ExportedPhoto, ExportedSegment, Progress, Source
from usearch.render.safe_text import json_name
from usearch.result_files import make_folder, new_file

_FORMAT = "5.5.0"
"""The LabelMe whose files these are like. Readers only look that it is there."""


def write_labelme(
    folder: Path,
    source: Source,
    *,
    force: bool = False,
    polygons: bool = False,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> int:
    """Write an export as a folder of files, in the folders that the photos are in.

    `a/b.jpg` becomes `a/b.json`. LabelMe reads the photo itself: `imagePath` leads from the
    file to the photo, so neither is to be moved alone. Written into the folder of the photos,
    each file is beside its photo, where LabelMe looks for it.

    Args:
        folder: Made when it is not there.
        source: What to write.
        force: Replace files that are there.
        polygons: Write outlines instead of masks. Holes are filled.
        tolerance: Of the outlines; see `outer_polygons`.
        progress: Told how many segments are written.

    Returns:
        How many segments were written.

    Raises:
        InputError: A file is there already, or none can be written. Existing files are found
            before anything is written.
    """
    if not force:
        _refuse_existing(folder, source)
    make_folder(folder)
    written = 0
    names = _file_names(source)
    for (photo, segments), name in zip(source.segments(), names, strict=True):
        place = folder / name
        make_folder(place.parent)
        shapes: list[dict[str, Any]] = []
        # LabelMe finds the last one drawn first: parts above their wholes.
        for segment in sorted(segments, key=lambda s: s.depth):
            label = json_name(source.labels[segment.label])
            shapes += _shapes(photo, segment, label, polygons, tolerance)
        document: dict[str, Any] = {
            "version": _FORMAT,
            "flags": {},
            "shapes": shapes,
            "imagePath": json_name(os.path.relpath(photo.file, place.parent.resolve())),
            "imageData": None,
            "imageHeight": photo.height,
            "imageWidth": photo.width,
        }
        with new_file(place, force=force) as out:
            out.write(json.dumps(document, indent=1).encode())
        written += len(segments)
        if progress is not None:
            progress(written)
    return written


def _file_names(source: Source) -> Iterator[PurePosixPath]:
    """A name for each photo: its own with .json, numbered where two photos share it."""
    taken: set[str] = set()
    for photo in source.photos():
        own = PurePosixPath(photo.name)
        name, number = own.with_suffix(".json"), 1
        while str(name).casefold() in taken:
            number += 1
            name = own.with_name(f"{own.stem}-{number}.json")
        taken.add(str(name).casefold())
        yield name


def _refuse_existing(folder: Path, source: Source) -> None:
    if not folder.is_dir():
        return
    for name in _file_names(source):
        if os.path.lexists(folder / name):
            raise InputError(
                f"{folder / name} exists", "name another folder, or replace files with --force"
            )


def _shapes(
    photo: ExportedPhoto, segment: ExportedSegment, label: str, polygons: bool, tolerance: float
) -> list[dict[str, Any]]:
    facts = {
        "label": label,
        "flags": {},
        "description": "",
        "segment": segment.segment,
        "parent": segment.parent,
        "score": short_float(segment.score),
    }
    if polygons:
        lines = outer_polygons(segment, (photo.height, photo.width), tolerance)
        # Parts of one segment belong together.
        group = segment.segment if len(lines) > 1 else None
        return [
            facts
            | {
                "shape_type": "polygon",
                "points": np.round(line, 2).tolist(),
                "group_id": group,
                "mask": None,
            }
            for line in lines
        ]
    (x0, y0, x1, y1), inside = box_and_mask(photo, segment)
    # Both corners are pixels of the mask: the second one is the last, not the one behind it.
    corners = [[x0, y0], [x1 - 1, y1 - 1]]
    return [
        facts | {"shape_type": "mask", "points": corners, "group_id": None, "mask": _png(inside)}
    ]


def _png(mask: masks.Mask) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
