"""Tables of masks and texts of unknown make, such as the published segment-text pairs of USE.

The columns are inspected (`trainer.readers.table_columns`), and what was understood is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from indexer.segmenters.coco_masks import MAX_PIXELS, MAX_SIDE, is_number, short
from trainer.pairs import Box, PairImage
from trainer.readers.coco import coco_folders
from trainer.readers.options import Options
from trainer.readers.photos import PhotoEntry, find_photo, make_photo, photo_folder
from trainer.readers.report import Report
from trainer.readers.segments import Mark, Size, corner_box
from trainer.readers.table_columns import Layout, is_texts, told, understand
from trainer.readers.table_rows import Row, rows_of
from usearch.errors import InputError

_LOOKED_AT = 50
"""Rows from which the columns are understood."""

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def read_table(path: Path, options: Options, report: Report) -> Iterator[PairImage]:
    """Photos of a table.

    Raises:
        InputError: Its columns are not understood; says which there are.
    """
    rows = rows_of(path)
    first = list(islice(rows, _LOOKED_AT))
    records = [record for _, record in first]
    layout = understand(records, options.columns, str(path))
    title, *lines = told(layout, records)
    for line in (f"{path.name}: {title}", *lines):
        report.say(line)
    todo: Iterator[Row] = chain(first, rows)
    groups = _by_photo(todo, layout) if layout.shape == "rows" else ((row, [row]) for row in todo)
    folder: Path | None = None
    for (where, record), members in groups:
        photo = record.get(layout.photo)
        names = _photo_names(photo)
        data = photo.get("bytes") if isinstance(photo, Mapping) else photo
        if not names and not isinstance(data, bytes):
            report.problem(f"{where}.{layout.photo}", f"{short(photo)} names no photo")
            continue
        file: Path | bytes | None = data if isinstance(data, bytes) else None
        if file is None:
            folder = folder or _folder(path, names, options, report)
            file = next((f for name in names if (f := find_photo(folder, name))), None)
            if file is None:
                what = f"there is no photo {names[0]} in {folder}"
                report.problem(f"{where}.{layout.photo}", what)
                continue
        marks = [m for place, row in members for m in _marks(row, place, layout, report)]
        key = PurePosixPath(names[0]).stem if names else f"row-{where.rsplit(' ', 1)[-1]}"
        entry = PhotoEntry(
            where,
            key,
            file,
            _size(record, layout, where, report),
            _text(record.get(layout.licence)),
            key,
            _split(record.get(layout.split)),
        )
        made = make_photo(entry, marks, options, options.name or path.stem, report)
        if made is not None:
            yield made


def _by_photo(rows: Iterator[Row], layout: Layout) -> Iterator[tuple[Row, list[Row]]]:
    """Rows of each photo, which may stand anywhere in the table."""
    found: dict[object, list[Row]] = {}
    for where, record in rows:
        photo = record.get(layout.photo)
        names = _photo_names(photo)
        key = names[0] if names else where
        # A picture that each of its rows repeats is held once.
        kept = dict(record) if key not in found else {**record, layout.photo: None}
        found.setdefault(key, []).append((where, kept))
    for members in found.values():
        yield members[0], members


def _photo_names(photo: Any) -> list[str]:
    """Names of files that a value may mean; a bare number is COCO's."""
    if isinstance(photo, Mapping):
        photo = photo.get("path")
    if isinstance(photo, np.generic):
        photo = photo.item()
    if isinstance(photo, float) and photo.is_integer():
        photo = int(photo)
    if isinstance(photo, bool) or not isinstance(photo, str | int):
        return []
    text = str(photo).strip()
    if not text:
        return []
    if PurePosixPath(text.replace("\\", "/")).suffix.lower() in _SUFFIXES:
        return [text]
    names = [text + suffix for suffix in _SUFFIXES]
    if text.isdecimal():
        number = int(text)
        years = [f"COCO_{part}2014_{number:012d}.jpg" for part in ("train", "val")]
        names = [f"{number:012d}.jpg", *names, *years]
    return names


def _folder(path: Path, names: Sequence[str], options: Options, report: Report) -> Path:
    inside = [path / "images", path] if path.is_dir() else []
    candidates = [*inside, *coco_folders(path)]
    for name in names:
        if options.images is None and any(find_photo(folder, name) for folder in candidates):
            return photo_folder(options, candidates, name, report)
    return photo_folder(options, candidates, names[0], report)


def _size(record: Mapping[str, Any], layout: Layout, where: str, report: Report) -> Size | None:
    if not layout.height or not layout.width:
        return None
    height, width = record.get(layout.height), record.get(layout.width)
    if not is_number(height) or not is_number(width):
        return None
    size = int(height), int(width)  # type: ignore[arg-type]
    if not (0 < size[0] <= MAX_SIDE and 0 < size[1] <= MAX_SIDE and size[0] * size[1] < MAX_PIXELS):
        report.problem(where, f"{short(width)} x {short(height)} pixels is no size of a photo")
        return None
    return size


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _split(value: Any) -> str:
    """The part that a table states: validation and test photos are held out."""
    text = _text(value).casefold()
    if text.startswith("train"):
        return "train"
    return "held" if text.startswith(("val", "test", "held", "dev")) else ""


def _marks(record: Mapping[str, Any], where: str, layout: Layout, report: Report) -> Iterator[Mark]:
    if layout.shape == "texts":
        yield Mark(where, "caption", _texts(record, layout))
    elif layout.shape == "rows":
        yield from _mark(record, where, layout, report)
    elif layout.shape == "objects":
        objects = record.get(layout.segments)
        if not isinstance(objects, list | tuple):
            report.problem(f"{where}.{layout.segments}", f"{short(objects)} is no list")
            return
        for number, one in enumerate(objects):
            place = f"{where}, {layout.segments}[{number}]"
            if isinstance(one, Mapping):
                yield from _mark(one, place, layout, report)
            else:
                report.problem(place, f"{short(one)} is no object")
    else:
        yield from _side_by_side(record, where, layout, report)


def _side_by_side(
    record: Mapping[str, Any], where: str, layout: Layout, report: Report
) -> Iterator[Mark]:
    columns = [name for name in (layout.mask, layout.box, *layout.texts) if name]
    lists = {name: record.get(name) for name in columns}
    lengths = {
        name: len(value) if isinstance(value, list | tuple | np.ndarray) else 0
        for name, value in lists.items()
    }
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{n} {name!r}" for name, n in lengths.items())
        report.problem(where, f"lists of different lengths: {said}")
        return
    for number in range(lengths[columns[0]]):
        row = {name: lists[name][number] for name in columns}  # type: ignore[index]
        yield from _mark(row, f"{where}, [{number}]", layout, report)


def _mark(record: Mapping[str, Any], where: str, layout: Layout, report: Report) -> Iterator[Mark]:
    texts = _texts(record, layout)
    mask = record.get(layout.mask) if layout.mask else None
    if mask is not None:
        if layout.mask == "counts" and "size" in record:
            mask = {"counts": mask, "size": record["size"]}
        yield Mark(where, "object", texts, mask, field=layout.mask)
        return
    value = record.get(layout.box) if layout.box else None
    value = value.tolist() if isinstance(value, np.ndarray) else value
    try:
        box = _box(value, layout.corners)
    except InputError as error:
        report.problem(f"{where}.{layout.box or layout.mask}", error.message)
        return
    yield Mark(where, "box", texts, None, box, layout.box)


def _box(value: Any, corners: bool) -> Box:
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise InputError(f"{short(value)} is no box, and there is no mask")
    if corners:
        x0, y0, x1, y1 = value
        corner_box(*value)
        return float(x0), float(y0), float(x1), float(y1)
    return corner_box(*value)


def _texts(record: Mapping[str, Any], layout: Layout) -> tuple[Any, ...]:
    found: list[Any] = []
    for name in layout.texts:
        found += _flat(record.get(name))
    return tuple(found)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if value is None:
        return []
    if isinstance(value, list | tuple) and (not value or is_texts(value)):
        return [text for one in value for text in _flat(one)]
    return list(value) if isinstance(value, list | tuple) else [value]
