"""Shares of classes as files: CSV, JSON or Parquet, written photo by photo.

A table is wide (a row a photo, a column a class) or long (a row for each photo and class that
occurs in it). Rows go out as they come, so a table may be larger than the memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

import numpy as np

from usearch.classify import PhotoShares, map_values
from usearch.errors import UsageError
from usearch.render.csv_cells import csv_line, no_formula
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    import pyarrow as pa

    from usearch.text.class_lists import ClassList

Format = Literal["csv", "json", "parquet"]
Add = Callable[[PhotoShares], None]

PHOTO_COLUMNS = (
    "image", "photo", "width", "height", "segments", "covered", "filled", "background",
    "unknown", "no class",
)  # fmt: skip
"""First columns of a wide table; a column a class follows."""

LONG_COLUMNS = ("image", "photo", "value", "class", "share", "segments", "best_score")
"""Columns of a long table."""

_GROUP = 4_096


def format_of(path: Path) -> Format:
    """The format that the ending of a name asks for.

    Raises:
        UsageError: It is none of the three.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("csv", "json", "parquet"):
        raise UsageError(
            f"{path}: shares are written as .csv, .json or .parquet", "end the name with one"
        )
    return cast(Format, kind)


@contextmanager
def share_writer(
    out: IO[bytes],
    kind: Format,
    listed: ClassList,
    *,
    long: bool = False,
    head: dict[str, Any],
    tail: Callable[[], dict[str, Any]] = dict,
) -> Iterator[Add]:
    """A function that writes the shares of one photo after the other.

    Args:
        out: Where to; nothing is read back.
        kind: The format.
        listed: The classes.
        long: One row for each photo and class, with segments and best score of the class.
        head: Keys that come first in JSON.
        tail: Gives the keys that come last in JSON, when all photos are written.
    """
    if kind == "json":
        with _json_writer(out, listed, head, tail) as add:
            yield add
        return
    columns = list(LONG_COLUMNS) if long else with_classes(PHOTO_COLUMNS, listed.titles)

    def rows_of(photo: PhotoShares) -> list[list[Any]]:
        return long_rows(photo, listed.titles) if long else [wide_row(photo)]

    with _csv_rows(out, columns) if kind == "csv" else _parquet_rows(out, columns, long) as put:

        def add_rows(photo: PhotoShares) -> None:
            for row in rows_of(photo):
                put(row)

        yield add_rows


def with_classes(first: Sequence[str], titles: Sequence[str]) -> list[str]:
    """Columns and one a class behind them; one called like another gets ` (class)` behind."""
    columns = list(first)
    for title in titles:
        while title in columns:
            title = f"{title} (class)"
        columns.append(title)
    return columns


def wide_row(photo: PhotoShares) -> list[Any]:
    """Values of `PHOTO_COLUMNS` and of the classes."""
    own = photo.shares
    return [
        json_name(photo.image), photo.photo, photo.width, photo.height, photo.n_segments,
        own.covered, own.filled, own.background, own.unknown, own.none, *own.classes.tolist(),
    ]  # fmt: skip


def long_rows(photo: PhotoShares, titles: Sequence[str]) -> list[list[Any]]:
    """Values of `LONG_COLUMNS`, one row a value that occurs; what is no class is among them."""
    name = json_name(photo.image)
    return [
        [name, photo.photo, one["value"], one["name"], one["share"], one["segments"],
         one.get("score")]
        for one in [*class_values(photo, titles), *other_values(photo, len(titles))]
    ]  # fmt: skip


def class_values(photo: PhotoShares, titles: Sequence[str]) -> list[dict[str, Any]]:
    """Classes that occur in a photo as plain JSON values, the largest share first."""
    shares, found = photo.shares.classes, []
    there = np.flatnonzero((shares > 0) | (photo.counts > 0))
    for value in sorted(there.tolist(), key=lambda c: (-shares[c], c)):
        one = {
            "value": value,
            "name": titles[value],
            "share": round(float(shares[value]), 6),
            "segments": int(photo.counts[value]),
        }
        if photo.best is not None and not np.isnan(photo.best[value]):
            one["score"] = round(float(photo.best[value]), 6)
        found.append(one)
    return found


def other_values(photo: PhotoShares, n_classes: int) -> list[dict[str, Any]]:
    """As `class_values`, for what is no class."""
    values, own = map_values(n_classes), photo.shares
    shares = {
        values.background: own.background,
        values.unknown: own.unknown,
        values.none: own.none,
    }
    return [
        {"value": value, "name": values.titles[value], "share": round(share, 6), "segments": None}
        for value, share in shares.items()
        if share > 0
    ]


def photo_values(photo: PhotoShares, titles: Sequence[str]) -> dict[str, Any]:
    """A photo as plain JSON values."""
    own = photo.shares
    values: dict[str, Any] = {"image": json_name(photo.image)}
    if photo.photo is not None:
        values["photo"] = photo.photo
    return values | {
        "photo_size": {"width": photo.width, "height": photo.height},
        "segments": photo.n_segments,
        "covered_share": round(own.covered, 6),
        "filled_share": round(own.filled, 6),
        "background_share": round(own.background, 6),
        "unknown_share": round(own.unknown, 6),
        "no_class_share": round(own.none, 6),
        "classes": class_values(photo, titles),
    }


def list_values(listed: ClassList) -> list[dict[str, Any]]:
    """A class list as plain JSON values."""
    return [
        {
            "value": value,
            "name": listed.titles[value],
            "names": names,
            "whole": None if listed.whole_of(value) < 0 else listed.whole_of(value),
        }
        for value, names in enumerate(listed.names)
    ]


def value_names(n_classes: int) -> dict[str, int]:
    """The values of a map that are no class, by name."""
    values = map_values(n_classes)
    return {
        "no_class": values.none,
        "unknown": values.unknown,
        "background": values.background,
    }


@contextmanager
def _json_writer(
    out: IO[bytes],
    listed: ClassList,
    head: dict[str, Any],
    tail: Callable[[], dict[str, Any]],
) -> Iterator[Add]:
    titles, first = listed.titles, True
    start = head | {"list": list_values(listed), "values": value_names(len(listed))}
    out.write(json.dumps(start, allow_nan=False).encode()[:-1] + b',\n"photos": [')

    def add(photo: PhotoShares) -> None:
        nonlocal first
        line = json.dumps(photo_values(photo, titles), allow_nan=False)
        out.write((b"\n" if first else b",\n") + line.encode())
        first = False

    yield add
    end = json.dumps(tail(), allow_nan=False)
    out.write(b"]}\n" if end == "{}" else b"],\n" + end[1:].encode() + b"\n")


@contextmanager
def _csv_rows(out: IO[bytes], columns: Sequence[str]) -> Iterator[Callable[[list[Any]], None]]:
    def put(row: Sequence[Any]) -> None:
        out.write(f"{csv_line(map(_cell, row))}\r\n".encode())

    put(columns)
    yield put


def _cell(value: Any) -> Any:
    """Text as one safe line, numbers short."""
    if isinstance(value, str):
        return no_formula(value)
    return f"{value:.9g}" if isinstance(value, float) else value


@contextmanager
def _parquet_rows(
    out: IO[bytes], columns: Sequence[str], long: bool
) -> Iterator[Callable[[list[Any]], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(columns, long)
    held: list[list[Any]] = []

    with pq.ParquetWriter(out, schema, compression="zstd") as writer:

        def flush() -> None:
            arrays = [
                pa.array(list(column), field.type)
                for column, field in zip(zip(*held, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            held.clear()

        def put(row: list[Any]) -> None:
            held.append(row)
            if len(held) == _GROUP:
                flush()

        yield put
        if held:
            flush()


def _schema(columns: Sequence[str], long: bool) -> pa.Schema:
    import pyarrow as pa

    known = {
        "image": pa.string(), "photo": pa.int64(), "width": pa.int32(), "height": pa.int32(),
        "segments": pa.int32(), "value": pa.int32(), "class": pa.string(),
    }  # fmt: skip
    names = LONG_COLUMNS if long else PHOTO_COLUMNS
    return pa.schema(
        [
            pa.field(column, known.get(column, pa.float64()) if i < len(names) else pa.float64())
            for i, column in enumerate(columns)
        ]
    )
