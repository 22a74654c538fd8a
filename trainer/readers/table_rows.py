"""Rows of a table in any of the files in which tables come, as {column: value}."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.readers.json_stream import entries
from trainer.readers.pickles import read_pickle
from usearch.errors import InputError

KEY = "(key)"
"""Column of what a row is kept under: the key in an object, or the stem of its own file."""

ROWS = "(rows)"
"""Column of the list of a photo, where a file holds a list for each photo."""

SUFFIXES = frozenset(
    {".parquet", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".pkl", ".pickle", ".zip"}
)
PHOTO_COLUMNS = (
    "filename", "file", "imagefile", "imagefilename", "imagename", "imgname", "imagepath",
    "imgpath", "image", "img", "photo", "path", "imageid", "imgid", "cocoid", "photoid",
)  # fmt: skip
"""Columns that name a photo, without case and divisions, the surest first."""

_PHOTO_KEY = re.compile(r"\d+|.+\.(jpe?g|png|webp|bmp|tiff?)", re.IGNORECASE)
_MAX_MEMBER = 1 << 30
Row = tuple[str, Mapping[str, Any]]


def rows_of(path: Path) -> Iterator[Row]:
    """Rows of a file, of all files of a folder, or of all members of a zip, with their places.

    Raises:
        InputError: A file cannot be read.
    """
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
        if not files:
            raise InputError(
                f"no table in {path}", f"tables are files of {', '.join(sorted(SUFFIXES))}"
            )
        for file in files:
            yield from _rows_of_file(file)
    else:
        yield from _rows_of_file(path)


def _rows_of_file(path: Path) -> Iterator[Row]:
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _parquet(path)
        elif suffix == ".json":
            yield from _json(path)
        elif suffix == ".zip":
            yield from _zip(path)
        elif suffix in (".jsonl", ".ndjson"):
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield from _as_rows(json.loads(line), f"{path}, line {number}", "")
        elif suffix in (".csv", ".tsv"):
            yield from _csv(path, "\t" if suffix == ".tsv" else ",")
        else:
            yield from _as_rows(read_pickle(path.read_bytes(), str(path)), str(path), path.stem)
    except (OSError, ValueError, RecursionError, pa.ArrowInvalid, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _parquet(path: Path) -> Iterator[Row]:
    row = 0
    with pq.ParquetFile(path) as reader:
        for batch in reader.iter_batches(batch_size=256):
            for record in batch.to_pylist():
                yield f"{path}, row {row}", record
                row += 1


def _json(path: Path) -> Iterator[Row]:
    """A list of rows, or an object with a row, or a list, for each photo."""
    key = ""
    held: list[Any] = []
    for name, row, entry in entries(path):
        if name and not is_photo_key(name):  # the columns of one photo, in a file of its own
            yield from _as_rows(json.loads(path.read_bytes()), str(path), path.stem)
            return
        if held and name != key:
            yield f"{path}, {key!r}", {KEY: key, ROWS: held}
            held = []
        if name and row >= 0:  # an element of the list of a photo
            key = name
            held.append(entry)
        else:
            yield from _as_rows(entry, f"{path}, {name!r}" if name else f"{path}, [{row}]", name)
    if held:
        yield f"{path}, {key!r}", {KEY: key, ROWS: held}


def _csv(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_MAX_MEMBER)
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, delimiter=delimiter)
        for record in table:
            row = {str(name): _cell(value) for name, value in record.items()}
            yield f"{path}, line {table.line_num}", row


def _cell(value: Any) -> Any:
    """Lists and objects that a cell holds as json."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _zip(path: Path) -> Iterator[Row]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = PurePosixPath(info.filename)
            if info.is_dir() or name.parts[0] == "__MACOSX":
                continue
            where = f"{path}, {info.filename}"
            if info.file_size > _MAX_MEMBER:
                raise InputError(f"{where} unpacks to {info.file_size / 2**20:.0f} MiB")
            if name.suffix in (".pkl", ".pickle"):
                yield from _as_rows(read_pickle(archive.read(info), where), where, name.stem)
            elif name.suffix == ".json":
                yield from _as_rows(json.loads(archive.read(info)), where, name.stem)


def is_photo_key(key: Any) -> bool:
    """Whether a key names a photo: a number, or the name of a picture's file."""
    return isinstance(key, int) or bool(_PHOTO_KEY.fullmatch(str(key)))


def _as_rows(value: Any, where: str, key: str) -> Iterator[Row]:
    """Rows of a value: one, or one for each photo of an object, or for each element of a list."""
    if isinstance(value, Mapping):
        lists = [name for name, inner in value.items() if _is_rows(inner)]
        if value and all(is_photo_key(name) for name in value):
            for name, inner in value.items():
                yield from _as_rows(inner, f"{where}, {name!r}", str(name))
        elif len(lists) == 1 and not _names_photo(value):  # {"info": ..., "data": [...]}
            for number, row in enumerate(value[lists[0]]):
                yield f"{where}, {lists[0]}[{number}]", row
        else:
            yield where, {**value, **({KEY: key} if key else {})}
    elif not isinstance(value, list | tuple):
        raise InputError(f"{where}: {type(value).__name__} where a row is expected")
    elif key and not _is_rows(value):
        yield where, {KEY: key, ROWS: list(value)}
    else:
        for number, row in enumerate(value):
            yield from _as_rows(row, f"{where}, [{number}]", "")


def _is_rows(value: Any) -> bool:
    """Whether a value is a list of objects that name their photos."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and isinstance(value[0], Mapping)
        and _names_photo(value[0])
    )


def _names_photo(row: Mapping[str, Any]) -> bool:
    return any(folded(name) in PHOTO_COLUMNS for name in row)


def folded(name: object) -> str:
    """A column's name without case and divisions: "Image_ID" is imageid."""
    return "".join(c for c in str(name).casefold() if c.isalnum())
