"""`usearch info`: what a store holds."""

from __future__ import annotations

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import is_terminal, json_result, result, terminal


def info(store: StoreOption = None, json: JsonOption = False) -> None:
    """What a store holds.

    Photos, segments, models, vector index and sizes on disk.
    """
    from usearch.store import open_snapshot

    facts = open_snapshot(chosen_store(store)).info()
    if json:
        json_result("info", facts)
        return
    lines = dict(_flat(facts))
    if is_terminal():
        from usearch.render.tables import fact_table

        terminal().print(fact_table(lines))
    else:
        for label, value in lines.items():
            result(f"{label}\t{value}")


def _flat(values: dict[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Labels and texts of nested values: {"index": {"kind": "flat"}} is "index.kind"."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        label = f"{prefix}{key}"
        if isinstance(value, dict):
            lines += _flat(value, f"{label}.")
        elif isinstance(value, list | tuple):
            lines.append((label, ", ".join(str(item) for item in value)))
        else:
            lines.append((label, "" if value is None else str(value)))
    return lines
