"""`usearch info`: what a store holds."""

from __future__ import annotations

from typing import Annotated

import typer

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import is_terminal, json_result, note, result, terminal
from usearch.render.safe_text import json_name

_MOST = 8
"""Values of a count that a terminal shows; the rest is summed up."""


def info(
    store: StoreOption = None,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List the photos that could not be indexed, and why.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """What a store holds.

    \b
    usearch info
    usearch info --skipped        # path, reason and detail of photos that are not in it
    usearch info --json | jq .photos_by_camera

    Photos by folder, year, camera, kind of file and state; segments, models, vector index,
    sizes on disk.
    """
    from usearch.collection import describe_photos, skipped_photos
    from usearch.store import open_snapshot

    snapshot = open_snapshot(chosen_store(store))
    if skipped:
        rows = skipped_photos(snapshot)
        if json:
            values = [{"path": json_name(p), "reason": r, "detail": d} for p, r, d in rows]
            json_result("info", {"store": json_name(snapshot.path), "skipped": values})
            return
        for row in rows:
            result("\t".join(row))
        note(f"{len(rows):,} of {snapshot.n_photos:,} photos could not be indexed")
        return
    photos = describe_photos(snapshot)
    facts = snapshot.info() | photos
    if json:
        folders = {json_name(folder): n for folder, n in photos["photos_by_folder"].items()}
        json_result("info", facts | {"photos_by_folder": folders})
    elif is_terminal():
        from usearch.render.tables import fact_table

        terminal().print(fact_table(_for_people(facts)))
    else:
        for label, value in _flat(facts):
            result(f"{label}\t{value}")


def _for_people(facts: dict[str, object]) -> dict[str, str]:
    """Facts as a table shows them: counts in one line, sizes in megabytes."""
    lines: dict[str, str] = {}
    for key, value in facts.items():
        if key.startswith("photos_by_") and isinstance(value, dict):
            shown = [f"{name} {n:,}" for name, n in list(value.items())[:_MOST]]
            rest = sum(list(value.values())[_MOST:])
            shown += [f"others {rest:,}"] if rest else []
            lines[key.replace("_", " ")] = ", ".join(shown)
        elif isinstance(value, dict):
            lines[key.replace("_", " ")] = ", ".join(
                f"{name} {_number(f'{key}.{name}', v)}" for name, v in value.items()
            )
        elif isinstance(value, list):
            lines[key.replace("_", " ")] = "; ".join(map(str, value))
        else:
            lines[key.replace("_", " ")] = _number(key, value)
    return {label: text for label, text in lines.items() if text}


def _number(key: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return "" if value is None else str(value)
    return f"{value / 1e6:,.1f} MB" if "bytes" in key else f"{value:,}"


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
