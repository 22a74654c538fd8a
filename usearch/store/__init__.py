"""The store: segments, their vectors and their photos on disk. `docs/store.md` is the format.

Names are loaded when they are first used, so that a command that only looks for a store
imports neither NumPy nor Arrow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usearch.store.check import check_store as check_store
    from usearch.store.compact import compact_store as compact_store
    from usearch.store.names import real_name as real_name
    from usearch.store.names import stored_name as stored_name
    from usearch.store.parts import IndexedPhoto as IndexedPhoto
    from usearch.store.parts import PhotoRow as PhotoRow
    from usearch.store.rebuild import rebuild_store as rebuild_store
    from usearch.store.snapshot import Snapshot as Snapshot
    from usearch.store.snapshot import find_store as find_store
    from usearch.store.snapshot import open_snapshot as open_snapshot
    from usearch.store.writer import Writer as Writer
    from usearch.store.writer import open_writer as open_writer

_WHERE = {
    "check_store": "check",
    "compact_store": "compact",
    "real_name": "names",
    "stored_name": "names",
    "IndexedPhoto": "parts",
    "PhotoRow": "parts",
    "rebuild_store": "rebuild",
    "Snapshot": "snapshot",
    "find_store": "snapshot",
    "open_snapshot": "snapshot",
    "Writer": "writer",
    "open_writer": "writer",
}

__all__ = [
    "IndexedPhoto",
    "PhotoRow",
    "Snapshot",
    "Writer",
    "check_store",
    "compact_store",
    "find_store",
    "open_snapshot",
    "open_writer",
    "real_name",
    "rebuild_store",
    "stored_name",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"usearch.store.{_WHERE[name]}"), name)
