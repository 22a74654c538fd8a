"""`usearch compact`: merge parts and drop what was removed."""

from __future__ import annotations

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import json_result, note
from usearch.render.safe_text import json_name


def compact(store: StoreOption = None, json: JsonOption = False) -> None:
    """Merge parts and drop what was removed.

    Answers stay the same; the store takes less space and opens faster.
    """
    from usearch.store import compact_store

    path = chosen_store(store)
    freed = compact_store(path)
    if json:
        json_result("compact", {"store": json_name(path.absolute()), "bytes_freed": freed})
    else:
        note(f"{path}: {freed / 1e6:.1f} MB freed")
