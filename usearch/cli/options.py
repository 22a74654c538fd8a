"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from usearch.errors import UsageError

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

DeviceOption = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where torch models run; mini needs none."
    ),
]

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="RUN",
        help="A model of `usearch train`, by its folder. Without it: the one of the store.",
        show_default=False,
    ),
]


def asked_model(model: str | None) -> str | None:
    """The model that `--model` names, for questions to a store; None leaves it to the store.

    Raises:
        UsageError: There is no preset or model of that name.
        ModelError: The folder holds no trained model.
    """
    from usearch.models.presets import model_named

    return None if model is None else model_named(model)


def new_model(context: typer.Context, model: str | None, preset: str | None) -> str:
    """The preset, or the folder of the trained model, that new work is done with.

    What is typed comes before what is set, and the setting `model` before the setting `preset`.

    Raises:
        UsageError: Both options are typed, or one names nothing.
        ModelError: The folder holds no trained model.
    """
    from usearch.settings import setting

    typed = typed_value(context, "preset", preset)
    if model is not None and typed is not None:
        raise UsageError(
            "--model and --preset both say which model to take", "leave one of them out"
        )
    named = model or typed
    if named is None:
        kept = setting("model")
        named = str(kept) if kept is not None else setting("preset", preset)
    return asked_model(str(named)) or str(named)


def typed_value(context: typer.Context, name: str, value: str | None) -> str | None:
    """The value of an option that stands on the command line; None when a setting gave it."""
    source = context.get_parameter_source(name)
    return value if source is not None and source.name == "COMMANDLINE" else None


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
