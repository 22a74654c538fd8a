"""Checksums of blocks: a large file is checked where it is read, not as a whole.

A query on ten million segments reads some hundred rows of nine gigabytes. Each file of that
size has a CRC-32 for each 64 KiB beside the one for the whole; a block is compared with its
own before its first use in a process.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from usearch.store.files import Bytes, crc32

Sums = npt.NDArray[np.uint32]

BLOCK = 1 << 16


def count_of(size: int) -> int:
    """Blocks of a file of `size` bytes."""
    return -(-size // BLOCK)


class BlockSums:
    """Collects the checksums of blocks while a file is written from front to back."""

    def __init__(self) -> None:
        self._sums: list[int] = []
        self._crc = 0
        self._held = 0

    def add(self, data: memoryview) -> None:
        """The next bytes of the file."""
        at = 0
        while at < len(data):
            piece = data[at : at + BLOCK - self._held]
            self._crc = zlib.crc32(piece, self._crc)
            self._held += len(piece)
            at += len(piece)
            if self._held == BLOCK:
                self._close()

    def found(self) -> Sums:
        """The checksums of all blocks, the last one as long as it is."""
        if self._held:
            self._close()
        return np.array(self._sums, "<u4")

    def _close(self) -> None:
        self._sums.append(self._crc)
        self._crc = self._held = 0


class CheckedBytes:
    """A mapped file, of which every block is checked before its first use.

    Attributes:
        data: The bytes; whoever reads them calls `intact` for their place before.
    """

    def __init__(self, data: Bytes, sums: Sums) -> None:
        self.data: Bytes = data.view(np.ndarray)  # slices of a memmap cost more than their bytes
        self._sums = sums
        self._good = np.zeros(count_of(len(data)), bool)
        self._all = len(data) == 0

    def trust(self) -> None:
        """The whole file was checked."""
        self._good[:] = self._all = True

    def intact(self, start: int, stop: int) -> bool:
        """Whether the bytes from start to stop are what was written."""
        first = start // BLOCK
        todo = np.flatnonzero(~self._good[first : count_of(stop)])
        return len(todo) == 0 or self._check(todo + first)

    def rows_intact(self, rows: npt.NDArray[np.int64], width: int) -> bool:
        """Whether rows of `width` bytes are what was written."""
        if self._all:
            return True
        first = rows * width // BLOCK
        last = np.maximum(first, ((rows + 1) * width - 1) // BLOCK)
        steps = int((last - first).max(initial=0)) + 1
        return all(self._check(np.minimum(first + step, last)) for step in range(steps))

    def _check(self, blocks: npt.NDArray[np.int64]) -> bool:
        # Not np.unique, which imports numpy.ma.
        for block in dict.fromkeys(blocks[~self._good[blocks]].tolist()):
            place = slice(block * BLOCK, (block + 1) * BLOCK)
            if crc32(self.data[place]) != self._sums[block]:
                return False
            self._good[block] = True
        return True
