"""The root command, which imports a command only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
import typer.core
import typer.main

import usearch
from usearch.cli.commands import SECTIONS

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyCommands(Mapping[str, Any]):
    """Commands by name; looking one up imports its module and builds it."""

    def __init__(self) -> None:
        self._names = [name for section in SECTIONS.values() for name in section]
        self._built: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._built:
            module = importlib.import_module(f"usearch.cli.{name}")
            found = getattr(module, name)
            if not isinstance(found, typer.Typer):
                single = typer.Typer(add_completion=False, rich_markup_mode=None)
                single.command(name, context_settings=_SETTINGS)(found)
                found = single
            self._built[name] = typer.main.get_command(found)
        return self._built[name]


class OptionDefaults(dict[str, Any]):
    """What options default to, by command: the settings that somebody set, for each command.

    A dict because the command line library wants one. Nothing is read before a command asks.

    Args:
        words: The command line. Help is given whatever the settings are.
    """

    _WITHOUT = ("config", "doctor", "completion")
    """Commands that help when the settings are wrong."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._help = not {"-h", "--help"}.isdisjoint(words)

    def get(self, name: str, default: Any = None) -> Any:
        """The defaults of a command."""
        if self._help or name in self._WITHOUT or not any(name in s for s in SECTIONS.values()):
            return default
        from usearch.settings import option_defaults

        return option_defaults()


class LazyGroup(typer.core.TyperGroup):
    """The root command. Its help is written from the table, without importing anything."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = LazyCommands()  # type: ignore[assignment]

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Names in the order of the table."""
        return list(self.commands)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the table of commands, section by section."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<10}", text) for name, text in commands.items()])


def build_app() -> Any:
    """The root command, ready to be invoked."""
    app = typer.Typer(
        cls=LazyGroup,
        add_completion=False,
        rich_markup_mode=None,
        context_settings=_SETTINGS,
        subcommand_metavar="COMMAND ...",
    )
    app.callback()(_root)
    return typer.main.get_command(app)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"usearch {usearch.__version__} (use-segments)")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Open-vocabulary search inside photos.

    \b
    usearch index ./photos
    usearch query "red car"
    usearch segment a.jpg --classes list.txt -o maps

    Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 nothing
    matches, 2 usage, 3 input, 4 store, 5 store busy, 6 model, 7 resources, 8 service,
    9 a check said no, 70 a bug. docs/cli.md has the details.
    """
