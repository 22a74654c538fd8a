"""Segments with their classes as COCO *instances* json, written photo by photo."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import usearch
from usearch import masks
from usearch.classify import Classified
from usearch.exports.coco import mask_values
from usearch.records import Segments
from usearch.render.safe_text import json_name
from usearch.scaling import scaled_rle

if TYPE_CHECKING:
    from usearch.text.class_lists import ClassList

Add = Callable[[Path, tuple[int, int], Segments, Classified], None]
"""Adds a photo: its path, its (height, width) as shown, its segments and their classes."""


@contextmanager
def class_coco_writer(out: IO[bytes], listed: ClassList) -> Iterator[Add]:
    """A function that writes the segments of one photo after the other.

    Masks are on the pixels of the photo as shown. `category_id` is the value in the map plus
    one. `score` is how well the class explains the segment, as in `usearch query`, and
    `probability` what share of the softmax over the list it took. Segments that are
    background or unknown have no category and are left out.
    """
    images: list[dict[str, Any]] = []
    number = 0
    head = {
        "info": {"description": "classes of segments by usearch", "version": usearch.__version__},
        "licenses": [],
        "categories": [
            {"id": value + 1, "name": title, "supercategory": _whole(listed, value)}
            for value, title in enumerate(listed.titles)
        ],
    }
    out.write(json.dumps(head).encode()[:-1] + b',\n"annotations": [')

    def add(photo: Path, size: tuple[int, int], segments: Segments, found: Classified) -> None:
        nonlocal number
        images.append(
            {
                "id": len(images) + 1,
                "file_name": json_name(photo),
                "width": size[1],
                "height": size[0],
            }
        )
        for row, rle in enumerate(segments.rles):
            if found.segment_labels[row] >= found.n_classes:
                continue
            counts = scaled_rle(rle, segments.size, size)
            if masks.area(counts) == 0:
                continue
            number += 1
            values = {"id": number, "image_id": len(images)} | _annotation(counts, size, found, row)
            line = json.dumps(values, allow_nan=False).encode()
            out.write((b"\n" if number == 1 else b",\n") + line)

    yield add
    out.write(b'],\n"images": ' + json.dumps(images).encode() + b"}\n")


def _annotation(
    counts: masks.Counts, size: tuple[int, int], found: Classified, row: int
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "category_id": int(found.segment_labels[row]) + 1,
        **mask_values(counts, size),
        "probability": round(float(found.probabilities[row]), 6),
    }
    if found.scores is not None:
        values["score"] = round(float(found.scores[row]), 6)
    return values


def _whole(listed: ClassList, value: int) -> str:
    whole = listed.whole_of(value)
    return "" if whole < 0 else listed.titles[whole]
