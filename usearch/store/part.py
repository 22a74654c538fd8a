"""Reading a part: mapped files, checked before their first use, parsed when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from usearch.errors import StoreError
from usearch.store import files
from usearch.store.blocks import CheckedBytes, count_of
from usearch.store.manifest import PartEntry
from usearch.store.parts import (
    BLOCKS,
    KEYS,
    MOVES,
    PHOTO_SCHEMA,
    PHOTOS,
    SEGMENT_SCHEMA,
    SEGMENTS,
    VECTORS,
    HalfArray,
    RowArray,
    no_rows,
    numbers,
    take,
)

_DIFFERS = "its checksum is wrong"
_FEW_GROUPS = 0.25
"""Up to this share of the row groups is read alone."""


class Part:
    """A part that a reader holds: mapped at construction, so it outlives its removal.

    Raises:
        FileNotFoundError: A file is gone (the reader's manifest is old, or the part damaged).
        StoreError: A file has another size than the manifest says.
    """

    def __init__(self, store: Path, entry: PartEntry, dim: int) -> None:
        # Versions share this object; which photos are removed differs between them.
        self.entry = replace(entry, removed=())
        self.folder = store / "parts" / entry.id
        self._store = store
        self._verified: set[str] = set()
        self._columns: dict[str, npt.NDArray[np.generic]] = {}
        self._bytes = {name: files.map_file(self.folder / name) for name in entry.files}
        for name, data in self._bytes.items():
            if len(data) != entry.files[name].size:
                raise self.damaged(
                    name, f"it has {len(data):,} bytes, not {entry.files[name].size:,}"
                )
        if PHOTOS not in self._bytes or SEGMENTS not in self._bytes or VECTORS not in self._bytes:
            raise self.damaged("", "its entry in the manifest lacks a file")
        if entry.files[VECTORS].size != 2 * dim * entry.segments:
            raise self.damaged(VECTORS, f"it does not hold {entry.segments:,} x {dim} values")
        self.vectors: HalfArray = self._bytes[VECTORS].view("<f2").reshape(entry.segments, dim)
        self.keys: HalfArray | None = None
        if entry.keys is not None:
            width = entry.keys.dim
            if KEYS not in entry.files or entry.files[KEYS].size != 2 * width * entry.segments:
                raise self.damaged(KEYS, f"it does not hold {entry.segments:,} x {width} values")
            self.keys = self._bytes[KEYS].view("<f2").reshape(entry.segments, width)

    def damaged(self, name: str, why: str) -> StoreError:
        """The error for a file of this part."""
        return _damaged(self._store, self.folder / name, why)

    def verify(self, name: str) -> None:
        """Compare a file with its checksum, once in the life of this object.

        Raises:
            StoreError: It differs.
        """
        if name in self._verified:
            return
        if files.crc32(self._bytes[name]) != self.entry.files[name].crc32:
            raise self._differs(name)
        self._verified.add(name)
        if name in self._blocks:
            self._blocks[name].trust()

    def verify_vectors(self, rows: RowArray) -> None:
        """Compare with their checksums the blocks that hold the vectors of rows, int64.

        Raises:
            StoreError: One differs.
        """
        if VECTORS in self._verified:
            return
        if VECTORS not in self._blocks:
            self.verify(VECTORS)
        elif not self._blocks[VECTORS].rows_intact(rows, 2 * self.vectors.shape[1]):
            raise self._differs(VECTORS)

    @cached_property
    def _blocks(self) -> dict[str, CheckedBytes]:
        """The files that have checksums for their blocks."""
        if BLOCKS not in self._bytes:
            return {}
        self.verify(BLOCKS)
        sizes = {name: self.entry.files[name].size for name in (SEGMENTS, VECTORS)}
        counts = [count_of(size) for size in sizes.values()]
        if self.entry.files[BLOCKS].size != 4 * sum(counts):
            raise self.damaged(BLOCKS, "it is of other files")
        sums = np.split(self._bytes[BLOCKS].view("<u4"), [counts[0]])
        return {n: CheckedBytes(self._bytes[n], s) for n, s in zip(sizes, sums, strict=True)}

    def _differs(self, name: str) -> StoreError:
        return self.damaged(name, _DIFFERS)

    @cached_property
    def photos(self) -> pa.Table:
        """All rows of photos.parquet."""
        return self._read(PHOTOS, PHOTO_SCHEMA, self.entry.photos)

    @cached_property
    def moves(self) -> pa.Table:
        """All rows of moves.parquet."""
        if MOVES not in self._bytes:
            return no_rows(PHOTO_SCHEMA)
        return self._read(MOVES, PHOTO_SCHEMA, self.entry.moves)

    def segments(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of segments.parquet, or some columns of them."""
        return self._read(SEGMENTS, SEGMENT_SCHEMA, self.entry.segments, columns)

    def segments_at(self, rows: RowArray) -> pa.Table:
        """Some rows of segments.parquet, in the order asked; only their row groups are read."""
        file, starts = self._segments_file
        group_of = np.searchsorted(starts, rows, side="right") - 1
        groups = np.flatnonzero(np.bincount(group_of))  # np.unique imports numpy.ma
        position = np.searchsorted(groups, group_of)
        try:
            table = file.read_row_groups(groups.tolist(), use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise self.damaged(SEGMENTS, str(error)) from error
        lengths = starts[groups + 1] - starts[groups]
        before = np.cumsum(lengths) - lengths
        return take(table, before[position] + rows - starts[group_of])

    def column(self, name: str, rows: RowArray | None = None) -> npt.NDArray[np.generic]:
        """A column of numbers of segments.parquet, -1 where it is null.

        All of a column is kept: who filters once filters again. Few rows are read alone.

        Args:
            name: Of the columns of `SEGMENT_SCHEMA`.
            rows: int64, ascending; None = all.
        """
        if name in self._columns:
            found = self._columns[name]
        else:
            file, starts = self._segments_file
            if rows is not None:
                groups = np.flatnonzero(np.bincount(np.searchsorted(starts, rows, "right") - 1))
                if len(groups) <= _FEW_GROUPS * (len(starts) - 1):
                    lengths = starts[groups + 1] - starts[groups]
                    before = np.cumsum(lengths) - lengths
                    group_of = np.searchsorted(starts[groups], rows, "right") - 1
                    some = self._numbers(file, name, groups.tolist())
                    inside: npt.NDArray[np.generic] = some[
                        rows - starts[groups][group_of] + before[group_of]
                    ]
                    return inside
            found = self._columns[name] = self._numbers(file, name, None)
        return found if rows is None else found[rows]

    def _numbers(self, file: Any, name: str, groups: list[int] | None) -> npt.NDArray[np.generic]:
        every = range(file.num_row_groups) if groups is None else groups
        try:
            read = file.read_row_groups(list(every), columns=[name], use_threads=False)[name]
        except (pa.ArrowException, OSError) as error:
            raise self.damaged(SEGMENTS, str(error)) from error
        if read.null_count:
            import pyarrow.compute as pc

            read = pc.fill_null(read, -1)
        values: npt.NDArray[np.generic] = numbers(read)
        return values

    @cached_property
    def _segments_file(self) -> tuple[Any, RowArray]:
        """The opened file, and the first row of each row group with the end behind."""
        file = self._checked(SEGMENTS, SEGMENT_SCHEMA, self.entry.segments)
        lengths = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        return file, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))

    def _checked(self, name: str, schema: pa.Schema, rows: int) -> Any:
        """The opened Parquet file, if it is what the manifest and the format say."""
        try:
            # No threads of Arrow's own: one that outlives the interpreter aborts the process.
            file = pq.ParquetFile(self._source(name), pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise self.damaged(name, str(error)) from error
        found = file.schema_arrow
        if found.names != schema.names or found.types != schema.types:
            raise self.damaged(name, "its columns are not those of this format")
        if file.metadata.num_rows != rows:
            raise self.damaged(name, f"it has {file.metadata.num_rows:,} rows, not {rows:,}")
        return file

    def _source(self, name: str) -> Any:
        """What Arrow reads a file from: checked as a whole, or block by block as it is read."""
        if name in self._verified or name not in self._blocks:
            self.verify(name)
            return pa.py_buffer(self._bytes[name])
        # Arrow's side of it is hidden from the garbage collector: no way back to this object.
        differs = partial(_damaged, self._store, self.folder / name, _DIFFERS)
        return pa.PythonFile(_BlockFile(self._blocks[name], differs), "r")

    def _read(
        self, name: str, schema: pa.Schema, rows: int, columns: Sequence[str] | None = None
    ) -> pa.Table:
        file = self._checked(name, schema, rows)
        try:
            names = None if columns is None else list(columns)
            return file.read(columns=names, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise self.damaged(name, str(error)) from error


def _damaged(store: Path, file: Path, why: str) -> StoreError:
    return StoreError(
        f"{file} is damaged: {why}",
        f"run `usearch rebuild --store {store}`, then index the photos again",
    )


class _BlockFile:
    """A mapped file as Arrow reads files, each block checked before its first use."""

    closed = False

    def __init__(self, checked: CheckedBytes, differs: Callable[[], StoreError]) -> None:
        self._checked = checked
        self._differs = differs
        self._at = 0

    def read(self, n: int = -1) -> bytes:
        """The next n bytes, or the rest.

        Raises:
            StoreError: They are not what was written.
        """
        size = len(self._checked.data)
        stop = size if n < 0 else min(size, self._at + n)
        if not self._checked.intact(self._at, stop):
            raise self._differs()
        found = self._checked.data[self._at : stop].tobytes()
        self._at = stop
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        self._at = offset + (0, self._at, len(self._checked.data))[whence]
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Nothing: the map belongs to the part."""
