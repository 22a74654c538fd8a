"""Reading: one version of a store, held for as long as the reader likes.

Opening reads the manifest and maps the files of its parts; nothing is parsed and no lock is
taken. Mapped files outlive their removal, so a writer that commits, compacts or removes
never changes what a snapshot sees.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from usearch.errors import StoreError, StoreNotFound, UsageError
from usearch.records import EmbeddingSpace, FloatArray
from usearch.store import gpu
from usearch.store import manifest as manifests
from usearch.store import parts as part_files
from usearch.store.manifest import IndexEntry, Manifest
from usearch.store.part import Part
from usearch.store.parts import HalfArray, PhotoRow, RowArray
from usearch.store.photos import photo_rows_in, placed_photos
from usearch.store.vectors import (
    Block,
    BoolArray,
    Found,
    checked_queries,
    merge,
    search_blocks,
    search_rows,
)

if TYPE_CHECKING:
    import duckdb

    from usearch.store.lists import Lists

_FEW = 4_096
"""Up to so many allowed rows are gathered and scored directly."""


def find_store(start: Path | None = None) -> Path:
    """The nearest `.usearch` from a folder (default: the current one) upwards.

    Raises:
        StoreNotFound: There is none.
    """
    folder = Path.cwd() if start is None else Path(start).absolute()
    for candidate in (folder, *folder.parents):
        store = candidate / ".usearch"
        # Not Path.exists, which raises where a folder above may not be searched.
        if any(os.path.exists(store / name) for name in (manifests.NAME, manifests.PREVIOUS)):  # noqa: PTH110
            return store
    raise StoreNotFound(
        f"no store in {folder} or above it",
        "make one with `usearch index FOLDER`, or name one with --store",
    )


def open_snapshot(path: Path, *, device: str = "cpu") -> Snapshot:
    """The newest version of a store.

    Args:
        path: The store's folder.
        device: "cpu", or "cuda" / "cuda:N" to score on a GPU (needs faiss-gpu).

    Raises:
        StoreNotFound: There is no store.
        StoreError: It is damaged or of a newer format.
    """
    path = Path(path).absolute()
    gpu.device_number(device)
    seen = -1
    while True:
        found = manifests.read(path)
        try:
            return Snapshot(path, found, device=device)
        except FileNotFoundError as error:
            # A writer may have merged this part away after the manifest was read. If the
            # manifest is still the same one, the part is really missing.
            if found.version == seen:
                raise StoreError(
                    f"{error.filename} is missing",
                    f"run `usearch rebuild --store {path}`, then index the photos again",
                ) from error
            seen = found.version


class Snapshot:
    """One version of a store, read-only.

    A *row* is the position of a segment in this version: parts one after the other, rows of
    removed photos included (they are never returned). Rows mean nothing in another version;
    segment ids do.

    Attributes:
        path: The store's folder.
        manifest: What this version is made of.
        warnings: What was wrong and could be lived with, one line each.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        known: Sequence[Part] = (),
        *,
        device: str = "cpu",
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.device = device
        self.warnings = list(manifest.warnings)
        self._searched = False
        held = {part.entry.id: part for part in known}
        self.parts = [
            held[entry.id] if entry.id in held else Part(path, entry, manifest.space.dim)
            for entry in manifest.parts
        ]
        sizes = [entry.segments for entry in manifest.parts]
        self.offsets: RowArray = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))

    @property
    def version(self) -> int:
        """Number of the commit that made it; grows by one each time."""
        return self.manifest.version

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return self.manifest.space

    @property
    def preset(self) -> str:
        """Name of the preset that indexed it."""
        return self.manifest.preset

    @property
    def segmenter(self) -> str:
        """Name of the segmenter that cut it."""
        return self.manifest.segmenter

    @property
    def segmenter_settings(self) -> dict[str, Any]:
        """Settings of the segmenter."""
        return self.manifest.segmenter_settings

    @property
    def n_photos(self) -> int:
        """Photos, failed ones included, removed ones not."""
        return sum(e.photos - len(e.removed) for e in self.manifest.parts)

    @property
    def n_segments(self) -> int:
        """Segments of the photos that are there."""
        return sum(e.segments - e.dead_rows for e in self.manifest.parts)

    def live_rows(self) -> RowArray:
        """All rows that are there, int64, ascending."""
        return np.flatnonzero(self.alive).astype(np.int64)

    def photos(self) -> pa.Table:
        """Photos that are there, by id: all columns of `PhotoRow`, names in stored form."""
        return self._photos

    def photo_records(self) -> list[PhotoRow]:
        """Photos that are there, by id, names as Python's file functions take them."""
        return part_files.photo_rows(self._photos)

    def rows_of_photo(self, photo_id: int) -> RowArray:
        """Rows of a photo's segments, int64, in the order of their ids.

        Raises:
            UsageError: No such photo in this version.
        """
        ids, first, counts = self._places
        at = int(np.searchsorted(ids, photo_id))
        if at == len(ids) or ids[at] != photo_id:
            raise UsageError(f"no photo {photo_id} in this version of {self.path}")
        return np.arange(first[at], first[at] + counts[at], dtype=np.int64)

    def photos_of_part(self, at: int) -> tuple[RowArray, RowArray]:
        """Of a part's photos: places in `photos()` (-1: removed) and numbers of segments."""
        part, known = self.parts[at], self._photo_places[1]
        ids = part_files.numbers(part.photos["photo_id"])
        place = np.searchsorted(known, ids)
        there = place < len(known)
        there[there] = known[place[there]] == ids[there]
        counts = part_files.numbers(part.photos["n_segments"]).astype(np.int64)
        return np.where(there, place, -1), counts

    def segments(self, rows: RowArray) -> pa.Table:
        """Segments of rows, in their order.

        Returns:
            Columns segment_id, photo_id, path, root, width, height, x0, y0, x1, y1 (pixels of
            the photo as shown), area_share, score, parent, depth, mask_h, mask_w, rle.
        """
        found = self.stored_segments(self._checked_rows(rows))
        source, ids, place = self._photo_places
        owner = place[np.searchsorted(ids, part_files.numbers(found["photo_id"]))]
        photos = part_files.take(source.select(["path", "root", "width", "height"]), owner)
        for i, name in enumerate(photos.column_names):
            found = found.add_column(2 + i, photos.schema.field(name), photos[name])
        return found

    def stored_segments(self, rows: RowArray) -> pa.Table:
        """Rows of segments.parquet, in the order asked, removed rows not refused."""
        part_of = np.searchsorted(self.offsets, rows, side="right") - 1
        tables, places = [part_files.no_rows(part_files.SEGMENT_SCHEMA)], [np.zeros(0, np.int64)]
        for at in np.flatnonzero(np.bincount(part_of)):
            place = np.flatnonzero(part_of == at)
            tables.append(self.parts[at].segments_at(rows[place] - self.offsets[at]))
            places.append(place)
        back = np.empty(len(rows), np.int64)
        back[np.concatenate(places)] = np.arange(len(rows))
        return part_files.take(pa.concat_tables(tables), back)

    def vectors(self, rows: RowArray) -> FloatArray:
        """Vectors of rows, float32 [n, D], in their order."""
        return self.gather(self._checked_rows(rows)).astype(np.float32)

    def search(
        self,
        queries: FloatArray,
        k: int,
        allowed: RowArray | None = None,
        *,
        exact: bool = False,
    ) -> tuple[FloatArray, RowArray]:
        """The segments nearest to each query.

        Args:
            queries: float32 [q, D].
            k: How many; at least 1.
            allowed: Rows among which to search, int64; None = all. Exact, whatever they are.
            exact: Search all rows even where an index covers them.

        Returns:
            Cosines float32 [q, k'] and rows int64 [q, k'], best first, k' = min(k, rows there).

        Raises:
            UsageError: k below 1, queries of another dimension or not finite.
            StoreError: A vector file is damaged.
        """
        queries = checked_queries(queries, self.space.dim)
        if k < 1:
            raise UsageError(f"{k} results were asked for", "ask for at least 1")
        if allowed is None:
            cosines, found = self._search_all(queries, k, exact=exact)
            self._searched = True
        else:
            cosines, found = self._search_allowed(queries, k, allowed)
        # Rounding to half precision makes some vectors a little longer than 1.
        return np.clip(cosines, -1.0, 1.0), found

    def _search_allowed(
        self, queries: FloatArray, k: int, allowed: RowArray
    ) -> tuple[FloatArray, RowArray]:
        mask = np.zeros(int(self.offsets[-1]), bool)
        mask[self._checked_rows(np.asarray(allowed, np.int64), dead=True)] = True
        mask &= self.alive
        rows = np.flatnonzero(mask).astype(np.int64)
        if len(rows) <= _FEW:
            return search_rows(self.gather(rows), rows, queries, k)
        return search_blocks(self._blocks(mask), queries, k)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """SQL over this version: views `photos` and `segments` (with `row`, without `rle`).

        The connection is in memory, sees nothing but the two views, and can open no file.
        """
        from usearch.store.sql import connect

        return connect(self)

    def info(self) -> dict[str, object]:
        """What the store holds, as plain JSON values."""
        from usearch.store.report import describe

        return describe(self)

    @cached_property
    def index(self) -> Lists | None:
        """The index of the first rows, or None; what was wrong with it is in `warnings`."""
        from usearch.store.lists import load_index

        index, why = load_index(self)
        if why:
            self.warnings.append(why)
        return index

    def _search_all(
        self, queries: FloatArray, k: int, *, exact: bool
    ) -> tuple[FloatArray, RowArray]:
        if self.device != "cpu" and k <= gpu.MAX_K:
            return self._on_gpu.search(queries, k)
        k = min(k, self.n_segments)
        if k and not exact and self.manifest.index is not None and self.index is not None:
            found = self._search_index(self.manifest.index, self.index, queries, k)
            if found is not None:
                return found
        return search_blocks(self._blocks(self.alive), queries, k, first=not self._searched)

    def _search_index(
        self, entry: IndexEntry, lists: Lists, queries: FloatArray, k: int
    ) -> Found | None:
        """What the index and the rows behind it give; None if it is damaged or finds too few."""
        from usearch.store.lists import MENDED, search_lists

        try:
            near = search_lists(
                self, lists.index, queries, k, entry.nprobe, lists=lists, bits=self._covered_bits
            )
        except StoreError as error:
            self.warnings.append(f"{self.path / 'index' / entry.file}: {error.message}: {MENDED}")
            self.index = None
            return None
        fresh = search_blocks(self._blocks(self.alive, entry.parts), queries, k)
        found = merge([near, fresh], k)
        enough = found[0].shape[1] == k and bool(np.isfinite(found[0]).all())
        return found if enough else None

    @cached_property
    def _covered_bits(self) -> npt.NDArray[np.uint8] | None:
        """A bit for each row that the index covers: is it there? None when all are."""
        entry = self.manifest.index
        if entry is None or not any(e.removed for e in self.manifest.parts[: entry.parts]):
            return None
        return np.packbits(self.alive[: entry.rows], bitorder="little")

    @cached_property
    def _on_gpu(self) -> gpu.GpuRows:
        return gpu.GpuRows(self, self.device)

    @cached_property
    def alive(self) -> BoolArray:
        """bool, for each row whether its photo is there."""
        alive = np.ones(int(self.offsets[-1]), bool)
        for offset, entry in zip(self.offsets, self.manifest.parts, strict=False):
            for gone in entry.removed:
                first = int(offset) + gone.first_row
                alive[first : first + gone.n_rows] = False
        return alive

    @cached_property
    def _photos(self) -> pa.Table:
        source, _, place = self._photo_places
        return part_files.take(source, place).combine_chunks()

    @cached_property
    def _photo_places(self) -> tuple[pa.Table, RowArray, RowArray]:
        """Rows of photos and moves, ids of the photos that are there, and their rows in it."""
        return placed_photos(self.parts, self.manifest)

    @cached_property
    def _places(self) -> tuple[RowArray, RowArray, RowArray]:
        """Ids, first rows and row counts of the photos that are there, by id."""
        return photo_rows_in(self.parts, self.offsets, self._photo_places[1])

    def _checked_rows(self, rows: RowArray, *, dead: bool = False) -> RowArray:
        rows = np.asarray(rows, np.int64).reshape(-1)
        if len(rows) and (rows.min() < 0 or rows.max() >= self.offsets[-1]):
            raise UsageError(f"rows outside this version of {self.path}")
        if not dead and not self.alive[rows].all():
            raise UsageError(f"rows of removed photos of {self.path}")
        return rows

    def _blocks(self, mask: BoolArray, first: int = 0) -> list[Block]:
        blocks = []
        for offset, part in zip(self.offsets[first:], self.parts[first:], strict=False):
            alive = mask[offset : offset + part.entry.segments]
            if not alive.any():
                continue
            part.verify(part_files.VECTORS)
            blocks.append(Block(int(offset), part.vectors, None if alive.all() else alive))
        return blocks

    def gather(self, rows: RowArray) -> HalfArray:
        """Stored vectors of rows, float16 [n, D], removed rows not refused.

        Raises:
            StoreError: They are damaged.
        """
        part_of = np.searchsorted(self.offsets, rows, side="right") - 1
        out = np.empty((len(rows), self.space.dim), np.float16)
        for at in np.flatnonzero(np.bincount(part_of)):
            place = part_of == at
            inside = rows[place] - self.offsets[at]
            self.parts[at].verify_vectors(inside)
            out[place] = self.parts[at].vectors[inside]
        return out
