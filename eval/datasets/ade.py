"""ADE20K with 150 classes (MIT Scene Parsing Benchmark) and with the full vocabulary of 847."""

from __future__ import annotations

from dataclasses import replace

from eval.datasets.benchmarks import Benchmark, Way, flat
from eval.datasets.codings import Coding, numbered
from eval.datasets.labels import Sample
from eval.datasets.layouts import Layout, Place
from eval.datasets.lists import ade_class_numbers, name_list
from eval.datasets.records import NO_LABEL

_FOLDERS = {"val": "validation", "train": "training"}
_ORIGINAL = numbered("original", 150, 1, (0,))
_GENERATED = numbered("detectron2", 150, 0, (255,))
_FULL_GENERATED = numbered("detectron2", 847, 0, (NO_LABEL,), bits=16)
_SHORT_SIDE = 512
"""Published figures of ADE20K-847 are on photos and labels whose shorter side is at most this."""


def _full_original() -> Coding:
    return Coding(
        "original",
        ade_class_numbers(),
        None,
        "red // 10 * 256 + green is the class number, 847 of them are classes, others are not "
        f"labelled; labels scaled to a short side of {_SHORT_SIDE} as in published figures",
        encoding="ade-rgb",
        short_side=_SHORT_SIDE,
    )


def _ways_150(split: str) -> list[Way]:
    images = (f"images/{_FOLDERS[split]}",)
    return [
        (Layout("detectron2", images, f"annotations_detectron2/{_FOLDERS[split]}"), _GENERATED),
        (Layout("original", images, f"annotations/{_FOLDERS[split]}"), _ORIGINAL),
        *flat(_ORIGINAL),
    ]


def _ways_847(split: str) -> list[Way]:
    folder, original = _FOLDERS[split], _full_original()
    generated = f"annotations_detectron2/{folder}"
    photos = f"images/ADE/{folder}"
    older = f"images/{folder}"
    return [
        (
            Layout("detectron2", (f"images_detectron2/{folder}",), generated, ".tif"),
            _FULL_GENERATED,
        ),
        (Layout("original", (photos,), photos, "_seg.png", deep=True), original),
        (Layout("original-2016", (older,), older, "_seg.png", deep=True), original),
        (Layout("flat", (".",), ".", "_seg.png", here=True), original),
        *flat(_FULL_GENERATED, (".tif", ".tiff", ".png")),
    ]


def _object_info(place: Place, coding: Coding, sample: Sample) -> tuple[Coding, tuple[str, ...]]:
    """Compares our names with the set's own `objectInfo150.txt`, where that file is there."""
    path = place.base / "objectInfo150.txt"
    if not path.is_file():
        return coding, ()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    theirs = [line.split("\t")[-1].strip() for line in lines if line.strip()]
    ours = [names[0] for names in name_list("ade150", "official").names]
    if theirs == ours:
        return coding, ("names are those of objectInfo150.txt",)
    differ = sum(a != b for a, b in zip(theirs, ours, strict=False)) + abs(len(theirs) - len(ours))
    return coding, (f"objectInfo150.txt differs from our list of names in {differ} classes",)


def _older(place: Place, coding: Coding, sample: Sample) -> tuple[Coding, tuple[str, ...]]:
    if place.layout.name != "original-2016":
        return coding, ()
    return coding, (
        "archive of 2016: its class numbers are taken to be those of 2021, which go on after them",
    )


def _trained_on(place: Place, coding: Coding, sample: Sample) -> tuple[Coding, tuple[str, ...]]:
    """Original photos and scaled labels are not quite the published photos."""
    if coding.encoding != "ade-rgb":
        return coding, ()
    return coding, (
        "published figures are on photos that were scaled with their labels; "
        "here photos are as they are",
    )


def at_label_size(coding: Coding) -> Coding:
    """The labels as they are, for a run that is not compared with published figures."""
    return replace(coding, short_side=0)


ADE150 = Benchmark(
    "ade150",
    "ADE20K-150",
    "ADEChallengeData2016.zip of the MIT Scene Parsing Benchmark, "
    "http://sceneparsing.csail.mit.edu (923 MB, no account)",
    {"val": (2000,), "train": (20210,)},
    _ways_150,
    (_GENERATED, _ORIGINAL),
    (_object_info,),
)
ADE847 = Benchmark(
    "ade847",
    "ADE20K-847",
    "ADE20K_2021_17_01 of https://groups.csail.mit.edu/vision/datasets/ADE20K (account and terms)",
    {"val": (2000,), "train": (25574, 20210)},
    _ways_847,
    (),
    (_older, _trained_on),
)
