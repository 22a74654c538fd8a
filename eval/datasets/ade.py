"""ADE20K with 150 classes."""

from __future__ import annotations

from pathlib import Path

from eval.datasets.layouts import Layout, pairs, places
from eval.datasets.lists import name_list
from eval.datasets.records import Found, MapSet
from usearch.errors import InputError

_SPLITS = {"val": ("validation", 2000), "train": ("training", 20210)}
_SOURCE = "ADEChallengeData2016.zip, from http://sceneparsing.csail.mit.edu"


def open_ade150(root: Path, split: str, layout: str, names: str) -> MapSet:
    """ADE20K-150; arguments and errors as `open_dataset`."""
    folder, expected = _SPLITS[split]
    layouts = [
        Layout("detectron2", f"images/{folder}", f"annotations_detectron2/{folder}"),
        Layout("original", f"images/{folder}", f"annotations/{folder}"),
        Layout("flat", "images", "masks"),
    ]
    found = places(root, [one for one in layouts if layout in ("", one.name)])
    if not found:
        raise InputError(f"no ADE20K-150 below {root}", _SOURCE)
    place = found[0]
    photos, notes = pairs(place)
    listed = name_list("ade150", names)
    first = 0 if place.layout.name == "detectron2" else 1
    return MapSet(
        name="ade150",
        photos=photos,
        names=listed.names,
        values=tuple(range(first, first + 150)),
        list_id=listed.list_id,
        found=Found(root, place.layout.name, place.images, place.labels, len(photos), expected,
                    "values 1 to 150, 0 ignored", notes),
    )  # fmt: skip
