"""The `usearch` command: one module a command, each imported when it is called."""

from __future__ import annotations

from usearch.cli.entry import main

__all__ = ["main"]
