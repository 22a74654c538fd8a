"""What may stand at a place of the command line: commands, options, and values of options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from usearch.cli.app import LazyCommands, build_app
from usearch.cli.commands import SECTIONS

Candidate = tuple[str, str]
"""A word, and what it means."""


def candidates(words: Sequence[str]) -> list[Candidate]:
    """Words that may take the place of the last one.

    A command's module is imported only where its own options are asked for.

    Args:
        words: What follows `usearch`, up to the cursor; the last one is being typed, and may
            be empty.

    Returns:
        Empty where a file may stand, or anything.
    """
    *before, current = words or [""]
    found = [(word, said) for word, said in _all(before, current) if word.startswith(current)]
    return sorted(found) if current.startswith("-") else found


def _all(before: Sequence[str], current: str) -> Iterator[Candidate]:
    commands = LazyCommands()
    name = next((word for word in before if word in commands), None)
    if name is None:
        if current.startswith("-"):
            yield from _options(build_app(), ())
        else:
            for section in SECTIONS.values():
                yield from section.items()
        return
    command = commands[name]
    after = list(before[before.index(name) + 1 :])
    own: dict[str, Any] | None = getattr(command, "commands", None)
    if own is not None:
        chosen = next((word for word in after if word in own), None)
        unnamed = getattr(command, "unnamed", None)
        if chosen is not None:
            command, after = own[chosen], after[after.index(chosen) + 1 :]
        elif unnamed is not None and (after or current.startswith("-")):
            command = unnamed
        else:
            yield from _options(command, ()) if current.startswith("-") else _summaries(own)
            return
    yield from _in_command(command, after, current)


def _in_command(command: Any, after: list[str], current: str) -> Iterator[Candidate]:
    """Options of a command, or values of the option or argument whose turn it is."""
    if "--" in after:
        return
    if after and after[-1] == "=":  # bash takes --option=value for three words
        after = after[:-1]
    before = _option_named(command, after[-1]) if after else None
    if before is not None and not before.is_flag:
        yield from _values(before)
    elif current.startswith("-"):
        yield from _options(command, after)
    else:
        for argument in command.params:
            if argument.param_type_name == "argument":
                yield from _values(argument)


def _option_named(command: Any, word: str) -> Any:
    return next((p for p in command.params if word.startswith("-") and word in p.opts), None)


def _options(command: Any, typed: Sequence[str]) -> Iterator[Candidate]:
    """Names of options, but for those that were typed and cannot be repeated."""
    for option in command.params:
        names = [*option.opts, *option.secondary_opts]
        once = not getattr(option, "multiple", False)
        if option.param_type_name != "option" or (once and not set(names).isdisjoint(typed)):
            continue
        for name in names:
            yield name, " ".join((getattr(option, "help", None) or "").split())
    yield "--help", "Show the help."


def _summaries(commands: dict[str, Any]) -> Iterator[Candidate]:
    for name, command in commands.items():
        if command.hidden:
            continue
        yield name, command.get_short_help_str(limit=100)


def _values(param: Any) -> Iterator[Candidate]:
    """What an option or argument may be, where that is a list: `a|b` in its help, or known."""
    metavar = param.metavar or ""
    if param.name == "preset":
        from usearch.models.presets import PRESETS

        metavar = "|".join(PRESETS)
    elif param.name in ("name", "names") and "NAME" in metavar:
        from usearch.models.registry import known_models

        yield from ((model.key, model.what) for model in known_models())
    if "|" in metavar:
        yield from ((value, "") for value in metavar.strip("[]").split("|") if value.islower())
