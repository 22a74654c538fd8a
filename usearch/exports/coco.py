"""COCO *instances* json, written as it is read: the file may be larger than the memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any

import numpy as np

import usearch
from usearch import masks
from usearch.exports.photo_masks import photo_counts
from usearch.exports.polygons import TOLERANCE, outer_polygons
from usearch.exports.sources import ExportedPhoto, ExportedSegment, Progress, Source
from usearch.render.safe_text import json_name


def write_coco(
    out: IO[bytes],
    source: Source,
    *,
    polygons: bool = False,
    tolerance: float = TOLERANCE,
    facts: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> int:
    """Write an export.

    Masks are on the pixels of the photo as shown: each takes the value of the mask grid at its
    centre. `area` and `bbox` (x, y, width, height) are those of the mask, in whole pixels.

    Args:
        out: Where to; nothing is read back.
        source: What to write.
        polygons: Write outlines instead of run lengths. Holes are filled.
        tolerance: Of the outlines; see `outer_polygons`.
        facts: More about where it is from, for `info`.
        progress: Told how many annotations are written.

    Returns:
        How many annotations were written.
    """
    head = {
        "info": _info(facts or {}),
        "licenses": [],
        "categories": [
            {"id": i, "name": json_name(label), "supercategory": ""}
            for i, label in enumerate(source.labels, 1)
        ],
    }
    out.write(json.dumps(head).encode()[:-1] + b',\n"images": [')
    _write_list(out, (_image(i, photo) for i, photo in enumerate(source.photos(), 1)))
    out.write(b'],\n"annotations": [')
    written = _write_list(out, _annotations(source, polygons, tolerance), progress)
    out.write(b"]}\n")
    return written


def _write_list(
    out: IO[bytes], values: Iterable[dict[str, Any]], progress: Progress | None = None
) -> int:
    number = 0
    for number, value in enumerate(values, 1):
        out.write((b"\n" if number == 1 else b",\n") + json.dumps(value, allow_nan=False).encode())
        if progress is not None:
            progress(number)
    return number


def _info(facts: Mapping[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "description": "segments exported by usearch",
        "version": usearch.__version__,
        "year": now.year,
        "date_created": now.isoformat(timespec="seconds"),
        **facts,
    }


def _image(number: int, photo: ExportedPhoto) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": json_name(photo.name),
        "width": photo.width,
        "height": photo.height,
        "date_captured": photo.taken_at or "",
        "photo": photo.photo,
    }


def _annotations(source: Source, polygons: bool, tolerance: float) -> Iterator[dict[str, Any]]:
    number = 0
    for image, (photo, segments) in enumerate(source.segments(), 1):
        for segment in segments:
            number += 1
            values = _annotation(photo, segment)
            if polygons:
                lines = outer_polygons(segment, (photo.height, photo.width), tolerance)
                values["segmentation"] = [np.round(line, 2).ravel().tolist() for line in lines]
            yield {"id": number, "image_id": image} | values


def _annotation(photo: ExportedPhoto, segment: ExportedSegment) -> dict[str, Any]:
    values: dict[str, Any] = {
        "category_id": segment.label + 1,
        **mask_values(photo_counts(photo, segment), (photo.height, photo.width)),
        "score": short_float(segment.score),
        "segment": segment.segment,
        "parent": segment.parent,
        "depth": segment.depth,
    }
    if segment.cosine is not None:
        values["segmenter_score"] = short_float(segment.segmenter_score)
        values["cosine"] = short_float(segment.cosine)
    return values


def mask_values(counts: masks.Counts, size: tuple[int, int]) -> dict[str, Any]:
    """What an annotation says of its mask, which is no crowd.

    Args:
        counts: Column-major run lengths on the pixels of the photo.
        size: (height, width) of the photo as shown.
    """
    x0, y0, x1, y1 = masks.box_of(counts, size[0])
    return {
        "iscrowd": 0,
        "area": masks.area(counts),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "segmentation": {"size": list(size), "counts": masks.counts_to_rle(counts).decode("ascii")},
    }


def short_float(value: float) -> float:
    """A float32 as the shortest decimal that gives it back."""
    return float(f"{value:.9g}")
