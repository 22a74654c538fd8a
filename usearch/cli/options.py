"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        envvar="USEARCH_STORE",
        metavar="DIR",
        help="The store. Without it: the nearest .usearch from here upwards.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PresetOption = Annotated[
    str,
    typer.Option(
        "--preset", envvar="USEARCH_PRESET", metavar="NAME", help="The models to work with."
    ),
]


def chosen_store(store: Path | None) -> Path:
    """The folder of the store that a command works on.

    Raises:
        StoreNotFound: None was named and none lies here or above.
    """
    from usearch.opened import is_store
    from usearch.settings import setting
    from usearch.store import find_store

    store = setting("store", store)
    if store is None:
        return find_store()
    return store if is_store(store) or not store.is_dir() else find_store(store)
