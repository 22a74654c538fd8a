"""`usearch rebuild`: make the derived files of a store anew."""

from __future__ import annotations

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import json_result, result


def rebuild(store: StoreOption = None, json: JsonOption = False) -> None:
    """Make the derived files of a store anew.

    The vector index and the caches; photos, segments and vectors stay as they are.
    """
    from usearch.store import rebuild_store

    path = chosen_store(store)
    rebuilt = rebuild_store(path)
    if json:
        json_result("rebuild", {"store": str(path.absolute()), "rebuilt": rebuilt})
    else:
        for name in rebuilt:
            result(name)
