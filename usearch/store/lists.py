"""Reading the derived index: inverted lists, mapped, each list checked before its first use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch.errors import StoreError
from usearch.records import FloatArray
from usearch.store import files
from usearch.store.blocks import CheckedBytes, count_of
from usearch.store.manifest import IndexEntry
from usearch.store.parts import RowArray
from usearch.store.vectors import Found, faiss_module, threads, to_float

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot

_CANDIDATES = 4
"""Each result asked for brings this many candidates to the exact score."""


@dataclass(frozen=True, slots=True)
class Lists:
    """An index that was opened.

    Attributes:
        index: FAISS's; its lists lie in the mapped file.
        starts: int64 [lists + 1], where each list lies in the file.
        checked: The file.
    """

    index: Any
    starts: RowArray
    checked: CheckedBytes

    def verify(self, numbers: RowArray) -> None:
        """Compare lists with their checksums, once in a process.

        Raises:
            StoreError: One is damaged.
        """
        for number in np.flatnonzero(np.bincount(numbers[numbers >= 0])).tolist():
            if not self.checked.intact(int(self.starts[number]), int(self.starts[number + 1])):
                raise StoreError("a list of the index is damaged")


def load_index(snapshot: Snapshot) -> tuple[Lists | None, str]:
    """The index of a snapshot, memory-mapped, or None and why there is none."""
    entry = snapshot.manifest.index
    if entry is None:
        return None, ""
    path = snapshot.path / "index" / entry.file
    try:
        data = files.map_file(path)
    except FileNotFoundError:
        return None, f"{path} is missing: {MENDED}"
    checked = _checked_head(data, entry)
    if checked is None:
        return None, f"{path} is damaged: {MENDED}"
    faiss = faiss_module()
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    if index.ntotal != entry.rows or index.d != snapshot.space.dim:
        return None, f"{path} is of another store: searching exactly"
    sizes = [index.invlists.list_size(i) for i in range(index.nlist)]
    return Lists(index, entry.lists_at + bounds_of(sizes, index.code_size), checked), ""


MENDED = "searching exactly; `usearch rebuild` makes it anew"


def bounds_of(sizes: list[int], code_size: int) -> RowArray:
    """Where lists begin and end behind each other: the codes of a list, then its int64 rows."""
    return np.concatenate(([0], np.cumsum(np.array(sizes, np.int64) * (code_size + 8))))


def _checked_head(data: files.Bytes, entry: IndexEntry) -> CheckedBytes | None:
    """The file with all but its lists checked; None where that is damaged.

    What FAISS parses is never read before its checksum was.
    """
    end = len(data) - entry.blocks.size
    if len(data) != entry.sum.size or entry.blocks.size != 4 * count_of(end):
        return None
    if files.crc32(data[end:]) != entry.blocks.crc32:
        return None
    sums: npt.NDArray[np.uint32] = np.frombuffer(data[end:].tobytes(), "<u4")
    checked = CheckedBytes(data[:end], sums)
    return checked if checked.intact(0, entry.lists_at) else None


def search_lists(
    snapshot: Snapshot,
    index: Any,
    queries: FloatArray,
    k: int,
    nprobe: int,
    *,
    lists: Lists | None = None,
    bits: npt.NDArray[np.uint8] | None = None,
) -> Found:
    """The nearest rows that the probed lists hold, with exact cosines.

    Args:
        snapshot: Where the vectors are.
        index: FAISS's index of its first rows.
        queries: float32 [q, D], unit length.
        k: How many.
        nprobe: Lists to look into.
        lists: The opened index, whose lists are checked; None for one just made.
        bits: A bit for each covered row that may be returned; None = all may.

    Returns:
        Cosines float32 [q, k] and rows int64 [q, k]; -inf and -1 where there were fewer.

    Raises:
        StoreError: A list, or the vectors of a candidate, are damaged.
    """
    faiss = faiss_module()
    faiss.omp_set_num_threads(threads())
    nprobe = min(nprobe, index.nlist)
    if lists is not None:
        # The lists that the search will look into: it finds the same ones again.
        lists.verify(index.quantizer.search(queries, nprobe)[1].ravel())
    selector = None
    if bits is not None:
        selector = faiss.IDSelectorBitmap(index.ntotal, faiss.swig_ptr(bits))
    parameters = faiss.SearchParametersIVF(sel=selector, nprobe=nprobe)
    wanted = min(_CANDIDATES * k, index.ntotal)
    _, rows = index.search(queries, wanted, params=parameters)
    scores = np.full(rows.shape, -np.inf, np.float32)
    for line, query in enumerate(queries):
        there = rows[line] >= 0
        scores[line, there] = to_float(snapshot.gather(rows[line, there])) @ query
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
