"""Exact search over stored vectors.

Vectors are float16 on disk and memory-mapped. Few of them are converted block by block and
multiplied by NumPy; more are scored by FAISS's float16 scalar quantiser straight from the
mapped file, whose bytes are its codes: nothing is copied, and half the bytes of float32 pass
through memory. Both give float32 inner products of the stored values, so the choice shows in
time only (`docs/store.md` has the measurements).

FAISS runs in threads made for one call, each without OpenMP workers of its own: one query is
spread over rows (FAISS itself spreads queries only), and a process may fork between calls.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.errors import ModelError, UsageError
from usearch.records import FloatArray
from usearch.store.parts import HalfArray, RowArray

BoolArray = npt.NDArray[np.bool_]
Found = tuple[FloatArray, RowArray]

SMALL = 32_768
"""Up to so many rows NumPy answers sooner than FAISS is imported."""

_BLOCK = 2_048
_PIECE = 16_384
_LARGE_K = 1_024


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


def search_rows(vectors: HalfArray, rows: RowArray, queries: FloatArray, k: int) -> Found:
    """Exact search over given vectors, float16 [n, D], that are the rows `rows`, int64 [n]."""
    best: Found = (
        np.zeros((len(queries), 0), np.float32),
        np.zeros((len(queries), 0), np.int64),
    )
    for start in range(0, len(rows), _BLOCK):
        part = vectors[start : start + _BLOCK].astype(np.float32)
        scores = queries @ part.T
        labels = np.broadcast_to(rows[start : start + _BLOCK], scores.shape)
        best = merge([best, best_of(scores, labels, min(k, scores.shape[1]))], k)
    return best


def search_blocks(blocks: Sequence[Block], queries: FloatArray, k: int) -> Found:
    """Exact search over blocks.

    Args:
        blocks: Rows to search.
        queries: float32 [q, D], unit length.
        k: How many; at least 1.

    Returns:
        Cosines float32 [q, k'] and rows int64 [q, k'], best first; k' = min(k, rows alive).
    """
    alive = [b.count for b in blocks]
    k = min(k, sum(alive))
    if k == 0:
        empty = (len(queries), 0)
        return np.zeros(empty, np.float32), np.zeros(empty, np.int64)
    wanted = [b for b, n in zip(blocks, alive, strict=True) if n]
    if sum(len(b.vectors) for b in wanted) <= SMALL or k > _LARGE_K:
        return merge([_search_numpy(b, queries, k) for b in wanted], k)
    pieces = [piece for b in wanted for piece in _pieces(b)]
    return merge(_in_threads(pieces, queries, k), k)


def _search_numpy(block: Block, queries: FloatArray, k: int) -> Found:
    rows = np.arange(block.start, block.start + len(block.vectors), dtype=np.int64)
    if block.alive is None:
        return search_rows(block.vectors, rows, queries, k)
    return search_rows(block.vectors[block.alive], rows[block.alive], queries, k)


def _pieces(block: Block) -> list[Block]:
    """A block in pieces that threads can share."""
    found = []
    for start in range(0, len(block.vectors), _PIECE):
        stop = start + _PIECE
        alive = None if block.alive is None else block.alive[start:stop]
        if alive is None or alive.any():
            found.append(Block(block.start + start, block.vectors[start:stop], alive))
    return found


def _in_threads(pieces: list[Block], queries: FloatArray, k: int) -> list[Found]:
    faiss = faiss_module()

    def search(piece: Block) -> Found:
        index = half_index(piece.vectors)
        scores, labels = index.search(
            queries, min(k, len(piece.vectors)), params=_selection(piece.alive)
        )
        rows = labels + piece.start
        scores[labels < 0] = -np.inf
        return scores, rows

    with ThreadPoolExecutor(
        min(threads(), len(pieces)), initializer=faiss.omp_set_num_threads, initargs=(1,)
    ) as pool:
        return list(pool.map(search, pieces))


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
