"""Parts: immutable folders of Parquet and vectors, written once; `part` reads them.

    photos.parquet     one row a photo, failures included, in the order of their ids
    segments.parquet   one row a segment, grouped by photo in the same order
    vectors.f16        row i belongs to row i of segments.parquet
    keys.f16           visual keys, row i as in vectors.f16 (absent when none)
    moves.parquet      photos of earlier parts that have a new path (absent when none)
    blocks.crc         checksums of the blocks of segments.parquet, then of vectors.f16

`docs/store.md` is the specification.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from usearch.errors import StoreError
from usearch.records import EmbeddingSpace, FloatArray, Segments
from usearch.store import files
from usearch.store.blocks import BlockSums
from usearch.store.files import FileSum
from usearch.store.manifest import PartEntry
from usearch.store.names import plain_text, real_name, stored_name

HalfArray = npt.NDArray[np.float16]
RowArray = npt.NDArray[np.int64]

PHOTOS, SEGMENTS, VECTORS, KEYS, MOVES, BLOCKS = (
    "photos.parquet",
    "segments.parquet",
    "vectors.f16",
    "keys.f16",
    "moves.parquet",
    "blocks.crc",
)
SEGMENTS_PER_PHOTO = 65_536
"""segment_id = photo_id * 65536 + index in the photo."""

_FEW = 32

ROW_GROUP = 1_024
"""Rows of segments that are read and unpacked together: small, for a query reads ten rows."""

PHOTO_SCHEMA = pa.schema(
    [
        pa.field("photo_id", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("root", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("hash", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("taken_at", pa.string()),
        pa.field("camera", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("n_segments", pa.int32(), nullable=False),
    ]
)
SEGMENT_SCHEMA = pa.schema(
    [
        pa.field("segment_id", pa.int64(), nullable=False),
        pa.field("photo_id", pa.int64(), nullable=False),
        *(pa.field(name, pa.float32(), nullable=False) for name in ("x0", "y0", "x1", "y1")),
        pa.field("area_share", pa.float32(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("parent", pa.int64()),
        pa.field("depth", pa.int32(), nullable=False),
        pa.field("mask_h", pa.int32(), nullable=False),
        pa.field("mask_w", pa.int32(), nullable=False),
        pa.field("rle", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """One photo as the store knows it.

    Attributes:
        path: Relative to `root`, '/' between folders, as Python's file functions take it.
        root: Absolute folder.
        bytes: Size of the file.
        mtime_ns: Its modification time, ns since 1970.
        hash: BLAKE2b of its bytes, hex; "" when they were not read.
        width: Pixels as shown (after EXIF); 0 when it could not be decoded.
        height: As `width`.
        taken_at: ISO time without zone, or None.
        camera: Model name, or None.
        status: "ok", or why it has no segments (a reason code).
        detail: One line for people; "" when ok.
        photo_id: Given by the writer; -1 before.
        n_segments: Given by the writer.
    """

    path: str
    root: str
    bytes: int
    mtime_ns: int
    hash: str
    width: int
    height: int
    taken_at: str | None
    camera: str | None
    status: str
    detail: str
    photo_id: int = -1
    n_segments: int = 0


@dataclass(frozen=True, slots=True)
class IndexedPhoto:
    """A photo with what was found in it.

    Attributes:
        photo: What is known of the file.
        segments: n segments on the mask grid (longest side at most 1,024); None when failed.
        vectors: float32 [n, D], unit length; None when failed.
        keys: float32 [n, K], visual keys, unit length; None when there are none.
    """

    photo: PhotoRow
    segments: Segments | None
    vectors: FloatArray | None
    keys: FloatArray | None = None


class SegmentRows(NamedTuple):
    """Rows of a part.

    Attributes:
        table: Of `SEGMENT_SCHEMA`.
        vectors: float16 [rows, D].
        keys: float16 [rows, K]; None: these have none.
    """

    table: pa.Table
    vectors: HalfArray
    keys: HalfArray | None = None


def photo_table(rows: Iterable[PhotoRow]) -> pa.Table:
    """Rows as the stored table; names in their stored form."""
    records = []
    for row in rows:
        record = asdict(row)
        for key in ("path", "root"):
            record[key] = stored_name(record[key])
        for key in ("hash", "taken_at", "camera", "status", "detail"):
            record[key] = None if record[key] is None else plain_text(record[key])
        records.append(record)
    return pa.Table.from_pylist(records, schema=PHOTO_SCHEMA)


def photo_rows(table: pa.Table) -> list[PhotoRow]:
    """The records of a photo table, names as Python's file functions take them."""
    names = [f.name for f in fields(PhotoRow)]
    return [
        PhotoRow(**{**r, "path": real_name(r["path"]), "root": real_name(r["root"])})
        for r in table.select(names).to_pylist()
    ]


def segment_table(photo: PhotoRow, segments: Segments) -> pa.Table:
    """Segments of one photo as the stored table; boxes in pixels of the photo as shown."""
    height, width = segments.size
    n = len(segments)
    scale = np.array([photo.width / width, photo.height / height] * 2, np.float64)
    boxes = (segments.boxes * scale).astype(np.float32)
    first = photo.photo_id * SEGMENTS_PER_PHOTO
    parents = np.asarray(segments.parents, np.int64)
    return pa.Table.from_arrays(
        [
            pa.array(np.arange(first, first + n), pa.int64()),
            pa.array(np.full(n, photo.photo_id), pa.int64()),
            *(pa.array(boxes[:, i], pa.float32()) for i in range(4)),
            pa.array(segments.areas / (height * width), pa.float32()),
            pa.array(segments.scores, pa.float32()),
            pa.array(parents + first, pa.int64(), mask=parents < 0),
            pa.array(segments.depths, pa.int32()),
            pa.array(np.full(n, height), pa.int32()),
            pa.array(np.full(n, width), pa.int32()),
            pa.array(segments.rles, pa.binary()),
        ],
        schema=SEGMENT_SCHEMA,
    )


def no_rows(schema: pa.Schema) -> pa.Table:
    """A table without rows. `Schema.empty_table` imports pandas where that is installed."""
    return pa.Table.from_batches([], schema)


def numbers(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """The values of a column of numbers without nulls.

    `to_numpy` imports pandas where that is installed, which takes longer than a query.
    """
    kind = {"float": np.float32}.get(str(column.type)) or np.dtype(str(column.type))
    chunks = [
        np.frombuffer(c.buffers()[1], kind)[c.offset : c.offset + len(c)] for c in column.chunks
    ]
    return chunks[0] if len(chunks) == 1 else np.concatenate([np.zeros(0, kind), *chunks])


def take(table: pa.Table, rows: RowArray) -> pa.Table:
    """Rows of a table, in the order asked.

    `Table.take` imports pyarrow.compute, which takes longer than the rest of a query: few
    rows, and all rows as they are, go without.
    """
    if len(rows) == len(table) and (rows == np.arange(len(rows))).all():
        return table
    if 0 < len(rows) <= _FEW:
        return pa.concat_tables([table.slice(row, 1) for row in rows.tolist()]).combine_chunks()
    return table.take(pa.array(rows))


def write_part(
    store: Path,
    version: int,
    *,
    photos: pa.Table,
    segments: Iterable[SegmentRows],
    moves: pa.Table | None = None,
    keys: EmbeddingSpace | None = None,
) -> PartEntry:
    """Write a part; durable when this returns, part of the store once a manifest names it.

    Args:
        store: The store's folder.
        version: Version that will commit it; only makes the name readable.
        photos: Rows of `PHOTO_SCHEMA`, sorted by photo_id.
        segments: Chunks of rows, in order.
        moves: Rows of `PHOTO_SCHEMA` that replace those of earlier parts.
        keys: Space of the keys, which rows without one have as zeros; None writes no keys.
    """
    name = f"{version:08d}-{secrets.token_hex(4)}"
    folder = store / "parts" / name
    files.make_folder(folder)
    try:
        sums = {PHOTOS: _write_parquet(folder / PHOTOS, PHOTO_SCHEMA, [photos])}
        n = 0
        blocks = {SEGMENTS: BlockSums(), VECTORS: BlockSums()}
        with ExitStack() as outs:
            vectors = outs.enter_context(files.Output(folder / VECTORS, blocks[VECTORS].add))
            seen = outs.enter_context(files.Output(folder / KEYS)) if keys is not None else None

            def tables() -> Iterator[pa.Table]:
                nonlocal n
                for rows in segments:
                    n += len(rows.table)
                    vectors.write(np.ascontiguousarray(rows.vectors, "<f2"))
                    if seen is not None and keys is not None:
                        none = np.zeros((len(rows.table), keys.dim), "<f2")
                        half = none if rows.keys is None else rows.keys
                        seen.write(np.ascontiguousarray(half, "<f2"))
                    yield rows.table

            sums[SEGMENTS] = _write_parquet(
                folder / SEGMENTS, SEGMENT_SCHEMA, tables(), blocks[SEGMENTS].add
            )
        sums[VECTORS] = vectors.sum
        if seen is not None:
            sums[KEYS] = seen.sum
        every = [blocks[name].found().tobytes() for name in (SEGMENTS, VECTORS)]
        sums[BLOCKS] = files.write_file(folder / BLOCKS, b"".join(every))
        if moves is not None and len(moves):
            sums[MOVES] = _write_parquet(folder / MOVES, PHOTO_SCHEMA, [moves])
        files.sync_folder(folder)
    except BaseException:
        discard(folder)
        raise
    return PartEntry(
        id=name,
        photos=len(photos),
        segments=n,
        moves=0 if moves is None else len(moves),
        files=sums,
        keys=None if keys is None else replace(keys, made_by={}),
    )


def discard(folder: Path) -> None:
    """Remove a part that no manifest names; what resists is left to the next writer."""
    try:
        files.remove_folder(folder)
    except (StoreError, OSError):
        return


def _write_parquet(
    path: Path,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    also: Callable[[memoryview], None] | None = None,
) -> FileSum:
    dictionary = [n for n in ("root", "camera", "status") if n in schema.names]
    with (
        files.Output(path, also) as out,
        pq.ParquetWriter(out, schema, compression="zstd", use_dictionary=dictionary) as writer,
    ):
        for table in _regroup(tables, schema):
            writer.write_table(table, row_group_size=ROW_GROUP)
    return out.sum


def _regroup(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of whole row groups, so that small photos share one."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += len(table)
        if rows >= ROW_GROUP:
            joined = pa.concat_tables(held).combine_chunks()
            whole = rows - rows % ROW_GROUP
            yield joined.slice(0, whole)
            held, rows = [joined.slice(whole)], rows - whole
    yield pa.concat_tables(held) if held else no_rows(schema)
