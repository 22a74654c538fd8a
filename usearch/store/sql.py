"""SQL over a snapshot: DuckDB in memory over two views, closed to everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from usearch.store import parts as part_files

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot

_SEGMENTS = [name for name in part_files.SEGMENT_SCHEMA.names if name != "rle"]


def connect(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    """A connection with the views `photos` and `segments` over the live rows.

    `segments` has a column `row`, which `Snapshot.search(allowed=...)` takes, and no `rle`.
    Files, extensions and settings are closed to it.
    """
    # Tables are handed over in memory: whatever a filter says, there is no file to open.
    connection = duckdb.connect(":memory:", config={"threads": "1"})
    connection.register("photos", snapshot.photos())
    connection.register("segments", _segment_rows(snapshot))
    for setting in (
        "enable_external_access=false",
        "python_enable_replacements=false",
        "lock_configuration=true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _segment_rows(snapshot: Snapshot) -> pa.Table:
    schema = pa.schema([part_files.SEGMENT_SCHEMA.field(n) for n in _SEGMENTS])
    table = pa.concat_tables(
        [schema.empty_table()] + [p.segments(_SEGMENTS) for p in snapshot.parts]
    )
    rows = np.arange(len(table), dtype=np.int64)
    table = table.add_column(0, "row", pa.array(rows))
    live = snapshot.live_rows()
    return table if len(live) == len(table) else table.take(pa.array(live))
