"""Exact search over stored vectors.

Vectors are float16 on disk and memory-mapped. Two ways lead to the same float32 inner
products, so the choice between them shows in time only (`docs/store.md` has the figures):

- NumPy, converted block by block inside the caches: for the first search of a process, which
  may be its only one (importing FAISS takes longer than scoring 10^5 vectors), for few rows
  and for many queries.
- FAISS's float16 scalar quantiser straight over the mapped file, whose bytes are its codes:
  nothing is copied, and half the bytes of float32 pass through memory.

FAISS runs without OpenMP workers, in threads made for one call where there is work for more
than one: a single query is spread over rows (FAISS itself spreads queries only), and a
process may fork between calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.errors import ModelError, UsageError
from usearch.records import FloatArray
from usearch.store.parts import HalfArray, RowArray

BoolArray = npt.NDArray[np.bool_]
Found = tuple[FloatArray, RowArray]

FIRST = 500_000
"""Up to so many rows NumPy answers sooner than FAISS is imported."""

SMALL = 2_048
"""Up to so many rows NumPy answers sooner than FAISS, imported or not."""

_MANY = 16
"""From so many queries on a matrix product beats scans one query at a time."""

_LARGE_K = 1_024
_PIECE = 16_384
_CACHED = 128
"""Rows that stay in the innermost caches between conversion and product."""

_SHARED = 2_048
"""Rows in a product of many queries, which BLAS spreads over its own threads."""

_PLACES = np.int32(-0x70002000)
_SCALE = np.float32(2.0**112)


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of a snapshot.

    Attributes:
        start: Row of the first vector.
        vectors: float16 [n, D], mapped.
        alive: bool [n], rows that may be returned; None = all.
    """

    start: int
    vectors: HalfArray
    alive: BoolArray | None

    @property
    def count(self) -> int:
        """Rows that may be returned."""
        return len(self.vectors) if self.alive is None else int(self.alive.sum())


def checked_queries(queries: FloatArray, dim: int) -> FloatArray:
    """float32 [q, D] of unit length.

    Raises:
        UsageError: Another shape, or a query that is not finite or is all zero.
    """
    found = np.atleast_2d(np.ascontiguousarray(queries, np.float32))
    if found.ndim != 2 or found.shape[1] != dim:
        raise UsageError(f"query vectors of shape {found.shape} for a store of dimension {dim}")
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise UsageError("a query vector is not finite or has no length")
    unit: FloatArray = found / lengths
    return unit


def best_of(scores: FloatArray, rows: RowArray, k: int) -> Found:
    """The k best of each line, best first, equal scores by row.

    Args:
        scores: float32 [q, m]; -inf marks a place that holds nothing.
        rows: int64 [q, m].
        k: At most m.
    """
    if k < scores.shape[1]:
        kept = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        scores = np.take_along_axis(scores, kept, 1)
        rows = np.take_along_axis(rows, kept, 1)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def merge(found: Sequence[Found], k: int) -> Found:
    """The k best of several searches over different rows."""
    scores = np.concatenate([f[0] for f in found], axis=1)
    rows = np.concatenate([f[1] for f in found], axis=1)
    return best_of(scores, rows, min(k, scores.shape[1]))


def to_float(half: HalfArray) -> FloatArray:
    """float32 of finite float16 values, three times as fast as NumPy's own conversion.

    Sign, exponent and fraction are shifted to their places in a float32; the exponent is then
    off by 112, which one multiplication mends, subnormal numbers included.
    """
    bits = half.view(np.int16).astype(np.int32)
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _PLACES, out=bits)
    values = bits.view(np.float32)
    return np.multiply(values, _SCALE, out=values)


def search_rows(vectors: HalfArray, rows: RowArray, queries: FloatArray, k: int) -> Found:
    """Exact search over given vectors, float16 [n, D], that are the rows `rows`, int64 [n]."""
    k = min(k, len(rows))
    scores = np.empty((len(queries), len(rows)), np.float32)
    step = _CACHED if len(queries) < _MANY else _SHARED
    for start in range(0, len(rows), step):
        part = to_float(vectors[start : start + step])
        np.matmul(queries, part.T, out=scores[:, start : start + step])
    return best_of(scores, np.broadcast_to(rows, scores.shape), k)


def search_blocks(
    blocks: Sequence[Block], queries: FloatArray, k: int, *, first: bool = False
) -> Found:
    """Exact search over blocks.

    Args:
        blocks: Rows to search.
        queries: float32 [q, D], unit length.
        k: How many; at least 1.
        first: The first search of a process may be its last: do not import FAISS for it.

    Returns:
        Cosines float32 [q, k'] and rows int64 [q, k'], best first; k' = min(k, rows alive).
    """
    pieces = [piece for block in blocks for piece in _pieces(block)]
    k = min(k, sum(piece.count for piece in pieces))
    if k == 0:
        return np.zeros((len(queries), 0), np.float32), np.zeros((len(queries), 0), np.int64)
    rows = sum(len(piece.vectors) for piece in pieces)
    plain = rows <= (FIRST if first else SMALL) or k > _LARGE_K or len(queries) >= _MANY
    found = _map(_search_numpy if plain else _search_faiss, pieces, queries, k)
    return merge(found, k)


def _pieces(block: Block) -> list[Block]:
    """A block in pieces that threads can share; those without a live row left out."""
    found = []
    for start in range(0, len(block.vectors), _PIECE):
        stop = start + _PIECE
        alive = None if block.alive is None else block.alive[start:stop]
        if alive is None or alive.any():
            found.append(Block(block.start + start, block.vectors[start:stop], alive))
    return found


def _map(
    search: Callable[[Block, FloatArray, int], Found],
    pieces: list[Block],
    queries: FloatArray,
    k: int,
) -> list[Found]:
    count = min(threads(), len(pieces))
    if count > 1 and len(queries) < _MANY:
        single = partial(faiss_module().omp_set_num_threads, 1) if search is _search_faiss else None
        with ThreadPoolExecutor(count, initializer=single) as pool:
            return list(pool.map(lambda piece: search(piece, queries, k), pieces))
    if search is _search_numpy:  # many queries: BLAS has threads of its own
        return [search(piece, queries, k) for piece in pieces]
    faiss = faiss_module()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        return [search(piece, queries, k) for piece in pieces]
    finally:
        faiss.omp_set_num_threads(before)


def _search_numpy(piece: Block, queries: FloatArray, k: int) -> Found:
    rows = np.arange(piece.start, piece.start + len(piece.vectors), dtype=np.int64)
    if piece.alive is None:
        return search_rows(piece.vectors, rows, queries, k)
    return search_rows(piece.vectors[piece.alive], rows[piece.alive], queries, k)


def _search_faiss(piece: Block, queries: FloatArray, k: int) -> Found:
    index = half_index(piece.vectors)
    scores, labels = index.search(queries, min(k, piece.count), params=_selection(piece.alive))
    return scores, labels + piece.start


def faiss_module() -> Any:
    """FAISS, imported when it is first needed.

    Raises:
        ModelError: It is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ModelError(
            f"FAISS cannot be imported: {error}", "pip install faiss-cpu, or the extra [gpu]"
        ) from error
    return faiss


def threads() -> int:
    """Threads to use: what OMP_NUM_THREADS says, else the cores this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def half_index(vectors: HalfArray) -> Any:
    """A FAISS index over float16 [n, D] where they lie; it must not outlive them."""
    faiss = faiss_module()
    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    codes = np.asarray(vectors).view(np.uint8)
    if hasattr(faiss, "MaybeOwnedVectorUInt8"):
        nobody = faiss.MaybeOwnedVectorUInt8().owner
        index.codes = faiss.MaybeOwnedVectorUInt8.create_view(
            faiss.swig_ptr(codes.reshape(-1)), codes.nbytes, nobody
        )
        index.ntotal = len(vectors)
    else:  # FAISS before 1.11 copies
        index.add_sa_codes(codes)
    return index


def _selection(alive: BoolArray | None) -> Any:
    """Search parameters that leave out rows; None = all rows."""
    if alive is None:
        return None
    faiss = faiss_module()
    bits = np.packbits(alive, bitorder="little")
    selector = faiss.IDSelectorBitmap(len(alive), faiss.swig_ptr(bits))
    parameters = faiss.SearchParameters(sel=selector)
    parameters.keep = bits  # FAISS holds a bare pointer to it
    return parameters
