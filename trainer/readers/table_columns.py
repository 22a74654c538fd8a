"""What the columns of a table of unknown make mean, told by their names and their values.

A row is a photo with its segments, as a list of objects or as lists side by side, or it is one
segment of a photo, or a photo with texts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from indexer.segmenters.coco_masks import is_number
from trainer.readers.table_rows import KEY, PHOTO_COLUMNS, ROWS, folded
from usearch.errors import InputError, UsageError

Shape = Literal["objects", "lists", "rows", "texts"]
"""Segments as a list of objects in a row, as lists side by side, one a row, or none."""

ROLES = ("photo", "segments", "mask", "box", "texts", "height", "width", "licence", "split")

_COLUMNS: dict[str, tuple[str, ...]] = {
    "photo": (*PHOTO_COLUMNS, "id", folded(KEY)),
    "segments": (
        folded(ROWS), "segments", "segmentsinfo", "annotations", "annos", "anns", "objects",
        "instances", "regions", "pairs", "labels", "items",
    ),
    "mask": (
        "rle", "rles", "maskrle", "maskrles", "cocorle", "mask", "masks", "segmentation",
        "segmentations", "segms", "segm", "counts", "polygon", "polygons",
    ),
    "box": ("bbox", "bboxes", "box", "boxes", "bboxxyxy", "boxxyxy", "bboxxywh", "boxxywh"),
    "texts": (
        "name", "names", "label", "labels", "category", "categories", "categoryname", "class",
        "classname", "texts", "text", "phrases", "phrase", "nounphrases", "nounphrase",
        "expressions", "expression", "referringexpressions", "descriptions", "description",
        "captions", "caption", "sentences", "sentence",
    ),
    "height": ("height", "imageheight", "imgheight"),
    "width": ("width", "imagewidth", "imgwidth"),
    "licence": ("licence", "license", "terms"),
    "split": ("split", "subset"),
}  # fmt: skip
"""Names of columns by role, without case and divisions, the surest first."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column has which role.

    Attributes:
        shape: How segments stand in rows.
        photo: Column that names or holds the photo.
        segments: Column with the list of objects (shape "objects"), else "".
        mask: Column of masks, of the objects or the row; "" without masks.
        box: Column of boxes; used where there is no mask; "" without boxes.
        texts: Columns of texts, the plainest first.
        height: Column of the photo's height, or "".
        width: Column of the photo's width, or "".
        licence: Column of the photo's terms, or "".
        split: Column of the photo's part, or "".
        corners: Whether boxes are x0 y0 x1 y1 (else x y width height).
        unused: Columns without a role.
    """

    shape: Shape
    photo: str
    segments: str
    mask: str
    box: str
    texts: tuple[str, ...]
    height: str
    width: str
    licence: str
    split: str
    corners: bool
    unused: tuple[str, ...]


def understand(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], source: str
) -> Layout:
    """The layout of a table.

    Args:
        rows: Its first rows.
        columns: {role: column} that a person has given; texts may be several, joined by commas.
        source: Name of the table, for messages.

    Raises:
        InputError: No column can be the photo, or none can be masks, boxes or texts; says what
            columns there are.
        UsageError: `columns` names a role or a column that does not exist.
    """
    chosen = _Chosen(columns, source)
    photo = chosen.one("photo", rows, _is_photo)
    segments = chosen.one("segments", rows, _is_objects)
    objects = [o for row in rows for o in _objects(row.get(segments))] if segments else []
    inner = objects if segments else rows
    mask = chosen.one("mask", inner, lambda v: is_mask(v) or (not segments and _is_masks(v)))
    box = chosen.one("box", inner, lambda v: _is_box(v) or (not segments and _is_boxes(v)))
    texts = chosen.several("texts", inner, is_texts, {photo, mask, box})
    shape: Shape = "objects" if segments else "rows"
    if not segments:
        marks = [row.get(mask or box) for row in rows if row.get(mask or box) is not None]
        single = is_mask if mask else _is_box
        if not (mask or box):
            shape = "texts"
        elif marks and not single(marks[0]):
            shape = "lists"
            texts = tuple(name for name in texts if _side_by_side(name, mask or box, rows))
    if not photo:
        raise InputError(
            f"{source}: no column names the photo; {_described(rows)}",
            "say which one does: --column photo=NAME",
        )
    if not texts:
        raise InputError(
            f"{source}: no column has texts; {_described(inner)}",
            "say which one has: --column texts=NAME",
        )
    height, width = (chosen.one(role, rows, is_number) for role in ("height", "width"))
    licence, split = (chosen.one(role, rows, _is_text) for role in ("licence", "split"))
    used = {photo, segments, mask, box, *texts, height, width, licence, split}
    there = dict.fromkeys(str(name) for row in (*rows, *objects) for name in row)
    return Layout(
        shape, photo, segments, mask, box, texts, height, width, licence, split,
        _has_corners(box, inner, height, width, rows),
        tuple(name for name in there if name not in used),
    )  # fmt: skip


def told(layout: Layout, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The layout in words, one line a column."""
    objects = [o for row in rows for o in _objects(row.get(layout.segments))]
    inner = objects if layout.segments else rows
    how = {
        "objects": f"one row a photo, its segments a list of objects in {layout.segments!r}",
        "lists": "one row a photo, its segments in lists side by side",
        "rows": "one row a segment",
        "texts": "one row a photo, texts of the whole photo, no segments",
    }[layout.shape]
    lines = [f"a table: {how}", f"  photo: {layout.photo!r}, {_kind(rows, layout.photo)}"]
    if layout.mask:
        lines.append(f"  masks: {layout.mask!r}, {_kind(inner, layout.mask)}")
    if layout.box:
        form = "x0 y0 x1 y1" if layout.corners else "x y width height"
        lines.append(
            f"  boxes: {layout.box!r}, {form}{', where masks lack' if layout.mask else ''}"
        )
    lines.append("  texts: " + ", ".join(f"{t!r}, {_kind(inner, t)}" for t in layout.texts))
    others = {n: getattr(layout, n) for n in ("height", "width", "licence", "split")}
    lines += [f"  {role}: {name!r}" for role, name in others.items() if name]
    if layout.unused:
        lines.append("  not used: " + ", ".join(map(repr, layout.unused)))
    return lines


class _Chosen:
    """Columns that a person has given, and a choice among the others."""

    def __init__(self, columns: Mapping[str, str], source: str) -> None:
        unknown = [role for role in columns if role not in ROLES]
        if unknown:
            raise UsageError(
                f"{unknown[0]!r} is no role of a column", f"roles are: {', '.join(ROLES)}"
            )
        self._columns = columns
        self._source = source

    def one(self, role: str, rows: Sequence[Mapping[str, Any]], fits: Callable[[Any], bool]) -> str:
        """The column of a role, or "" when none is."""
        if role in self._columns:
            return self._given(self._columns[role], rows)
        return next(iter(_candidates(role, rows, fits)), "")

    def several(
        self,
        role: str,
        rows: Sequence[Mapping[str, Any]],
        fits: Callable[[Any], bool],
        taken: Iterable[str],
    ) -> tuple[str, ...]:
        """All columns of a role, the surest first."""
        if role in self._columns:
            names = self._columns[role].split(",")
            return tuple(self._given(name.strip(), rows) for name in names)
        return tuple(name for name in _candidates(role, rows, fits) if name not in set(taken))

    def _given(self, name: str, rows: Sequence[Mapping[str, Any]]) -> str:
        if not any(name in row for row in rows):
            raise UsageError(
                f"{self._source} has no column {name!r}; {_described(rows)}",
                "name one of these",
            )
        return name


def _candidates(
    role: str, rows: Sequence[Mapping[str, Any]], fits: Callable[[Any], bool]
) -> list[str]:
    order = {name: place for place, name in enumerate(_COLUMNS[role])}
    found: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            place = order.get(folded(name))
            if place is not None and value is not None and fits(value):
                found[str(name)] = place
    return sorted(found, key=lambda name: found[name])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_photo(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("bytes"), bytes) or isinstance(value.get("path"), str)
    return isinstance(value, str | bytes | int) and not isinstance(value, bool)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list | tuple):
        return []
    return [one for one in value if isinstance(one, Mapping)]


def _is_objects(value: Any) -> bool:
    # Run lengths are {"counts", "size"}: objects that hold more are segments.
    return any(set(one) - {"counts", "size"} for one in _objects(value))


def is_mask(value: Any) -> bool:
    """Whether a value is one mask: run lengths, polygons or an array."""
    if isinstance(value, Mapping):
        return "counts" in value
    if isinstance(value, np.ndarray):
        return value.ndim == 2
    if isinstance(value, list | tuple) and value:
        first = value[0]
        if is_number(first):
            return True  # one polygon, or plain run lengths
        return isinstance(first, list | tuple) and bool(first) and is_number(first[0])
    return isinstance(value, str | bytes) and bool(value)


def _is_masks(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 3
    return isinstance(value, list | tuple) and bool(value) and is_mask(value[0])


def _is_box(value: Any) -> bool:
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    return isinstance(plain, list | tuple) and len(plain) == 4 and all(map(is_number, plain))


def _is_boxes(value: Any) -> bool:
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    return isinstance(plain, list | tuple) and bool(plain) and _is_box(plain[0])


def is_texts(value: Any) -> bool:
    """Whether a value is a text, a list of texts, or a list of such lists."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return bool(value) and is_texts(value[0])
    return isinstance(value, str)


def _side_by_side(name: str, marks: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column of texts has as many as there are marks, in some row."""
    lists = [(row.get(name), row.get(marks)) for row in rows]
    return any(
        isinstance(texts, list | tuple | np.ndarray)
        and isinstance(shapes, list | tuple | np.ndarray)
        and len(texts) == len(shapes) > 0
        for texts, shapes in lists
    )


def _has_corners(
    box: str,
    inner: Sequence[Mapping[str, Any]],
    height: str,
    width: str,
    rows: Sequence[Mapping[str, Any]],
) -> bool:
    """Whether boxes are two corners instead of COCO's x y width height.

    By the column's name, else because some would leave their photos as COCO's.
    """
    if not box or "xyxy" in folded(box):
        return bool(box)
    if "xywh" in folded(box):
        return False
    found = [v for row in inner for v in (row[box] if _is_boxes(row.get(box)) else [row.get(box)])]
    boxes = np.array([v for v in found if v is not None and _is_box(v)], np.float64)
    if not len(boxes) or not (boxes[:, 2:] > boxes[:, :2]).all():
        return False
    sizes = [(row[width], row[height]) for row in rows if width and height]
    limit = np.array(sizes or [(np.inf, np.inf)], np.float64).max(0)
    return bool((boxes[:, :2] + boxes[:, 2:] > limit + 1).any())


def _kind(rows: Sequence[Mapping[str, Any]], column: str) -> str:
    value = next((row[column] for row in rows if row.get(column) is not None), None)
    return _kind_of(value)


def _kind_of(value: Any) -> str:
    if isinstance(value, Mapping):
        if "counts" in value:
            counts = value["counts"]
            plain = not isinstance(counts, str | bytes)
            return f"COCO run lengths ({'plain' if plain else 'compressed'})"
        return "objects with " + ", ".join(map(str, list(value)[:8]))
    if isinstance(value, np.ndarray):
        return f"arrays {value.dtype} {list(value.shape)}"
    if isinstance(value, list | tuple):
        return f"lists of {_kind_of(value[0])}" if value else "lists"
    names = {str: "text", bytes: "bytes", bool: "truth values", int: "numbers", float: "numbers"}
    return names.get(type(value), type(value).__name__)


def _described(rows: Sequence[Mapping[str, Any]]) -> str:
    """The columns of some rows, for messages."""
    there = dict.fromkeys(str(name) for row in rows for name in row)
    if not there:
        return "there are no rows"
    return "columns are: " + "; ".join(f"{name!r}, {_kind(rows, name)}" for name in there)
