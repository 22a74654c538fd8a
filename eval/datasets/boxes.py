"""Open-Images-like boxes: a json list of photos with named boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from eval.datasets.records import BoxPhoto
from usearch.errors import InputError


def read_boxes(path: Path) -> list[BoxPhoto]:
    """Photos of a box file: `[{file_name, width, height, boxes: [{class, xyxy, group}]}]`.

    File names are relative to the folder of the box file.

    Raises:
        InputError: The file is missing or has another form.
    """
    try:
        rows = json.loads(path.read_bytes())
        return [
            BoxPhoto(
                path=path.parent / row["file_name"],
                size=(int(row["height"]), int(row["width"])),
                boxes=np.array([b["xyxy"] for b in row["boxes"]], np.float32).reshape(-1, 4),
                names=tuple(str(b["class"]).lower() for b in row["boxes"]),
                groups=tuple(bool(b.get("group", False)) for b in row["boxes"]),
            )
            for row in rows
        ]
    except FileNotFoundError as error:
        raise InputError(f"no box file {path}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a list of photos with boxes ({error!r})") from error
