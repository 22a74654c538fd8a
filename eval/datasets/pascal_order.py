"""The two label orders of PASCAL Context-59, which lie on disk under one folder name.

Alphabetical, that is by the classes' numbers among the 459 (ODISE, CAT-Seg, SAN, FC-CLIP, mmseg):
dog 22, person 36, sky 46. Or the 20 VOC classes first (OVSeg's 59_labels.txt): dog 11, person 14,
sky 49.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from eval.datasets.codings import Coding
from eval.datasets.labels import Sample, raw_values
from eval.datasets.layouts import Place
from eval.datasets.lists import name_list
from usearch.errors import InputError

CONTEXT_59 = (
    2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98,
    104, 105, 113, 115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296,
    308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454,
    458,
)  # fmt: skip
"""Numbers of the 59 classes among the 459 of PASCAL Context, in order."""
_VOC_FIRST = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor", "bag", "bed", "bench", "book", "building", "cabinet", "ceiling", "cloth",
    "computer", "cup", "door", "fence", "floor", "flower", "food", "grass", "ground", "keyboard",
    "light", "mountain", "mouse", "curtain", "platform", "sign", "plate", "road", "rock",
    "shelves", "sidewalk", "sky", "snow", "bedclothes", "track", "tree", "truck", "wall", "water",
    "window", "wood",
)  # fmt: skip
_COMMON = ("sky", "grass", "building", "tree", "person")
"""Classes that fill most photos; their places in the two orders belong to rare ones."""
_CLEAR = 3.0
"""How many times more pixels the common classes must have in one order than in the other."""
_MOST = 20


def label_order(place: Place, coding: Coding, sample: Sample) -> tuple[Coding, tuple[str, ...]]:
    """The coding with values in the order that the files have, and a note on how that was told.

    The photos that VOC's own lists call photos of dogs decide where those lists are there; else the
    pixels of the classes that are common everywhere.
    """
    alphabetical = [names[0] for names in name_list("pc59", "official").names]
    other = tuple(_VOC_FIRST.index(name) for name in alphabetical)
    swapped = replace(coding, values=other, reading=coding.reading + ", the 20 VOC classes first")
    votes = _dogs(place, alphabetical.index("dog"), _VOC_FIRST.index("dog"))
    if votes is not None and votes[0] != votes[1]:
        told = f"in {max(votes[:2])} of {votes[2]} photos that VOC lists as photos of dogs"
        if votes[0] > votes[1]:
            return coding, (f"alphabetical label order: dog is 22 {told}",)
        return swapped, (f"label order with the VOC classes first: dog is 11 {told}",)
    places = ([alphabetical.index(n) for n in _COMMON], [_VOC_FIRST.index(n) for n in _COMMON])
    first, second = (sum(sample.pixels.get(i, 0) for i in row) for row in places)
    if first >= _CLEAR * second and first:
        return coding, ("alphabetical label order: by the pixels of sky, grass, building, tree",)
    if second >= _CLEAR * first and second:
        return swapped, (
            "label order with the VOC classes first: by the pixels of sky, grass, building, tree",
        )
    return coding, (
        f"the label order cannot be told from {sample.files} files without "
        "ImageSets/Main/dog_val.txt: taken as alphabetical",
    )


def _dogs(place: Place, first: int, second: int) -> tuple[int, int, int] | None:
    """In how many photos of dogs either value occurs, and how many were looked at."""
    listed = next((one for one in _lists(place) if one.is_file()), None)
    if listed is None:
        return None
    lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
    dogs = {row[0] for row in map(str.split, lines) if len(row) == 2 and row[1] == "1"}
    chosen = [photo for photo in place.photos if photo.path.stem in dogs][:_MOST]
    found = [0, 0]
    for photo in chosen:
        try:
            values = np.unique(raw_values(photo.mask))
        except InputError:  # it is named when its map is read
            continue
        found[0] += bool((values == first).any())
        found[1] += bool((values == second).any())
    return found[0], found[1], len(chosen)


def _lists(place: Place) -> list[Path]:
    folders = (place.base, place.images.parent, place.base.parent, place.base / "VOCdevkit/VOC2010")
    names = ("dog_val.txt", "dog_trainval.txt")
    return [folder / "ImageSets/Main" / name for folder in folders for name in names]
