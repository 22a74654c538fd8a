"""Masks of a COCO json, checked entry by entry before any of them is decoded.

Nothing of the file is trusted: sizes, ids, names and run lengths are compared with each
other, and every problem is reported with the number of its entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from indexer.segmenters.polygons import polygons_counts
from usearch import masks
from usearch.errors import InputError

MAX_FILE_BYTES = 1 << 30
MAX_SIDE = 1 << 16
MAX_PIXELS = 1 << 28
_FARTHEST = 1e6
"""Polygon corners farther out than this are no corners of a photo's object."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class GivenMask:
    """One mask as the file holds it, checked: polygons or run lengths, and its score."""

    segmentation: Any
    score: float
    entry: int


@dataclass(frozen=True, slots=True)
class GivenPhoto:
    """The masks of one photo, in the order of the file; `size` is (height, width) as shown."""

    name: PurePosixPath
    size: tuple[int, int]
    masks: list[GivenMask] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GivenFile:
    """What a COCO json holds.

    Attributes:
        photos: In the order of the file.
        problems: What is wrong, one line each; those entries are left out.
        n_empty: Annotations without a pixel, left out.
    """

    photos: list[GivenPhoto]
    problems: list[str]
    n_empty: int


def read_coco_masks(path: Path, max_masks: int, *, skip_invalid: bool = False) -> GivenFile:
    """Masks of a COCO *instances* json.

    Args:
        path: The file: `images` (id, file_name, width, height) and `annotations` (image_id,
            segmentation, optionally score). Other keys are not looked at.
        max_masks: Most masks of one photo.
        skip_invalid: Leave wrong entries out and report them, instead of refusing the file.

    Raises:
        InputError: The file cannot be read, or an entry is wrong: the first 20 problems and
            how many there are.
    """
    data = _read_json(path)
    images, annotations = (data.get(key) for key in ("images", "annotations"))
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise InputError(
            f"{path} has no lists 'images' and 'annotations': not a COCO instances file",
            'the form is {"images": [...], "annotations": [...]}',
        )
    problems: list[str] = []
    photos = _photos(images, problems)
    n_empty = _add_masks(annotations, photos, problems)
    problems += [
        f"{str(photo.name)!r}: {len(photo.masks)} masks, of which the first {max_masks} by score "
        "can be kept"
        for photo in photos.values()
        if len(photo.masks) > max_masks
    ]
    if problems and not skip_invalid:
        raise InputError(
            f"{path}: {describe(problems)}",
            "correct the file, or leave wrong entries out with --skip-invalid",
        )
    return GivenFile(list(photos.values()), problems, n_empty)


def describe(problems: Sequence[str]) -> str:
    """How many problems there are, and the first 20 of them."""
    lines = [f"{len(problems)} problem{'s' if len(problems) != 1 else ''}", *problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} more")
    return "\n  ".join(lines)


def mask_counts(segmentation: Any, size: tuple[int, int]) -> masks.Counts:
    """Run lengths of a checked `segmentation`, on the photo's grid (height, width)."""
    if isinstance(segmentation, list):
        return polygons_counts(as_polygons(segmentation), size)
    counts = segmentation["counts"]
    if isinstance(counts, list):
        return np.asarray(counts, np.int64)
    return masks.rle_to_counts(counts.encode("ascii"), size)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_FILE_BYTES:
            raise InputError(
                f"{path} is {n_bytes / 2**20:.0f} MiB; at most {MAX_FILE_BYTES >> 20} are read",
                "split it into files of fewer photos",
            )
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"no mask file {path}", "give the path of a COCO json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as json: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds no json object: not a COCO instances file")
    return data


def _photos(images: list[Any], problems: list[str]) -> dict[int, GivenPhoto]:
    photos: dict[int, GivenPhoto] = {}
    names: set[PurePosixPath] = set()
    for entry, image in enumerate(images):
        where = f"images[{entry}]"
        problem = _image_problem(image)
        if not problem and image["id"] in photos:
            problem = f"id {image['id']} was used before"
        if not problem:
            name = PurePosixPath(image["file_name"])
            if name in names:
                problem = f"file_name {image['file_name']!r} was used before"
            names.add(name)
        if problem:
            problems.append(f"{where}: {problem}")
            continue
        photos[image["id"]] = GivenPhoto(name, (image["height"], image["width"]))
    return photos


def _image_problem(image: Any) -> str:
    if not isinstance(image, dict):
        return "not an object"
    if not is_whole(image.get("id")):
        return f"id {short(image.get('id'))} is not a whole number"
    height: Any = image.get("height")
    width: Any = image.get("width")
    if not (is_whole(height) and is_whole(width)):
        return f"width {short(width)} and height {short(height)} are not whole numbers"
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        return f"{width} x {height} pixels is no size of a photo"
    return name_problem(image.get("file_name"))


def name_problem(name: Any) -> str:
    """What is wrong with a file name in a json, or ""; it must stay in the photos' folder."""
    if not isinstance(name, str) or not name.strip():
        return f"file_name {short(name)} is no file name"
    if "\0" in name:
        return f"file_name {short(name)} holds a zero byte, as no file name does"
    parts = re.split(r"[/\\]", name)
    if name[0] in "/\\" or re.match(r"[A-Za-z]:", name) or ".." in parts:
        return f"file_name {short(name)} leads out of the folder of the photos"
    return ""


def _add_masks(annotations: list[Any], photos: dict[int, GivenPhoto], problems: list[str]) -> int:
    """Adds each usable annotation to its photo; returns how many were empty."""
    n_empty = 0
    for entry, annotation in enumerate(annotations):
        where = f"annotations[{entry}]"
        if not isinstance(annotation, dict):
            problems.append(f"{where}: not an object")
            continue
        image = annotation.get("image_id")
        if not is_whole(image) or image not in photos:
            problems.append(f"{where}: there is no image with id {short(image)}")
            continue
        score = annotation.get("score", 1.0)
        if not (is_number(score) and 0 <= score <= 1):
            problems.append(f"{where}: score {short(score)} is not within 0..1")
            continue
        photo = photos[image]
        segmentation = annotation.get("segmentation")
        problem, empty = _check(segmentation, photo.size)
        if problem:
            problems.append(f"{where}: {problem}")
        elif empty:
            n_empty += 1
        else:
            photo.masks.append(GivenMask(segmentation, float(score), entry))
    return n_empty


def _check(segmentation: Any, size: tuple[int, int]) -> tuple[str, bool]:
    """What is wrong with a segmentation, and whether it surely is empty."""
    if isinstance(segmentation, list):
        return polygon_problem(segmentation), not segmentation
    if not isinstance(segmentation, dict):
        return f"segmentation {short(segmentation)} is neither polygons nor run lengths", False
    height, width = size
    if segmentation.get("size") != [height, width]:
        return (
            f"mask of size {short(segmentation.get('size'))} (height, width) in a photo of "
            f"{width} x {height} pixels"
        ), False
    counts = segmentation.get("counts")
    try:
        if isinstance(counts, str):
            runs = masks.rle_to_counts(counts.encode("ascii", "replace"), size)
        else:
            runs = plain_runs(counts, height * width)
    except InputError as error:
        return error.message, False
    return "", masks.area(runs) == 0


def plain_runs(counts: Any, pixels: int) -> masks.Counts:
    """Run lengths that a file holds as a list of numbers.

    Raises:
        InputError: They are none of a mask of so many pixels.
    """
    if not (isinstance(counts, list) and all(is_whole(c) and 0 <= c <= pixels for c in counts)):
        raise InputError("mask run lengths are not whole numbers from 0 to the photo's pixels")
    if sum(counts) != pixels:
        raise InputError(f"mask run lengths sum to {sum(counts)} instead of {pixels} pixels")
    return np.asarray(counts, np.int64)


def as_polygons(segmentation: list[Any]) -> list[Any]:
    """A list of polygons; some tools write a single one without the list around it."""
    flat = bool(segmentation) and not any(isinstance(item, list) for item in segmentation)
    return [segmentation] if flat else segmentation


def polygon_problem(polygons: list[Any]) -> str:
    """What is wrong with a list of polygons, or ""."""
    for polygon in as_polygons(polygons):
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return f"polygon {short(polygon)} is no list of at least three pairs x, y"
        if not all(is_number(v) and abs(v) <= _FARTHEST for v in polygon):
            return f"polygon {short(polygon)} holds what is no pixel coordinate"
    return ""


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a number other than NaN, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def short(value: Any) -> str:
    """A value of a file as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
