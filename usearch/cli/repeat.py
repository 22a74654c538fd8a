"""The command line that repeats a run: every option that was not left at its default."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

OUTPUTS = ("report", "html", "json", "force", "show", "debug")
"""Options that say where results go and change none of them."""


def command_line(context: typer.Context, leave_out: Collection[str] = OUTPUTS) -> str:
    """The command line of a context, quoted for a shell."""
    words = context.command_path.split()
    words[0] = "usearch"
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if parameter.name in leave_out or value is None or value == parameter.default:
            continue
        flag = max(parameter.opts, key=len)
        if getattr(parameter, "is_flag", False):
            words.append(flag if value else max(parameter.secondary_opts, key=len))
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [flag, str(one)] if flag.startswith("-") else [str(one)]
    return shlex.join(words)
