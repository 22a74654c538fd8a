"""Small photos and label files in the forms that data sets have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco

WIDTH, HEIGHT = 40, 30


def photo(path: Path, width: int = WIDTH, height: int = HEIGHT, **save) -> Path:
    """A photo with a gradient, so that turning or cutting it shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 6 % 256, y * 8 % 256, np.full_like(x, 90)], 2).astype(np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return path


def block(x0=10, y0=5, x1=25, y1=20, size=(HEIGHT, WIDTH)) -> np.ndarray:
    """A mask, bool [H, W], of a rectangle."""
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def rle(mask: np.ndarray) -> dict:
    """pycocotools' own form: counts are bytes."""
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))


def text_rle(mask: np.ndarray) -> dict:
    """As json holds it: counts are text."""
    return {"size": list(mask.shape), "counts": rle(mask)["counts"].decode()}


def list_rle(mask: np.ndarray) -> dict:
    """As crowds have it: counts are numbers."""
    flat = mask.ravel(order="F")
    bounds = np.flatnonzero(np.diff(np.concatenate(([False], flat, [not flat[-1]]))))
    edges = np.concatenate(([0], bounds, [flat.size]))
    counts = np.diff(edges[: len(edges) if edges[-1] != edges[-2] else -1])
    return {"size": list(mask.shape), "counts": [int(c) for c in counts]}


def instances() -> dict:
    """Two photos: a cat by a polygon, sky by run lengths, a crowd, and a box alone."""
    return {
        "licenses": [
            {"id": 4, "name": "x", "url": "http://creativecommons.org/licenses/by-nc/2.0/"}
        ],
        "images": [
            {"id": i, "file_name": f"00{i}.jpg", "width": WIDTH, "height": HEIGHT, "license": 4}
            for i in (1, 2)
        ],
        "annotations": [
            {
                "id": 10,
                "image_id": 1,
                "category_id": 7,
                "segmentation": [[10, 5, 25, 5, 25, 20, 10, 20]],
                "bbox": [10, 5, 15, 15],
                "iscrowd": 0,
            },
            {
                "id": 11,
                "image_id": 1,
                "category_id": 9,
                "segmentation": text_rle(block(0, 0, 40, 4)),
            },
            {
                "id": 12,
                "image_id": 2,
                "category_id": 7,
                "segmentation": list_rle(block(3, 3, 30, 9)),
                "iscrowd": 1,
            },
            {"id": 13, "image_id": 2, "category_id": 7, "bbox": [5.5, 6, 10, 12]},
        ],
        "categories": [
            {"id": 7, "name": "cat", "isthing": 1},
            {"id": 9, "name": "sky-other", "isthing": 0},
        ],
    }


def write_coco(folder: Path, data: dict, name: str = "instances.json") -> Path:
    """A label file with the photos it names beside it, in `images`."""
    for image in data["images"]:
        if isinstance(image, dict) and isinstance(image.get("file_name"), str):
            path = folder / "images" / image["file_name"]
            if not path.exists() and ".." not in path.parts:
                photo(path)
    return write_json(folder / name, data)


def write_json(path: Path, data: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path
