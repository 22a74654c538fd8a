"""Label Studio: a JSON of tasks with predictions, masks as its own packed "brush" run lengths."""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np
import numpy.typing as npt

import usearch
from usearch import masks
from usearch.exports.coco import short_float
from usearch.exports.photo_masks import box_and_mask
from usearch.exports.sources import ExportedPhoto, ExportedSegment, Progress, Source
from usearch.render.safe_text import json_name
from usearch.scaling import runs_to_counts

_SIZES = np.array([4, 8, 12, 16])
"""Bits that the length of a run may take; each run names the one it uses."""


def write_labelstudio(out: IO[bytes], source: Source, *, progress: Progress | None = None) -> int:
    """Write an export; see `usearch.exports.coco.write_coco` for the arguments.

    Images are named as files below the folder that Label Studio serves itself
    (LOCAL_FILES_DOCUMENT_ROOT), which is to be the folder that names are relative to.

    Returns:
        How many segments were written.
    """
    from urllib.parse import quote

    written = 0
    out.write(b"[")
    for number, (photo, segments) in enumerate(source.segments()):
        name = quote(photo.name.encode("utf-8", "surrogateescape"))
        labels = [json_name(source.labels[segment.label]) for segment in segments]
        task = {
            "data": {"image": f"/data/local-files/?d={name}"},
            "predictions": [
                {
                    "model_version": f"usearch {usearch.__version__}",
                    "result": [
                        _result(photo, segment, label)
                        for segment, label in zip(segments, labels, strict=True)
                    ],
                }
            ],
        }
        out.write((b"\n" if number == 0 else b",\n") + json.dumps(task).encode())
        written += len(segments)
        if progress is not None:
            progress(written)
    out.write(b"\n]\n")
    return written


def _result(photo: ExportedPhoto, segment: ExportedSegment, label: str) -> dict[str, Any]:
    (x0, y0, _, _), inside = box_and_mask(photo, segment)
    counts = row_counts(inside, (x0, y0), (photo.height, photo.width))
    return {
        "id": f"{segment.segment}-{segment.label}",
        "type": "brushlabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": photo.width,
        "original_height": photo.height,
        "image_rotation": 0,
        "score": short_float(segment.score),
        "value": {"format": "rle", "rle": brush_rle(counts), "brushlabels": [label]},
        "meta": {"segment": segment.segment, "parent": segment.parent},
    }


def row_counts(inside: masks.Mask, corner: tuple[int, int], size: tuple[int, int]) -> masks.Counts:
    """Run lengths of a photo row by row, zeros first, from the mask within a box.

    Args:
        inside: bool [h, w].
        corner: x, y of the box.
        size: (height, width) of the photo.
    """
    height, width = size
    steps = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (rows, first), (_, end) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    start = (corner[1] + rows) * width + corner[0]
    return runs_to_counts(start + first, start + end, height * width)


def brush_rle(counts: masks.Counts) -> list[int]:
    """Label Studio's packed run lengths of RGBA pixels, as the bytes of its JSON.

    A header says how many values there are (32 bits), how wide one is (5 bits), and how wide
    a run's length may be (four times 4 bits). Each run is a 1, which of these it uses (2
    bits), its length less one, and the value: 255 in all of RGBA where the mask is set.

    Args:
        counts: Run lengths row by row, zeros first.
    """
    lengths, values = 4 * counts, 255 * (np.arange(len(counts)) % 2)
    # No length takes more than 16 bits: long runs are several.
    longest = 1 << int(_SIZES[-1])
    pieces = -(-lengths // longest)
    which = np.repeat(np.arange(len(counts)), pieces)
    last = np.cumsum(pieces)[which] - 1 == np.arange(len(which))
    length = np.where(last, lengths[which] - (pieces[which] - 1) * longest, longest)
    kind = np.searchsorted(1 << _SIZES, length)
    size = _SIZES[kind]
    code = ((4 + kind) << (size + 8)) | ((length - 1) << 8) | values[which]
    header = _bits(np.array([4 * counts.sum(), 7, *(_SIZES - 1)]), np.array([32, 5, 4, 4, 4, 4]))
    packed: list[int] = np.packbits(np.concatenate((header, _bits(code, size + 11)))).tolist()
    return packed


def _bits(numbers: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Numbers as bits, most significant first, each in its size."""
    which = np.repeat(np.arange(len(numbers)), sizes)
    behind = np.cumsum(sizes)[which] - 1 - np.arange(len(which))
    return ((numbers[which] >> behind) & 1).astype(np.uint8)
