"""`usearch config`: every setting, its value, and who set it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption
from usearch.cli.output import is_terminal, json_result, note, result, terminal
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from usearch.settings import Found


def config(
    template: Annotated[
        bool,
        typer.Option("--template", help="Print a usearch.toml that names every setting."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print every setting, its value, and who set it.

    \b
    usearch config
    usearch config --template > usearch.toml
    USEARCH_TOP=50 usearch config

    A flag wins over a USEARCH_* variable, that over the nearest usearch.toml from here
    upwards, that over the one in your configuration folder. An option takes its default
    from the setting of the same name, in every command. Exit code 2 when a file or a
    variable says something that cannot be.
    """
    from usearch import settings

    if template:
        for line in settings.template():
            result(line)
        return
    found = settings.all_settings()
    files = settings.candidate_files()
    if json:
        json_result(
            "config",
            {
                "settings": {f.setting.name: _values(f) for f in found},
                "files": [{"path": json_name(p), "exists": p.is_file()} for p in files],
                "unknown_variables": settings.unknown_variables(),
            },
        )
        return
    rows = [(f.setting.name, _shown(f), f.origin) for f in found]
    if is_terminal():
        from usearch.render.listing import listing

        terminal().print(listing(("setting", "value", "set by"), rows))
    else:
        for row in rows:
            result("\t".join(row))
    for path in files:
        note(f"{path}: {'read' if path.is_file() else 'not there'}")
    for name in settings.unknown_variables():
        note(f"{name} is set, but no setting")


def _shown(found: Found) -> str:
    if found.value is None:
        return f"({found.setting.unset})"
    return str(found.value).lower() if isinstance(found.value, bool) else str(found.value)


def _values(found: Found) -> dict[str, Any]:
    value = json_name(found.value) if isinstance(found.value, Path) else found.value
    return {"value": value, "origin": found.origin, "variable": found.setting.variable}
