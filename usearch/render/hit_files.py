"""Hits as files: a Parquet table, and COCO json. docs/formats.md is the contract."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.errors import UsageError
from usearch.result_files import new_file

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.records import FloatArray


def write_hits_parquet(
    path: str | PathLike[str],
    answers: Sequence[Answer],
    vectors: FloatArray | None = None,
    *,
    force: bool = False,
) -> int:
    """Write hits as a table, one row a hit: the question, then the columns of `Hits.to_arrow`.

    Args:
        path: The file.
        answers: At least one; a question without a hit adds no row.
        vectors: float32 [n, D] of all hits in order, for a column `vector`.
        force: Replace a file that is there.

    Returns:
        How many rows were written.

    Raises:
        InputError: The file exists, or cannot be written.
        UsageError: There are not as many vectors as hits.
    """
    import pyarrow as pa

    from usearch.exports.parquet import parquet_writer, vector_column, vector_field, with_facts
    from usearch.render.safe_text import json_name

    asked = [json_name(answer.question) for answer in answers for _ in answer.hits]
    table = pa.concat_tables([answer.hits.to_arrow() for answer in answers])
    table = table.add_column(0, pa.field("question", pa.string()), pa.array(asked, pa.string()))
    if vectors is not None:
        if len(vectors) != len(table):
            raise UsageError(f"{len(vectors)} vectors for {len(table)} hits")
        table = table.append_column(vector_field(vectors.shape[1]), vector_column(vectors))
    questions = [
        {"question": json_name(answer.question), "cutoff": answer.cutoff} for answer in answers
    ]
    table = table.cast(with_facts(table.schema, "usearch.hits/1", {"questions": questions}))
    with new_file(Path(path), force=force) as out, parquet_writer(out, table.schema) as writer:
        writer.write_table(table)
    return len(table)


def write_hits_coco(
    path: str | PathLike[str], answers: Sequence[Answer], *, force: bool = False
) -> int:
    """Write hits as COCO json: a category for each question, masks in pixels of the photos.

    Args:
        path: The file.
        answers: At least one.
        force: Replace a file that is there.

    Returns:
        How many annotations were written.

    Raises:
        InputError: The file exists, or cannot be written.
    """
    from usearch.exports.coco import write_coco
    from usearch.exports.sources import FoundSegments

    with new_file(Path(path), force=force) as out:
        return write_coco(out, FoundSegments(answers))
