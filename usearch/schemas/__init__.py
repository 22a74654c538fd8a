"""JSON Schemas of what the commands print with `--json`, one file a command.

The key `schema` of a document names its schema: "usearch.query/1" is `query.json`. Unknown
keys are allowed, for later versions add some; those that a schema requires stay.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def schema(name: str) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that needs no other file.

    Args:
        name: Of the command, such as "query" or "models.list"; "query.lines" for a line of
            `usearch query --jsonl`.

    Raises:
        KeyError: There is none of this name.
    """
    if name not in names():
        raise KeyError(name)
    found: dict[str, Any] = json.loads((files(__name__) / f"{name}.json").read_text("utf-8"))
    return found


def names() -> list[str]:
    """Names of all schemas."""
    return sorted(
        file.name.removesuffix(".json")
        for file in files(__name__).iterdir()
        if file.name.endswith(".json")
    )
