"""`usearch rebuild`: make the derived files of a store anew."""

from __future__ import annotations

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import json_result, note, result
from usearch.render.safe_text import json_name


def rebuild(store: StoreOption = None, json: JsonOption = False) -> None:
    """Make the derived files of a store anew.

    The vector index is built where one pays. A damaged part is left out, so that the next
    `usearch index` does its photos again. One line for each thing done.
    """
    from usearch.store import rebuild_store

    path = chosen_store(store)
    rebuilt = rebuild_store(path)
    if json:
        json_result("rebuild", {"store": json_name(path.absolute()), "rebuilt": rebuilt})
    else:
        for line in rebuilt:
            result(line)
        if not rebuilt:
            note(f"{path}: nothing to rebuild")
