"""Printing: results to stdout, all else to stderr, nothing that could move a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from usearch.render.safe_text import printable

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA_VERSION = 1
"""Of every `--json` object: rises when a key is removed or changes its meaning."""


def note(text: str, end: str = "\n") -> None:
    """Write a message to stderr, control characters escaped. A closed stderr is no error."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(printable(text, keep_newlines=True) + end)
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def complain(message: str, hint: str = "", excerpt: str = "") -> None:
    """Write an error to stderr: what is wrong, where in the text, and what to do."""
    note(f"usearch: {_one_line(message)}")
    for line in excerpt.splitlines():
        note(f"    {line}")
    if hint:
        note(f"  {_one_line(hint)}")


def result(line: str) -> None:
    """Write one line of results to stdout, control characters (but tabs) escaped."""
    sys.stdout.write(printable(line, keep_tabs=True) + "\n")


def write_bytes(data: bytes) -> None:
    """Bytes to stdout: paths have no encoding, and CSV is UTF-8 with CR LF everywhere."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(data.decode("utf-8", "surrogateescape"))
    else:
        buffer.write(data)


def json_result(command: str, values: dict[str, Any]) -> None:
    """Write the one object of `--json`: ASCII only, so the same bytes in every locale."""
    schema = f"usearch.{command.replace(' ', '.')}/{SCHEMA_VERSION}"
    document = {"schema": schema, "schema_version": SCHEMA_VERSION, "command": command, **values}
    json.dump(document, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def open_in_browser(address: str) -> None:
    """Show a page; where no browser can be started, say so."""
    import webbrowser

    if not webbrowser.open(address):
        note("no browser could be started; open the page by hand")


def is_terminal() -> bool:
    """Whether a person reads stdout: a table then, plain lines otherwise."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal() -> Console:
    """A rich console on stdout; obeys NO_COLOR, TERM=dumb and FORCE_COLOR."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    if console.width < _NARROWEST:
        console.width = _NARROWEST
    return console


_NARROWEST = 40


def _one_line(text: str) -> str:
    return " ".join(text.splitlines()) if "\n" in text or "\r" in text else text
