"""Labels as masks to cut by: the file that the segmenter `given` reads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets import NO_LABEL, LabelMap, MapSet, read_map
from usearch import masks
from usearch.render.safe_text import json_name
from usearch.result_files import new_file


def write_given_masks(labelled: MapSet, folder: Path) -> Path:
    """Writes one mask a class and photo, as COCO json, named after its content.

    A class is one mask wherever its pixels are, as studies of naming with true masks have it.

    Args:
        labelled: The set; photos without a labelled pixel are left out of the file.
        folder: Where the file goes; made when absent.

    Returns:
        The file; its name holds a hash of the masks, so another set of them is another file.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, photo in enumerate(labelled.photos, 1):
        labels = read_map(labelled, photo)
        found = class_masks(labels)
        if not found:
            continue
        name = json_name(photo.path.resolve().as_posix().lstrip("/"))
        height, width = labels.shape
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        annotations += [
            {
                "id": len(annotations) + i,
                "image_id": number,
                "category_id": row,
                "segmentation": {"size": [height, width], "counts": rle.decode("ascii")},
            }
            for i, (row, rle) in enumerate(found.items(), 1)
        ]
    data = json.dumps({"images": images, "annotations": annotations}).encode()
    digest = hashlib.blake2b(data, digest_size=6).hexdigest()
    path = folder / f"{labelled.name}-{digest}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with new_file(path, force=True) as out:
            out.write(data)
    return path


def class_masks(labels: LabelMap) -> dict[int, bytes]:
    """COCO compressed RLE of the pixels of each class that occurs."""
    return {int(row): masks.encode(labels == row) for row in np.unique(labels) if row != NO_LABEL}
