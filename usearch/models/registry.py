"""The models that presets are made of: what each is for, how large, whose terms, where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from usearch.errors import UsageError
from usearch.models.files import WEIGHTS, WeightFile, missing, weight_dirs, where_to_get
from usearch.models.runs import LARGE_HEAD, Run, known_runs
from usearch.settings import setting

MINI_FOLDER = Path(__file__).parent / "mini"
HEAD = LARGE_HEAD
"""Folder of a trained USE head among the weights; `usearch train` makes one, none is published."""


@dataclass(frozen=True, slots=True)
class Model:
    """One thing that a preset needs.

    Attributes:
        key: Its name in `usearch models`.
        what: What it is, for people.
        use: Presets and settings that need it.
        bytes: Size on disk; None where it is not known.
        licence: Terms.
        path: Where it is; where it would be put when it is not `here`.
        here: Whether it is there.
        complete: Whether it has the published size; nothing is hashed for this.
        trained: Whether `usearch train` made it.
    """

    key: str
    what: str
    use: str
    bytes: int | None
    licence: str
    path: Path
    here: bool
    complete: bool = True
    trained: bool = False


_USE = {
    "sam-vit-b": "segmenter sam, with sam = vit-b",
    "sam-vit-l": "segmenter sam, with sam = vit-l",
    "sam-vit-h": "segmenter sam; preset large",
    "clip-vit-b-32": "preset clip, with clip = clip-vit-b-32",
    "clip-vit-l-14-336": "preset clip; preset large",
    "dinov2-vit-l-14": "preset large",
}


def known_models() -> list[Model]:
    """Everything that a preset may need, the bundled model first, then models of one's own."""
    size = sum(file.stat().st_size for file in MINI_FOLDER.iterdir() if file.is_file())
    mini = Model(
        "mini", "the bundled model", "preset mini", size, "Apache-2.0", MINI_FOLDER, here=True
    )
    fixed = [mini, *(published_model(key) for key in WEIGHTS), _head()]
    taken = {model.key for model in fixed}
    return [*fixed, *trained_models(taken)]


def published_model(key: str) -> Model:
    """A published weight file and where it is."""
    known = WEIGHTS[key]
    found = find_unverified(known)
    complete = found is not None and known.bytes in (None, found.stat().st_size)
    return Model(
        key,
        known.what,
        _USE.get(key, ""),
        known.bytes,
        known.licence,
        found or download_folder() / known.name,
        here=found is not None,
        complete=complete,
    )


def trained_models(taken: set[str]) -> Iterator[Model]:
    """The models of `usearch train` that the setting `model` names, or that lie among the weights.

    Args:
        taken: Names that stand for others; such a model is called by its path.
    """
    among = {folder.resolve() for folder in weight_dirs()}
    for run in known_runs():
        name = run.folder.name
        if name == HEAD and run.folder.parent.resolve() in among:
            continue  # that of the preset `large`
        key = (
            name if run.folder.parent.resolve() in among and name not in taken else str(run.folder)
        )
        taken.add(key)
        yield trained_model(run, key)


def trained_model(run: Run, key: str) -> Model:
    """A model of `usearch train` under the name by which it is called."""
    towers = ", ".join(branch for branch in run.towers if branch != "text")
    return Model(
        key,
        f"a trained model over {towers}, {run.space.dim} numbers a vector",
        f"--model {key}",
        sum(file.stat().st_size for file in run.folder.rglob("*") if file.is_file()),
        "as its training data",
        run.folder,
        here=True,
        trained=True,
    )


def _head() -> Model:
    places = [folder / HEAD for folder in weight_dirs()]
    found = next((p for p in places if (p / "head.json").is_file()), None)
    size = None if found is None else sum(f.stat().st_size for f in found.iterdir() if f.is_file())
    return Model(
        HEAD,
        "a trained USE head",
        "preset large",
        size,
        "as its training data; made by `usearch train`",
        found or download_folder() / HEAD,
        here=found is not None,
        trained=True,
    )


def find_unverified(known: WeightFile) -> Path | None:
    """Where a weight file lies, by its name alone."""
    places = (folder / known.name for folder in weight_dirs())
    return next((path for path in places if path.is_file()), None)


def download_folder() -> Path:
    """Where weights are put: the first of the folders that are searched."""
    return weight_dirs()[0]


def needed_by(name: str) -> list[str]:
    """Keys of the published weights that a preset or segmenter needs, as the settings are.

    Raises:
        UsageError: There is no such preset, segmenter or model.
    """
    if name in WEIGHTS:
        return [name]
    sam, clip = f"sam-{setting('sam')}", setting("clip")
    needs: dict[str, list[str]] = {
        "mini": [],
        "sam": [sam],
        "clip": [clip] if clip in WEIGHTS else [],
        "large": ["clip-vit-l-14-336", "dinov2-vit-l-14", sam],
        HEAD: [],
    }
    if name not in needs:
        import difflib

        every = [*needs, *WEIGHTS]
        near = difflib.get_close_matches(name, every, n=1)
        raise UsageError(
            f"there is no model {name!r}",
            (f"did you mean {near[0]!r}? " if near else "") + "`usearch models list` shows all",
        )
    return needs[name]


def what_is_missing(key: str) -> tuple[str, str]:
    """Of a published weight file: the line that names it, and the line that says what to do."""
    known = WEIGHTS[key]
    return missing(known, weight_dirs()), where_to_get(known)
