"""The derived index of large stores: inverted lists (IVF) of 8-bit codes, re-scored exactly.

It is a cache: made from the vectors, checked against its checksum before FAISS reads a byte
of it, and left out when it is missing or damaged (the search is then exact and slower). It
covers the first parts of a version; rows behind them are searched exactly and merged.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from usearch.records import FloatArray
from usearch.store import commits, files
from usearch.store.manifest import IndexEntry
from usearch.store.vectors import (
    Block,
    BoolArray,
    Found,
    faiss_module,
    search_blocks,
    threads,
    to_float,
)

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot

PAYS_FROM = 500_000
"""Rows from which an index is built: an exact query passes some 0.1 s there."""

_STALE = 0.25
_TRAIN_PER_LIST = 48
_RECALL = 0.98
_PROBE_QUERIES = 64
_CHUNK = 16_384
_CANDIDATES = 4
"""Each result asked for brings this many candidates to the exact score."""


def ensure_index(snapshot: Snapshot, *, pays_from: int | None = None) -> Snapshot:
    """Build the index where one pays and is missing, damaged or behind; the caller writes.

    Args:
        snapshot: The newest version.
        pays_from: Rows from which one is built (default `PAYS_FROM`).

    Returns:
        The snapshot itself, or the new version that has the index.
    """
    rows = int(snapshot.offsets[-1])
    entry = snapshot.manifest.index
    if rows < (PAYS_FROM if pays_from is None else pays_from):
        if entry is None:
            return snapshot
        return commits.commit(snapshot, replace(snapshot.manifest, index=None))
    fresh = entry is not None and rows - entry.rows <= _STALE * entry.rows
    if fresh and snapshot.index is not None:
        return snapshot
    entry = build_index(snapshot)
    return commits.commit(snapshot, replace(snapshot.manifest, index=entry))


def build_index(snapshot: Snapshot) -> IndexEntry:
    """Train, fill and write an index over all rows of a snapshot; durable when this returns."""
    faiss = faiss_module()
    faiss.omp_set_num_threads(threads())
    rows, dim = int(snapshot.offsets[-1]), snapshot.space.dim
    lists = 1 << max(4, round(np.log2(np.sqrt(rows))))
    rng = np.random.default_rng(0)
    sample = np.sort(rng.choice(rows, min(rows, _TRAIN_PER_LIST * lists), replace=False))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim),
        dim,
        lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        False,
    )
    index.cp.spherical = True
    index.cp.min_points_per_centroid = 1
    index.cp.seed = 1
    index.train(snapshot.gather(sample).astype(np.float32))
    for part in snapshot.parts:
        for start in range(0, len(part.vectors), _CHUNK):
            index.add(part.vectors[start : start + _CHUNK].astype(np.float32))
    nprobe, recall = _choose_nprobe(snapshot, index, rng)
    folder = snapshot.path / "index"
    files.make_folder(folder)
    name = f"{snapshot.version + 1:08d}-{secrets.token_hex(4)}.faiss"
    with files.Output(folder / name) as out:
        faiss.write_index(index, faiss.PyCallbackIOWriter(out.write))
    files.sync_folder(folder)
    return IndexEntry(
        file=name,
        sum=out.sum,
        kind=f"IVF{lists},SQ8",
        parts=len(snapshot.parts),
        rows=rows,
        nprobe=nprobe,
        recall=recall,
    )


def load_index(snapshot: Snapshot) -> tuple[Any, str]:
    """The index of a snapshot, memory-mapped, or None and why there is none."""
    entry = snapshot.manifest.index
    if entry is None:
        return None, ""
    path = snapshot.path / "index" / entry.file
    try:
        found = files.sum_file(path)
    except FileNotFoundError:
        return None, f"{path} is missing: searching exactly; `usearch rebuild` makes it anew"
    if found != entry.sum:
        return None, f"{path} is damaged: searching exactly; `usearch rebuild` makes it anew"
    faiss = faiss_module()
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    if index.ntotal != entry.rows or index.d != snapshot.space.dim:
        return None, f"{path} is of another store: searching exactly"
    return index, ""


def search_index(
    snapshot: Snapshot, index: Any, queries: FloatArray, k: int, alive: BoolArray, nprobe: int
) -> Found:
    """The nearest rows that the probed lists hold, with exact cosines.

    Args:
        snapshot: Where the vectors are.
        index: The index of its first rows.
        queries: float32 [q, D], unit length.
        k: How many.
        alive: bool, for each covered row whether it may be returned.
        nprobe: Lists to look into.

    Returns:
        Cosines float32 [q, k] and rows int64 [q, k]; -inf and -1 where there were fewer.
    """
    faiss = faiss_module()
    faiss.omp_set_num_threads(threads())
    selector = None
    bits = np.packbits(alive, bitorder="little")
    if not alive.all():
        selector = faiss.IDSelectorBitmap(len(alive), faiss.swig_ptr(bits))
    parameters = faiss.SearchParametersIVF(sel=selector, nprobe=nprobe)
    _, rows = index.search(queries, min(_CANDIDATES * k, len(alive)), params=parameters)
    scores = np.full(rows.shape, -np.inf, np.float32)
    for line, query in enumerate(queries):
        there = rows[line] >= 0
        scores[line, there] = to_float(snapshot.gather(rows[line, there])) @ query
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def _choose_nprobe(snapshot: Snapshot, index: Any, rng: np.random.Generator) -> tuple[int, float]:
    """The fewest lists that find 98 % of the true first ten, and the share they find.

    The queries are stored vectors with as much noise added: a text is near what it names,
    but it is no stored vector itself.
    """
    rows, dim = int(snapshot.offsets[-1]), snapshot.space.dim
    some = rng.choice(rows, min(rows, _PROBE_QUERIES), replace=False)
    noise = rng.standard_normal((len(some), dim)).astype(np.float32) / np.sqrt(dim)
    queries = snapshot.gather(some).astype(np.float32) + noise
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    blocks = [
        Block(int(o), p.vectors, None)
        for o, p in zip(snapshot.offsets, snapshot.parts, strict=False)
    ]
    truth = search_blocks(blocks, queries, 10)[1]
    alive = np.ones(rows, bool)
    nprobe = 8
    while True:
        nprobe = min(nprobe, index.nlist)
        found = search_index(snapshot, index, queries, 10, alive, nprobe)[1]
        recall = float(np.mean([np.isin(t, f).mean() for t, f in zip(truth, found, strict=True)]))
        if recall >= _RECALL or nprobe == index.nlist:
            return nprobe, round(recall, 4)
        nprobe *= 2
