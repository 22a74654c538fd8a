"""Exact search on a GPU, where FAISS was built with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from usearch.errors import ModelError, ResourceError, UsageError
from usearch.records import FloatArray
from usearch.store.vectors import Found, faiss_module

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot

MAX_K = 2_048
"""The most results that FAISS's GPU kernels give."""

_CHUNK = 65_536


def device_number(device: str) -> int:
    """Number of the GPU that "cuda" or "cuda:N" names; -1 for "cpu".

    Raises:
        UsageError: Another word.
        ModelError: This FAISS knows no GPU.
        ResourceError: There is no such GPU.
    """
    if device == "cpu":
        return -1
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        raise UsageError(f"unknown device {device!r}", "use cpu, cuda or cuda:0")
    faiss = faiss_module()
    if not hasattr(faiss, "StandardGpuResources"):
        raise ModelError(
            f"device {device} needs FAISS with GPU support; this one has none",
            "in an environment of its own: pip install 'use-segments[gpu]', "
            "without faiss-cpu; or use --device cpu",
        )
    count = faiss.get_num_gpus()
    if int(number or 0) >= count:
        raise ResourceError(f"device {device}: FAISS sees {count} GPU(s)", "use --device cpu")
    return int(number or 0)


class GpuRows:
    """The live rows of a snapshot in GPU memory, as float16."""

    def __init__(self, snapshot: Snapshot, device: str) -> None:
        faiss = faiss_module()
        number = device_number(device)
        self._rows = snapshot.live_rows()
        self._resources = faiss.StandardGpuResources()
        config = faiss.GpuIndexFlatConfig()
        config.device = number
        config.useFloat16 = True
        try:
            self._index: Any = faiss.GpuIndexFlatIP(self._resources, snapshot.space.dim, config)
            for start in range(0, len(self._rows), _CHUNK):
                some = self._rows[start : start + _CHUNK]
                self._index.add(snapshot.gather(some).astype(np.float32))
        except RuntimeError as error:  # what FAISS raises when GPU memory is out
            raise ResourceError(
                f"{len(self._rows):,} vectors do not fit on {device}", "use --device cpu"
            ) from error

    def search(self, queries: FloatArray, k: int) -> Found:
        """As `usearch.store.vectors.search_blocks`, over all live rows."""
        k = min(k, len(self._rows))
        if k == 0:
            return np.zeros((len(queries), 0), np.float32), np.zeros((len(queries), 0), np.int64)
        scores, places = self._index.search(queries, k)
        return scores, self._rows[places]
