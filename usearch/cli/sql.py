"""`usearch sql`: free SQL over a store, read-only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import is_terminal, json_result, note, result, terminal, write_bytes
from usearch.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa


def sql(
    statement: Annotated[
        str, typer.Argument(metavar="SQL", help="One statement that reads; - reads it from stdin.")
    ],
    store: StoreOption = None,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", help="The most rows on a terminal; 0 = all.")
    ] = 40,
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            metavar="SECONDS",
            help="Stop a statement that takes longer. Without it: as long as it likes.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a row.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, names of columns first.")] = False,
    parquet: Annotated[
        Path | None,
        typer.Option("--parquet", metavar="FILE", help="Write a Parquet file.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Ask a store in SQL.

    \b
    usearch sql "select camera, count(*) from photos group by camera"
    usearch sql "select path, x0, y0, x1, y1 from segments join photos using (photo_id)
                 where area_share > 0.5" --csv > large.csv

    Two tables, photos and segments; `usearch sql "describe segments"` lists the columns. The
    SQL is DuckDB's. It reads, and it sees nothing but the two tables: no files, no settings,
    no extensions.

    On a terminal: a table. Otherwise one line a row, separated by tabs.
    """
    if sum((json, jsonl, csv, parquet is not None)) > 1:
        raise UsageError("--json, --jsonl, --csv and --parquet exclude each other")
    if rows < 0:
        raise UsageError(f"--rows {rows}: at least 0")
    if time_limit is not None and not 0 < time_limit < _LONGEST:
        raise UsageError(f"--time-limit {time_limit:g}: a number of seconds above 0")
    text = _statement(statement)
    from usearch.render.rows import csv_rows, distinct
    from usearch.result_files import refuse_existing
    from usearch.store import open_snapshot
    from usearch.store.sql import select

    if parquet is not None:
        refuse_existing(parquet, force=force)
    connection = open_snapshot(chosen_store(store)).connect()
    schema, batches = select(connection, text, seconds=time_limit)
    names = distinct(schema.names)
    if parquet is not None:
        _write_parquet(parquet, schema, names, batches, force)
    elif json:
        columns = [{"name": n, "type": str(t)} for n, t in zip(names, schema.types, strict=True)]
        json_result("sql", {"columns": columns, "rows": list(_plain_rows(batches))})
    elif jsonl:
        _print_objects(names, batches)
    elif csv:
        for line in csv_rows(names, _rows(batches)):
            write_bytes(f"{line}\r\n".encode("utf-8", "backslashreplace"))
    elif is_terminal():
        _print_table(names, batches, rows)
    else:
        _print_lines(batches)


_LONGEST = 1e6


def _statement(argument: str) -> str:
    if argument != "-":
        return argument
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("- reads the statement from stdin", 'echo "select 1" | usearch sql -')
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise UsageError("stdin is not valid UTF-8 text") from error


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[list[Any]]:
    for batch in batches:
        columns = [column.to_pylist() for column in batch.columns]
        for i in range(batch.num_rows):
            yield [column[i] for column in columns]


def _plain_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[list[Any]]:
    from usearch.render.rows import plain

    for row in _rows(batches):
        yield [plain(value) for value in row]


def _print_objects(names: list[str], batches: Iterator[pa.RecordBatch]) -> None:
    import json

    for row in _plain_rows(batches):
        sys.stdout.write(json.dumps(dict(zip(names, row, strict=True)), allow_nan=False) + "\n")


def _print_lines(batches: Iterator[pa.RecordBatch]) -> None:
    from usearch.render.rows import cell
    from usearch.render.safe_text import printable

    for row in _rows(batches):
        result("\t".join(printable(cell(value)) for value in row))


def _print_table(names: list[str], batches: Iterator[pa.RecordBatch], most: int) -> None:
    from itertools import islice

    from usearch.render.tables import value_table

    every = _rows(batches)
    shown = list(islice(every, most)) if most else list(every)
    terminal().print(value_table(names, shown))
    if most and next(every, None) is not None:
        note(f"only the first {most} rows are shown; --rows 0 shows all")


def _write_parquet(
    path: Path,
    schema: pa.Schema,
    names: list[str],
    batches: Iterator[pa.RecordBatch],
    force: bool,
) -> None:
    """Write rows as they come; the file is there when it is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from usearch.errors import InputError
    from usearch.result_files import new_file

    # Arrow's names may be the same twice, Parquet's readers stumble over that.
    named = pa.schema([field.with_name(n) for field, n in zip(schema, names, strict=True)])
    count = 0
    try:
        with (
            new_file(path, force=force) as out,
            pq.ParquetWriter(out, named, compression="zstd") as writer,
        ):
            for batch in batches:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=named))
                count += batch.num_rows
    except pa.ArrowException as error:
        raise InputError(f"cannot write {path}: {error}", "cast the column in the SQL") from error
    note(f"{count:,} rows in {path}")
