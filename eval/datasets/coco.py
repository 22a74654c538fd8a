"""COCO json (things, stuff or both) to plain records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets.records import Region, RegionPhoto, RegionSet
from usearch import masks
from usearch.errors import InputError, ModelError
from usearch.text.plain_names import plain_name


def segmentation_counts(segmentation: Any, size: tuple[int, int]) -> masks.Counts:
    """Run lengths of a COCO `segmentation` value.

    Args:
        segmentation: A list of polygons (x0, y0, x1, y1, ... in pixels), or a dict with
            `counts` as a list (plain RLE) or a string (compressed RLE).
        size: (height, width) of the photo.

    Raises:
        InputError: The value is none of the three forms, or does not fit the size.
    """
    height, width = size
    if isinstance(segmentation, dict):
        if list(segmentation.get("size", [])) != [height, width]:
            raise InputError(
                f"mask of size {segmentation.get('size')} (height, width) in a photo of "
                f"{width} x {height} pixels"
            )
        counts = segmentation.get("counts")
        if isinstance(counts, str):
            return masks.rle_to_counts(counts.encode("ascii", "replace"), size)
        if isinstance(counts, list):
            runs = np.asarray(counts, np.int64)
            if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
                raise InputError(f"mask run lengths do not fill {width} x {height} pixels")
            return runs
    elif isinstance(segmentation, list):
        usable = [p for p in segmentation if isinstance(p, list) and len(p) >= 6]
        if usable and np.isfinite(np.concatenate([np.asarray(p, float) for p in usable])).all():
            return _polygon_counts(usable, size)
    raise InputError("a segmentation that is neither polygons nor run lengths")


def _polygon_counts(polygons: list[list[float]], size: tuple[int, int]) -> masks.Counts:
    """Run lengths of the union of polygons, by COCO's own rasteriser."""
    try:
        from pycocotools import mask as coco
    except ImportError as error:
        raise ModelError(
            "COCO polygons need the package pycocotools, which is not installed",
            hint="pip install 'use-segments[eval]'",
        ) from error
    height, width = size
    merged = coco.merge(coco.frPyObjects(polygons, height, width))
    return masks.rle_to_counts(merged["counts"], size)


def read_coco(
    annotations: Path,
    images: Path,
    name: str = "",
    plain_names: bool = True,
    unusable: list[str] | None = None,
) -> RegionSet:
    """Photos and regions of one COCO instances file.

    Regions whose mask has no pixel are left out.

    Args:
        annotations: The json file.
        images: Folder of the photos.
        name: Name of the set; the name of the file's folder when empty.
        plain_names: Rewrite COCO-Stuff names ("sky-other") as people type them.
        unusable: Where given, regions with an unusable mask are left out and described in it,
            one line each, instead of the file being refused.

    Raises:
        InputError: The file is missing, no json, not COCO, or holds an unusable mask.
    """
    data = _read_json(annotations)
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise InputError(f"{annotations} has no list '{key}': not a COCO instances file")
    try:
        return _regions(data, images, name or annotations.parent.name, plain_names, unusable)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{annotations}: not a COCO instances file ({error!r})") from error


def _regions(
    data: dict[str, Any], images: Path, name: str, plain_names: bool, unusable: list[str] | None
) -> RegionSet:
    names = {
        c["id"]: plain_name(c["name"]) if plain_names else c["name"] for c in data["categories"]
    }
    is_thing = {c["id"]: bool(c.get("isthing", 1)) for c in data["categories"]}
    rows: dict[int, list[Region]] = {image["id"]: [] for image in data["images"]}
    sizes = {image["id"]: (int(image["height"]), int(image["width"])) for image in data["images"]}
    for entry in data["annotations"]:
        image, category = entry["image_id"], entry["category_id"]
        size = sizes[image]
        try:
            counts = segmentation_counts(entry["segmentation"], size)
        except InputError as error:
            message = f"annotation {entry.get('id')}: {error.message}"
            if unusable is None:
                raise InputError(message) from error
            unusable.append(message)
            continue
        pixels = masks.area(counts)
        if pixels:
            rows[image].append(
                Region(
                    name=names[category],
                    rle=masks.counts_to_rle(counts),
                    box=masks.box_of(counts, size[0]),
                    area=pixels,
                    thing=is_thing[category],
                    crowd=bool(entry.get("iscrowd", 0)),
                )
            )
    photos = tuple(
        RegionPhoto(images / image["file_name"], sizes[image["id"]], tuple(rows[image["id"]]))
        for image in data["images"]
    )
    order = sorted(names)
    return RegionSet(
        name=name,
        photos=photos,
        things=_unique(names[i] for i in order if is_thing[i]),
        stuff=_unique(names[i] for i in order if not is_thing[i]),
    )


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"no label file {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as json: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds no json object")
    return data
