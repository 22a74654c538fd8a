"""Shapes and texts of label files to segments: checked, clipped to the photo, joined."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from indexer.segmenters.coco_masks import as_polygons, is_number, plain_runs, polygon_problem, short
from indexer.segmenters.polygons import polygons_counts
from trainer.human import WEIGHTS
from trainer.pairs import Box, Kind, PairSegment
from trainer.readers.report import Report
from usearch import masks
from usearch.errors import InputError
from usearch.masks import Counts
from usearch.scaling import scaled_counts

Size = tuple[int, int]
"""(height, width) in pixels."""

SYNONYM = 0.6
"""Weight of a text that is another word for the plain name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled shape of a photo as a label file has it, not yet checked.

    Attributes:
        where: File, entry: how messages name it.
        kind: What the segment will be; a mark without a mask becomes a "box".
        texts: Texts of it, the plain name first.
        mask: What `counts_of` reads; None where there is only a box.
        box: x0 y0 x1 y1 in pixels; None where there is a mask, or where it is the whole photo.
        field: What the file calls the shape, for messages.
        other_weights: Weight of each text behind the first.
    """

    where: str
    kind: Kind
    texts: tuple[str, ...]
    mask: Any = None
    box: Box | None = None
    field: str = "segmentation"
    other_weights: float = 1.0


def counts_of(mask: Any, size: Size) -> Counts:
    """Run lengths of a mask in any of the ways in which label files hold one.

    Args:
        mask: COCO polygons, or a single one; COCO run lengths, {"size", "counts"} with counts as
            text, bytes or numbers, or the counts alone; or an array, bool or number [H, W].
        size: (height, width) of the photo.

    Raises:
        InputError: It is none of them, or of another size.
    """
    if isinstance(mask, Mapping):
        stated = mask.get("size")
        if stated is not None and [int(v) for v in _whole_pair(stated)] != list(size):
            raise InputError(
                f"mask of size {short(list(stated))} (height, width) in a photo of "
                f"{size[1]} x {size[0]} pixels"
            )
        return _runs(mask.get("counts"), size)
    if isinstance(mask, np.ndarray) and mask.ndim == 2:
        if mask.shape != size:
            raise InputError(
                f"mask of {mask.shape[1]} x {mask.shape[0]} pixels in a photo of "
                f"{size[1]} x {size[0]} pixels"
            )
        return masks.mask_to_counts(mask != 0)
    if isinstance(mask, str | bytes):
        return _runs(mask, size)
    if isinstance(mask, list | tuple) and mask:
        polygons = as_polygons([_plain(item) for item in mask])
        problem = polygon_problem(polygons)
        if problem:
            raise InputError(problem)
        return polygons_counts(polygons, size)
    raise InputError(f"{short(mask)} is neither polygons nor run lengths")


def _plain(item: Any) -> Any:
    """Arrays as lists: polygons come as both."""
    return item.tolist() if isinstance(item, np.ndarray | array | np.generic) else item


def _whole_pair(value: Any) -> Sequence[int]:
    pair = [_plain(item) for item in value] if isinstance(value, Iterable) else []
    if len(pair) != 2 or not all(is_number(item) and item == int(item) for item in pair):
        raise InputError(f"mask size {short(value)} is no height and width")
    return pair


def _runs(counts: Any, size: Size) -> Counts:
    if isinstance(counts, str):
        return masks.rle_to_counts(counts.encode("ascii", "replace"), size)
    if isinstance(counts, bytes):
        return masks.rle_to_counts(counts, size)
    if isinstance(counts, np.ndarray):
        counts = counts.tolist()
    return plain_runs(counts, size[0] * size[1])


def corner_box(x: Any, y: Any, width: Any, height: Any) -> Box:
    """x0 y0 x1 y1 of a corner and a size.

    Raises:
        InputError: They are no numbers.
    """
    if not all(is_number(v) for v in (x, y, width, height)):
        raise InputError(f"{short([x, y, width, height])} are not four numbers")
    return float(x), float(y), float(x) + float(width), float(y) + float(height)


def clean_texts(values: Iterable[Any], where: str, report: Report) -> tuple[str, ...]:
    """Texts with single spaces, each once; blank ones are left out and counted."""
    found: dict[str, str] = {}
    for value in values:
        if not isinstance(value, str):
            report.problem(where, f"{short(value)} is no text")
            continue
        text = " ".join(value.split())
        if text:
            found.setdefault(text.casefold(), text)
        else:
            report.left_out["blank texts"] += 1
    return tuple(found.values())


def segments_of(
    marks: Iterable[Mark], size: Size, stored: Size, report: Report
) -> tuple[PairSegment, ...]:
    """Segments of a photo.

    Args:
        marks: Its labelled shapes.
        size: (height, width) that the shapes are on.
        stored: (height, width) of the photo as it will be stored; shapes are brought to it.
        report: Takes wrong marks, and how many were empty, clipped or without texts.

    Returns:
        One segment for each shape: the texts of equal ones are joined.
    """
    found: dict[tuple[object, ...], PairSegment] = {}
    for mark in marks:
        segment = _segment(mark, size, stored, report)
        if segment is None:
            continue
        key = (segment.kind, segment.box, segment.rle)
        if key in found:
            segment = _joined(found[key], segment)
            report.left_out["equal shapes, texts joined"] += 1
        found[key] = segment
    return tuple(found.values())


def _segment(mark: Mark, size: Size, stored: Size, report: Report) -> PairSegment | None:
    texts = clean_texts(mark.texts, f"{mark.where}.texts", report)
    if not texts:
        report.left_out["segments without texts"] += 1
        return None
    kind, rle, box = mark.kind, None, (0.0, 0.0, float(stored[1]), float(stored[0]))
    if mark.mask is not None:
        try:
            counts = scaled_counts(counts_of(mark.mask, size), size, stored)
        except InputError as error:
            report.problem(f"{mark.where}.{mark.field}", error.message)
            return None
        if not masks.area(counts):
            report.left_out["empty masks"] += 1
            return None
        x0, y0, x1, y1 = masks.box_of(counts, stored[0])
        rle, box = masks.counts_to_rle(counts), (float(x0), float(y0), float(x1), float(y1))
    elif mark.box is not None:
        inside = _clipped(mark.box, size, stored, report)
        if inside is None:
            report.left_out["boxes without a pixel of the photo"] += 1
            return None
        kind, box = "box", inside
    weights = (1.0, *[_as_held(mark.other_weights)] * (len(texts) - 1))
    return PairSegment(kind, "human", box, rle, texts, weights, weight=_as_held(WEIGHTS[kind]))


def _as_held(value: float) -> float:
    """A number as a file of pairs holds it: what is read back equals what was written."""
    return float(np.float32(value))


def _clipped(box: Box, size: Size, stored: Size, report: Report) -> Box | None:
    height, width = size
    x0, y0, x1, y1 = box
    inside = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        return None
    if inside != box:
        report.left_out["boxes cut at the photo's border"] += 1
    across, down = stored[1] / width, stored[0] / height
    scaled = (inside[0] * across, inside[1] * down, inside[2] * across, inside[3] * down)
    x0, y0, x1, y1 = (_as_held(value) for value in scaled)
    return x0, y0, min(x1, float(stored[1])), min(y1, float(stored[0]))


def _joined(first: PairSegment, second: PairSegment) -> PairSegment:
    weight_of: dict[str, tuple[str, float]] = {}
    for segment in (first, second):
        for text, weight in zip(segment.texts, segment.text_weights, strict=True):
            known = weight_of.get(text.casefold(), (text, 0.0))
            weight_of[text.casefold()] = known[0], max(known[1], weight)
    return replace(
        first,
        texts=tuple(text for text, _ in weight_of.values()),
        text_weights=tuple(weight for _, weight in weight_of.values()),
    )
