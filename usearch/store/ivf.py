"""The derived index of large stores: inverted lists (IVF) of 8-bit codes, re-scored exactly.

It is a cache: made from the vectors, checked before FAISS reads a byte of it, and left out
when it is missing or damaged (the search is then exact and slower). It covers the first
parts of a version; rows behind them are searched exactly and merged. `lists` reads it.

Finding the centres of the lists takes longest. They are kept while the store grows to four
times the rows, and when rows are removed: then lists only get and lose rows.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from usearch.store import commits, files
from usearch.store.blocks import BlockSums
from usearch.store.lists import bounds_of, search_lists
from usearch.store.manifest import IndexEntry
from usearch.store.parts import VECTORS, RowArray
from usearch.store.vectors import Block, faiss_module, search_blocks, threads

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot

PAYS_FROM = 500_000
"""Rows from which an index is built: an exact query passes some 0.1 s there."""

_BEHIND = 0.1
"""Up to this share of the covered rows is searched exactly before lists get them."""

_TRAIN_PER_LIST = 48
_RECALL = 0.98
_PROBE_QUERIES = 64
_CHUNK = 16_384


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
    made = None
    if entry is not None and snapshot.index is not None:
        if rows - entry.rows <= _BEHIND * entry.rows:
            return snapshot
        made = _with_new_rows(snapshot, _read(snapshot, entry), entry.parts)
    made = made or build_index(snapshot)
    return commits.commit(snapshot, replace(snapshot.manifest, index=made))


def build_index(snapshot: Snapshot) -> IndexEntry:
    """Train, fill and write an index over all rows of a snapshot; durable when this returns."""
    faiss = faiss_module()
    faiss.omp_set_num_threads(threads())
    rows, dim = int(snapshot.offsets[-1]), snapshot.space.dim
    lists = _lists_for(rows)
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
    _add(index, snapshot, 0)
    return _write(snapshot, index)


def carried_index(old: Snapshot, new: Snapshot) -> IndexEntry | None:
    """The index of a version for the one that holds its living rows, in the same order.

    Returns:
        An index over all rows of `new`, durable; None where it must be built anew.
    """
    entry = old.manifest.index
    index = None if entry is None or old.index is None else _read(old, entry)
    if index is None or entry is None:
        return None
    alive = old.alive[: entry.rows]
    _renumber(index, np.where(alive, np.cumsum(alive) - 1, -1))
    covered = int(alive.sum())
    # The covered rows end inside a part of the new version: what follows is added.
    return _with_new_rows(new, index, int(np.searchsorted(new.offsets, covered, "right")) - 1)


def _lists_for(rows: int) -> int:
    """About the square root of the rows, a power of two."""
    return int(2 ** max(4, round(np.log2(max(rows, 1)) / 2)))


def _read(snapshot: Snapshot, entry: IndexEntry) -> Any:
    """The index in memory, to be changed; None where it is damaged."""
    path = snapshot.path / "index" / entry.file
    if files.sum_file(path) != entry.sum:
        return None
    return faiss_module().read_index(str(path))


def _with_new_rows(snapshot: Snapshot, index: Any, parts: int) -> IndexEntry | None:
    """An index that covers the first parts of a snapshot made to cover all of them."""
    if index is None or _lists_for(int(snapshot.offsets[-1])) > 2 * index.nlist:
        return None
    faiss_module().omp_set_num_threads(threads())
    _add(index, snapshot, parts)
    return _write(snapshot, index)


def _add(index: Any, snapshot: Snapshot, parts: int) -> None:
    """Add the rows behind those that the index has, which end in part number `parts`."""
    done = index.ntotal
    for offset, part in zip(snapshot.offsets[parts:], snapshot.parts[parts:], strict=False):
        part.verify(VECTORS)
        for start in range(max(0, done - int(offset)), len(part.vectors), _CHUNK):
            index.add(part.vectors[start : start + _CHUNK].astype(np.float32))


def _renumber(index: Any, new: RowArray) -> None:
    """Give the rows of an index in memory new numbers, -1 = drop; order within lists stays."""
    faiss = faiss_module()
    lists = index.invlists
    for number in range(index.nlist):
        n = lists.list_size(number)
        if n == 0:
            continue
        rows = new[faiss.rev_swig_ptr(lists.get_ids(number), n)]
        kept = np.flatnonzero(rows >= 0)
        codes = faiss.rev_swig_ptr(lists.get_codes(number), n * index.code_size)
        some = np.ascontiguousarray(codes.reshape(n, index.code_size)[kept])
        ids = np.ascontiguousarray(rows[kept])
        lists.resize(number, len(kept))
        if len(kept):
            lists.update_entries(number, 0, len(kept), faiss.swig_ptr(ids), faiss.swig_ptr(some))
    index.ntotal = int((new >= 0).sum())


def _write(snapshot: Snapshot, index: Any) -> IndexEntry:
    """Write an index over all rows of a snapshot, with the checksums of its blocks behind it."""
    faiss = faiss_module()
    nprobe, recall = _choose_nprobe(snapshot, index)
    folder = snapshot.path / "index"
    files.make_folder(folder)
    name = f"{snapshot.version + 1:08d}-{secrets.token_hex(4)}.faiss"
    blocks = BlockSums()
    with files.Output(folder / name, blocks.add) as out:
        faiss.write_index(index, faiss.PyCallbackIOWriter(out.write))
        size = out.tell()
        sums = blocks.found().tobytes()
        out.write(sums)
    files.sync_folder(folder)
    sizes = [index.invlists.list_size(i) for i in range(index.nlist)]
    return IndexEntry(
        file=name,
        sum=out.sum,
        kind=f"IVF{index.nlist},SQ8",
        parts=len(snapshot.parts),
        rows=int(snapshot.offsets[-1]),
        nprobe=nprobe,
        recall=recall,
        lists_at=size - int(bounds_of(sizes, index.code_size)[-1]),
        blocks=files.sum_bytes(sums),
    )


def _choose_nprobe(snapshot: Snapshot, index: Any) -> tuple[int, float]:
    """The fewest lists that find 98 % of the true first ten, and the share they find.

    The queries are stored vectors with as much noise added: a text is near what it names,
    but it is no stored vector itself.
    """
    rows, dim = int(snapshot.offsets[-1]), snapshot.space.dim
    rng = np.random.default_rng(1)
    some = rng.choice(rows, min(rows, _PROBE_QUERIES), replace=False)
    noise = rng.standard_normal((len(some), dim)).astype(np.float32) / np.sqrt(dim)
    queries = snapshot.gather(some).astype(np.float32) + noise
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    blocks = [
        Block(int(o), p.vectors, None)
        for o, p in zip(snapshot.offsets, snapshot.parts, strict=False)
    ]
    truth = search_blocks(blocks, queries, 10)[1]
    nprobe = 8
    while True:
        nprobe = min(nprobe, index.nlist)
        found = search_lists(snapshot, index, queries, 10, nprobe)[1]
        recall = float(np.mean([np.isin(t, f).mean() for t, f in zip(truth, found, strict=True)]))
        if recall >= _RECALL or nprobe == index.nlist:
            return nprobe, round(recall, 4)
        nprobe *= 2
