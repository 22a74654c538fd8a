"""The development sets by name: where their files are and how they encode labels.

Their folder (photos with labels, never trained on) is given by the caller; each set keeps
the layout that `SOURCES.md` beside it describes.
"""

from __future__ import annotations

from pathlib import Path

from eval.datasets.boxes import read_boxes
from eval.datasets.coco import read_coco
from eval.datasets.index_png import read_folders
from eval.datasets.records import BoxPhoto, MapSet, RegionSet
from usearch.errors import InputError, UsageError
from usearch.text.plain_names import plain_name

REGION_SETS = ("coco-stuff100", "coco-captions80", "lvis7")
_CAMVID_SYNONYMS = {
    "pole": ("column",),
    "pavement": ("sidewalk",),
    "tree": ("bush",),
    "sign symbol": ("traffic sign",),
    "car": ("truck", "bus", "van"),
    "pedestrian": ("person",),
    "bicyclist": ("cyclist",),
}
"""What CamVid's class names mean by its own description, in everyday words."""

MAP_SETS = ("camvid60", "ade150", "coco-stuffmap8")


def region_set(data: Path, name: str) -> RegionSet:
    """One of `REGION_SETS`.

    Args:
        data: Folder of the development sets.
        name: Name of the set.

    Raises:
        UsageError: The name is none of them.
        InputError: Its files are missing or damaged.
    """
    if name not in REGION_SETS:
        raise UsageError(f"no region set '{name}'", hint=f"one of {', '.join(REGION_SETS)}")
    return read_coco(data / name / "annotations.json", data / name / "images", name)


def map_set(data: Path, name: str) -> MapSet:
    """One of `MAP_SETS`; arguments and errors as `region_set`."""
    if name not in MAP_SETS:
        raise UsageError(f"no label-map set '{name}'", hint=f"one of {', '.join(MAP_SETS)}")
    folder = data / name
    lines = _lines(folder / "classes.txt")
    names: list[tuple[str, ...]]
    if name == "camvid60":  # the last line names value 11, which is not labelled
        names = [(line, *_CAMVID_SYNONYMS.get(line, ())) for line in lines[:11]]
        values = list(range(11))
    elif name == "ade150":  # value 0 is not labelled; commas separate synonyms
        names = [tuple(word.strip() for word in line.split(",")) for line in lines]
        values = list(range(1, len(lines) + 1))
    else:  # value, tab, name; values without a name never occur
        pairs = [line.split("\t") for line in lines]
        pairs = [pair for pair in pairs if len(pair) == 2 and pair[1].strip()]
        names, values = [(plain_name(pair[1]),) for pair in pairs], [int(p[0]) for p in pairs]
    return read_folders(folder / "images", folder / "masks", names, values, name)


def box_photos(data: Path) -> list[BoxPhoto]:
    """The showable photos with rough, incomplete boxes: for demos, not for scores."""
    return read_boxes(data / "photos" / "boxes.json")


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return [line.rstrip() for line in text.splitlines() if line.strip()]
