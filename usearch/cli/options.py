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

    One that is named is looked for there alone, and opening it says when there is none.
    """
    from usearch.opened import named_store
    from usearch.settings import setting
    from usearch.store import find_store

    store = setting("store", store)
    return find_store() if store is None else named_store(store)
