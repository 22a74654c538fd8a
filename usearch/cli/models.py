"""`usearch models`: what the presets are made of, where it is, and how to get it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usearch.cli.options import JsonOption
from usearch.cli.output import is_terminal, json_result, note, result, terminal
from usearch.errors import CheckFailed, ModelError, UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from usearch.models.registry import Model

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

models = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    context_settings=_HELP,
    help="""List, fetch and verify the models.

    \b
    usearch models list
    usearch models info mini
    usearch models pull sam-vit-b
    usearch models verify

    The preset mini is bundled and needs nothing. The presets clip and large and the
    segmenter sam run published weights, which `pull` fetches after it has asked, or which
    you put into one of the folders that `usearch models path` names.
    """,
)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Models or presets, such as sam-vit-b or clip."),
]


@models.command("list", context_settings=_HELP)
def list_models(json: JsonOption = False) -> None:
    """List the models.

    What they are for, how large, whose terms, where they are. Into a pipe,
    a model is one line: name, state, bytes, licence, use, path.
    """
    from usearch.models.registry import known_models

    known = known_models()
    if json:
        json_result("models list", {"models": [_values(model) for model in known]})
    elif is_terminal():
        from usearch.render.listing import listing

        heads = ("model", "state", "size", "licence", "for", "where")
        rows = [(m.key, _state(m), _size(m.bytes), m.licence, m.use, str(m.path)) for m in known]
        terminal().print(listing(heads, rows))
    else:
        for m in known:
            size = "" if m.bytes is None else str(m.bytes)
            result("\t".join((m.key, _state(m), size, m.licence, m.use, str(m.path))))
    if not all(m.here for m in known):
        note("usearch models pull NAME fetches what is missing, after it has asked")


@models.command("info", context_settings=_HELP)
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME|FOLDER", help="A model, or its folder.")],
    json: JsonOption = False,
) -> None:
    """Print the card of a model.

    What it is, what it was made of, its figures and limits.

    \b
    usearch models info mini
    usearch models info sam-vit-h
    usearch models info runs/mine          # what a training has made
    """
    card = _card(name)
    if json:
        json_result("models info", {"model": name, "card": card})
        return
    for line in _lines(card):
        result(line)


@models.command("path", context_settings=_HELP)
def show_path(name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None) -> None:
    """Print where a model is.

    Without a name: the folders that are searched, in order.
    """
    from usearch.models.files import weight_dirs
    from usearch.models.registry import known_models, needed_by, what_is_missing

    if name is None:
        for folder in weight_dirs():
            result(str(folder))
        return
    own = {model.key: model for model in known_models()}
    found = [own[name]] if name in own else [own[key] for key in needed_by(name)]
    for model in found:
        if model.here:
            result(str(model.path))
    absent = [model for model in found if not model.here]
    if absent:
        if absent[0].key not in needed_by(absent[0].key):
            raise ModelError(f"{absent[0].what} is not here", "`usearch train` makes one")
        raise ModelError(*what_is_missing(absent[0].key))


@models.command("pull", context_settings=_HELP)
def pull_models(
    names: Names = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Fetch without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Fetch published weights, after asking.

    \b
    usearch models pull clip               # what the preset clip needs
    usearch models pull sam-vit-b --yes

    Says how much and whose terms, asks, fetches, verifies. Takes up again where it
    ended. Of all commands this is the only one that opens a connection. Exit code 8 when
    the server cannot be reached, 6 when what came is not the published file.
    """
    from usearch.models.registry import download_folder

    folder = download_folder()
    missing = [model for model in _named(names) if not (model.here and model.complete)]
    if not missing:
        note("all of it is here; `usearch models verify` checks it")
    total = sum(model.bytes or 0 for model in missing)
    for model in missing:
        note(f"{model.key}: {model.what}, {_size(model.bytes)}, {model.licence}")
        note(f"  {_source(model)} -> {folder / Path(model.path).name}")
    if missing and not yes:
        _ask(f"fetch {_size(total)}?")
    fetched = [_pull(model, folder) for model in missing]
    if json:
        json_result("models pull", {"files": [json_name(path) for path in fetched]})
    else:
        for path in fetched:
            result(str(path))


@models.command("verify", context_settings=_HELP)
def verify_models(names: Names = None, json: JsonOption = False) -> None:
    """Check models against their checksums.

    Without names all that are here. One line a model: name, `ok`, `damaged` or
    `missing`, path. Exit code 9 when one is damaged, or missing although it was named.
    """
    from usearch.models.registry import known_models

    checked = [m for m in known_models() if m.here] if not names else _named(names)
    states = [(model, _verified(model)) for model in checked]
    if json:
        values = [{**_values(model), "state": state} for model, state in states]
        json_result("models verify", {"models": values})
    else:
        for model, state in states:
            result(f"{model.key}\t{state}\t{model.path}")
    bad = [model for model, state in states if state != "ok"]
    if bad:
        raise CheckFailed(
            f"{len(bad)} of {len(states)} models {'is' if len(bad) == 1 else 'are'} not in order",
            "delete what is damaged; `usearch models pull NAME` fetches it again",
        )


def _named(names: list[str] | None) -> list[Model]:
    """The models that names stand for, each once.

    Raises:
        UsageError: No name, an unknown one, or one that nobody publishes.
    """
    from usearch.models.registry import HEAD, known_models, needed_by, trained_model
    from usearch.models.runs import is_run, read_run

    if not names:
        raise UsageError("name a model or a preset", "`usearch models list` shows all")
    own = {model.key: model for model in known_models()}
    for name in names:
        if name not in own and is_run(Path(name)):
            own[name] = trained_model(read_run(Path(name)), name)
    keys: dict[str, None] = {}
    for name in names:
        one = name == "mini" or (name in own and own[name].trained and name != HEAD)
        keys.update(dict.fromkeys([name] if one else needed_by(name)))
        if name == HEAD:
            raise UsageError(
                f"nobody publishes {HEAD}, a trained USE head", "`usearch train` makes one"
            )
    return [own[key] for key in keys if key in own and key != "mini"] or [own["mini"]]


def _pull(model: Model, folder: Path) -> Path:
    from usearch.models.files import WEIGHTS
    from usearch.models.pull import pull

    known = WEIGHTS[model.key]
    if sys.stderr is None or not sys.stderr.isatty():
        path = pull(known, folder)
    else:
        from usearch.cli.progress import byte_bar

        with byte_bar(known.name, known.bytes) as tell:
            path = pull(known, folder, tell)
    note(f"{known.name}: complete, checksum verified")
    return path


def _ask(question: str) -> None:
    """Ask on the terminal.

    Raises:
        UsageError: There is no terminal to ask on, or the answer is no.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("nobody is here to be asked", "add --yes to fetch without being asked")
    note(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was fetched")


def _verified(model: Model) -> str:
    from usearch.models.files import WEIGHTS, verified
    from usearch.models.presets import mini_card
    from usearch.models.runs import read_run, verify_run

    if not model.here:
        return "missing"
    try:
        if model.key == "mini":
            for name in mini_card().files:
                mini_card().path(name)
        elif model.key in WEIGHTS:
            verified(model.path, WEIGHTS[model.key])
        elif model.trained:
            verify_run(read_run(model.path))
    except ModelError as error:
        note(error.message)
        return "damaged"
    return "ok"


def _card(name: str) -> dict[str, Any]:
    """The facts of a model, or what is written in the folder of one."""
    import json

    from usearch.models.registry import MINI_FOLDER, known_models, needed_by

    own = {model.key: model for model in known_models()}
    trained = name in own and own[name].trained and own[name].here
    if name in own and name != "mini" and not trained:
        return {**_values(own[name]), "source": _source(own[name])}
    folder = MINI_FOLDER if name == "mini" else own[name].path if trained else Path(name)
    for file in (folder / "card.json", folder / "head.json"):
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise ModelError(f"{file} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise ModelError(f"{file} is no card")
        return found
    if folder.is_dir():
        raise ModelError(f"there is no model in {folder}: neither card.json nor head.json")
    return {key: _card(key) for key in needed_by(name)}


def _lines(card: Any, indent: str = "") -> list[str]:
    """A card as readable lines: nested values are indented, lists have dashes."""
    lines: list[str] = []
    items = card.items() if isinstance(card, dict) else [("-", value) for value in card]
    for key, value in items:
        label = f"{indent}{key}" if key == "-" else f"{indent}{key}:"
        if isinstance(value, dict) and key == "-" and all(_is_plain(v) for v in value.values()):
            lines.append(f"{label} " + "; ".join(f"{k}: {v}" for k, v in value.items()))
        elif isinstance(value, list) and all(isinstance(v, int | float) for v in value):
            lines.append(f"{label} {', '.join(map(str, value))}")
        elif isinstance(value, dict | list):
            lines += [label, *_lines(value, indent + "  ")]
        else:
            lines.append(f"{label} {value}")
    return lines


def _is_plain(value: object) -> bool:
    return not isinstance(value, dict | list)


def _state(model: Model) -> str:
    if not model.here:
        return "not here"
    return "here" if model.complete else "incomplete"


def _size(n_bytes: int | None) -> str:
    return "" if n_bytes is None else f"{n_bytes / 1e6:,.0f} MB"


def _source(model: Model) -> str:
    from usearch.models.files import WEIGHTS

    return WEIGHTS[model.key].source if model.key in WEIGHTS else ""


def _values(model: Model) -> dict[str, Any]:
    return {
        "name": model.key,
        "what": model.what,
        "use": model.use,
        "bytes": model.bytes,
        "licence": model.licence,
        "path": json_name(model.path),
        "here": model.here,
        "complete": model.here and model.complete,
    }
