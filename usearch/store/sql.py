"""SQL over a snapshot: DuckDB in memory over two views, closed to everything else.

Tables are handed over in memory, so whatever a statement says, there is no file to open. The
connection refuses files, extensions and settings, and `select` refuses all that is not one
SELECT before DuckDB runs any of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from usearch.errors import ResourceError, UsageError
from usearch.store import parts as part_files

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot

_SEGMENTS = [name for name in part_files.SEGMENT_SCHEMA.names if name != "rle"]
_LOCKED = (
    "enable_external_access=false",
    "python_enable_replacements=false",
    "lock_configuration=true",
)
LONGEST = 1_000_000
"""Characters of a statement."""

_BATCH = 65_536


def connect(snapshot: Snapshot, *, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A connection with the views `photos` and `segments` over the live rows.

    `segments` has a column `row`, which `Snapshot.search(allowed=...)` takes, and no `rle`.
    Files, extensions and settings are closed to it.
    """
    connection = duckdb.connect(":memory:", config={"threads": str(threads), "temp_directory": ""})
    connection.register("photos", snapshot.photos())
    connection.register("segments", _segment_rows(snapshot))
    for setting in _LOCKED:
        connection.execute(f"SET {setting}")
    return connection


def select(
    connection: duckdb.DuckDBPyConnection, sql: str, *, seconds: float | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows of one statement that reads, in batches as they are asked for.

    Args:
        connection: From `connect`.
        sql: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE or EXPLAIN.
        seconds: How long it may take until the last row; None = as long as it likes.

    Raises:
        UsageError: No such statement, or DuckDB refuses it; `excerpt` shows the place.
        ResourceError: It takes too long or too much memory (also while rows are read).
    """
    _require_select(sql)
    clock = _Clock(connection, seconds)
    with clock.explained():
        reader = _reader(connection.sql(sql))
    return reader.schema, _batches(reader, clock)


def _reader(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    if hasattr(relation, "to_arrow_reader"):
        return relation.to_arrow_reader(_BATCH)
    return relation.fetch_arrow_reader(_BATCH)  # DuckDB before 1.4


def _batches(reader: pa.RecordBatchReader, clock: _Clock) -> Iterator[pa.RecordBatch]:
    try:
        while True:
            with clock.explained():
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
            yield batch
    finally:
        clock.stop()


class _Clock:
    """Interrupts a statement when its time is over, and says so."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: float | None) -> None:
        self._connection = connection
        self._seconds = seconds
        self._late = False
        self._timer: threading.Timer | None = None
        if seconds is not None:
            self._timer = threading.Timer(seconds, self._interrupt)
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        """The statement is done."""
        if self._timer is not None:
            self._timer.cancel()

    def _interrupt(self) -> None:
        self._late = True
        self._connection.interrupt()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """DuckDB's errors as ours."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, RuntimeError, OSError) as error:
            self.stop()
            if self._late:
                raise ResourceError(
                    f"the statement took longer than {self._seconds:g} s",
                    "allow more with --time-limit, or ask for less",
                ) from error
            raise _ours(error) from error


def _require_select(sql: str) -> None:
    """Refuse all but one statement that reads."""
    if len(sql) > LONGEST:
        raise UsageError(f"the statement has {len(sql):,} characters; {LONGEST:,} are the limit")
    try:
        sql.encode()
        statements = duckdb.extract_statements(sql)
    except UnicodeEncodeError:
        raise UsageError("the statement is not valid UTF-8 text") from None
    except duckdb.Error as error:
        raise _ours(error) from error
    if not statements:
        raise UsageError("there is no statement", 'usearch sql "select count(*) from segments"')
    if len(statements) > 1:
        raise UsageError(
            f"{len(statements)} statements; one can be run", "leave out what follows ;"
        )
    kind = statements[0].type
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise UsageError(
            f"{kind.name} is refused: only statements that read are run",
            "SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE or EXPLAIN",
        )


def _ours(error: Exception) -> UsageError | ResourceError:
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
        return ResourceError("the statement needs more memory than there is", "ask for fewer rows")
    message, _, rest = str(error).partition("\n")
    hints, _, place = rest.partition("LINE ")
    excerpt = f"LINE {place}" if place else ""
    return UsageError(f"SQL: {message}", " ".join(hints.split()), excerpt)


def _segment_rows(snapshot: Snapshot) -> pa.Table:
    schema = pa.schema([part_files.SEGMENT_SCHEMA.field(n) for n in _SEGMENTS])
    table = pa.concat_tables(
        [part_files.no_rows(schema)] + [p.segments(_SEGMENTS) for p in snapshot.parts]
    )
    rows = np.arange(len(table), dtype=np.int64)
    table = table.add_column(0, "row", pa.array(rows))
    return table if snapshot.alive.all() else table.filter(pa.array(snapshot.alive))
