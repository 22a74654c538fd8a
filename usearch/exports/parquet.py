"""Parquet: one row a segment, plain columns, and the vectors as a fixed-size list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from usearch.exports.sources import Progress, StoredSegments
from usearch.records import FloatArray

_ROW_GROUP = 16_384

_COLUMNS = pa.schema(
    [
        ("segment_id", pa.int64()),
        ("photo_id", pa.int64()),
        ("image", pa.string()),
        ("root", pa.string()),
        ("path", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("x0", pa.float32()),
        ("y0", pa.float32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("area_share", pa.float32()),
        ("segmenter_score", pa.float32()),
        ("parent", pa.int64()),
        ("depth", pa.int32()),
        ("taken_at", pa.string()),
        ("camera", pa.string()),
        ("mask_h", pa.int32()),
        ("mask_w", pa.int32()),
        ("rle", pa.binary()),
    ]
)


def write_parquet(
    out: IO[bytes],
    source: StoredSegments,
    *,
    vectors: bool = True,
    progress: Progress | None = None,
) -> int:
    """Write segments of a store as a table; masks stay on their grid.

    Args:
        out: Where to.
        source: What to write.
        vectors: With the column `vector`, a list of D float32 of unit length.
        progress: Told how many segments are written.

    Returns:
        How many segments were written.
    """
    snapshot = source.snapshot
    schema = _COLUMNS
    if vectors:
        schema = schema.append(vector_field(snapshot.space.dim))
    facts = {
        "preset": snapshot.preset,
        "space": {"id": snapshot.space.id, "name": snapshot.space.name},
        "store": snapshot.manifest.store_id,
        "version": snapshot.version,
    }
    schema = with_facts(schema, "usearch.segments/1", facts)
    written = 0
    with parquet_writer(out, schema) as writer:
        for rows, table in _tables(source):
            if vectors:
                column = vector_column(snapshot.vectors(rows))
                table = table.append_column(schema.field("vector"), column)
            writer.write_table(table.cast(schema), row_group_size=_ROW_GROUP)
            written += len(table)
            if progress is not None:
                progress(written)
    return written


def _tables(source: StoredSegments) -> Iterator[tuple[Any, pa.Table]]:
    photos = source.snapshot.photos()
    ids = photos["photo_id"].to_numpy()
    for start in range(0, len(source.rows), _ROW_GROUP):
        rows = source.rows[start : start + _ROW_GROUP]
        found = source.snapshot.stored_segments(rows)
        owner = photos.take(pa.array(np.searchsorted(ids, found["photo_id"].to_numpy())))
        columns = {name: found[name] for name in found.column_names}
        columns |= {name: owner[name] for name in _OF_PHOTO}
        columns["segmenter_score"] = found["score"]
        names = zip(owner["root"].to_pylist(), owner["path"].to_pylist(), strict=True)
        columns["image"] = pa.array([f"{root.rstrip('/')}/{path}" for root, path in names])
        yield rows, pa.table({name: columns[name] for name in _COLUMNS.names})


_OF_PHOTO = ("root", "path", "width", "height", "taken_at", "camera")


def vector_field(dim: int) -> pa.Field:
    """The column of vectors: a list of fixed size, as viewers and databases take it."""
    return pa.field("vector", pa.list_(pa.float32(), dim))


def vector_column(vectors: FloatArray) -> pa.FixedSizeListArray:
    """Vectors, float32 [n, D], as a column."""
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def with_facts(schema: pa.Schema, name: str, facts: dict[str, Any]) -> pa.Schema:
    """The schema with a note in the file's metadata on what the rows are, as JSON."""
    return schema.with_metadata({"usearch": json.dumps({"schema": name, **facts})})


def parquet_writer(out: IO[bytes], schema: pa.Schema) -> pq.ParquetWriter:
    """A writer with the compression of the store; columns that repeat are dictionaries."""
    repeated = [n for n in ("question", "matched", "image", "root", "path", "camera", "taken_at")
                if n in schema.names]  # fmt: skip
    return pq.ParquetWriter(out, schema, compression="zstd", use_dictionary=repeated)
