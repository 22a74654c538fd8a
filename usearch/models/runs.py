"""Folders of trained models, read without torch: what they are, their space, their texts.

`usearch train` writes the first form, `usearch train export` the second, beside it or elsewhere:

    RUN/head.json, head.safetensors    a head over backbones that lie among the weights
    RUN/onnx/card.json, model.json     all of it in ONNX: nothing else is needed to use it

Both make vectors of one space: a store that one of them made is asked with the other.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usearch.errors import ModelError
from usearch.models.card import CARD as ONNX_CARD
from usearch.models.card import read_card, sha256_of
from usearch.models.files import weight_dirs
from usearch.records import EmbeddingSpace
from usearch.settings import setting

HEAD_CARD = "head.json"
HEAD_WEIGHTS = "head.safetensors"
HEAD_FORMAT = 1
PLACES_FILE = "backbones.json"
"""Where the backbones lay on the machine that trained: of use there alone, so not in the card."""
HEAD_KIND = "use-head"

ONNX_FOLDER = "onnx"
"""Where `usearch train export` puts the ONNX form of a run, inside it."""
ONNX_KIND = "use"
"""Kind of space of an ONNX form; the bundled model's card names none."""

LARGE_HEAD = "use-large"
"""Folder of the trained head of preset `large`, among the weights."""

POOLING = "area-1"
"""Name of the pooling rule: exact area weights, summing to 1 (`usearch.masks`)."""


@dataclass(frozen=True, slots=True)
class Run:
    """A trained model.

    Attributes:
        folder: As it is called: that of the run, or of an ONNX form that stands alone.
        space: Space of its vectors.
        logit_scale: Multiplies cosines before a softmax.
        templates: Template set that its texts are put through.
        towers: Identity of each backbone, and of "text" where no branch gives the texts.
        head: Folder of the head; None where only the ONNX form is here.
        onnx: Folder of the ONNX form; None where it was not exported.
        card: The card as it stands in the file.
    """

    folder: Path
    space: EmbeddingSpace
    logit_scale: float
    templates: str
    towers: Mapping[str, Mapping[str, Any]]
    head: Path | None
    onnx: Path | None
    card: Mapping[str, Any]

    @property
    def text(self) -> tuple[str, Mapping[str, Any]]:
        """Which of the towers gives the texts, and its identity.

        Raises:
            ModelError: None does.
        """
        named = [b for b in self.towers if self.towers[b].get("library") == "open_clip"]
        branch = next((b for b in ("text", *named) if b in self.towers), None)
        if branch is None:
            raise ModelError(f"the card of {self.folder} names no model for the texts")
        return branch, self.towers[branch]


def is_run(folder: Path) -> bool:
    """Whether a folder holds a trained model in either form; the bundled model's is neither."""
    return _is_file(folder / HEAD_CARD) or _is_onnx(folder)


def read_run(folder: Path) -> Run:
    """The model of a folder.

    Raises:
        ModelError: There is none, or its card is damaged or newer than this version.
    """
    folder = _whole(folder.expanduser())
    if _is_file(folder / HEAD_CARD):
        return _head_run(folder)
    if _is_onnx(folder):
        return _onnx_run(folder)
    if _is_file(folder / ONNX_CARD):
        raise ModelError(
            f"{folder} holds a model in the form of the bundled one, not of `usearch train`",
            "name the folder that `usearch train` or `usearch train export` wrote",
        )
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}", "name the folder of a trained model")
    raise ModelError(
        f"{folder} holds no trained model: neither {HEAD_CARD} nor {ONNX_CARD}",
        "a training that has not ended writes its first model at its first checkpoint"
        if _is_file(folder / "recipe.json")
        else "name the folder that `usearch train` wrote",
    )


def find_run(name: str) -> Path:
    """The folder that a name stands for: a path, or a folder among the weights.

    Args:
        name: As typed, or as a store remembers it.

    Raises:
        ModelError: There is no such folder, or it holds no model.
    """
    folder = Path(name).expanduser()
    if is_run(folder):
        return _whole(folder)
    if is_word(name):
        for place in weight_dirs():
            if is_run(place / name):
                return place / name
    return read_run(folder).folder


def is_word(name: str) -> bool:
    """Whether a name could be that of a preset or a folder among the weights, and no path."""
    return name not in ("", ".", "..") and not any(sep in name for sep in ("/", os.sep))


def find_large(weights: Path | None = None) -> Path:
    """Folder of the trained head of preset `large`.

    Args:
        weights: A folder to search first.

    Raises:
        ModelError: There is none.
    """
    folders = [place / LARGE_HEAD for place in weight_dirs(weights)]
    found = next((folder for folder in folders if folder.is_dir()), None)
    if found is None:
        raise ModelError(
            f"preset large needs a trained USE head, none in {', '.join(map(str, folders))}",
            "none is published: train one with `usearch train`, then name its folder with "
            f"--model, or put it there as {folders[0]}",
        )
    return found


def known_runs() -> Iterator[Run]:
    """The models that can be found without being named: the setting's, and among the weights.

    Folders that are damaged are passed over: this is for listing and for finding again.
    """
    named = setting("model")
    places = [] if named is None else [Path(named)]
    for folder in weight_dirs():
        try:
            places += sorted(path for path in folder.iterdir() if path.is_dir())
        except OSError:
            continue
    seen: set[Path] = set()
    for place in places:
        try:
            real = place.resolve()
            if real in seen or not is_run(place):
                continue
            seen.add(real)
            yield read_run(place)
        except (ModelError, OSError):
            continue


def run_of_space(space_id: str) -> Run | None:
    """A model that makes vectors of a space, among those that can be found."""
    return next((run for run in known_runs() if run.space.id == space_id), None)


def verify_run(run: Run) -> None:
    """Compare the files of a model with the checksums of its cards; backbones are not read.

    Raises:
        ModelError: A file is missing or damaged.
    """
    if run.head is not None:
        weights = run.head / HEAD_WEIGHTS
        if not _is_file(weights):
            raise ModelError(f"{run.head} has a card but no {HEAD_WEIGHTS}")
        if sha256_of(weights) != run.card["weights"]["sha256"]:
            raise ModelError(f"{weights} fails the checksum in {HEAD_CARD}")
    if run.onnx is not None:
        card = read_card(run.onnx)
        for name in card.files:
            card.path(name)


def absent_backbones(run: Run) -> list[str]:
    """Names of the backbone files that a head needs and that are nowhere; nothing is hashed."""
    if run.head is None or run.onnx is not None:
        return []
    files = dict(run.card.get("files", {}))
    try:
        places = json.loads((run.head / PLACES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        places = {}
    absent = []
    for branch, identity in run.towers.items():
        name = str(files.get(branch, ""))
        folders = [run.head, *weight_dirs()]
        found = any(_is_file(folder / name) for folder in folders) or _is_file(
            Path(str(places.get(branch, "")))
        )
        if identity.get("library") != "usearch" and not (name and found):
            absent.append(name or f"{identity.get('library')} {identity.get('model')}")
    return absent


def read_head_values(folder: Path) -> dict[str, Any]:
    """The card of a head as plain JSON values, its form checked.

    Raises:
        ModelError: It is missing, not readable, of another kind, or newer than this version.
    """
    path = folder / HEAD_CARD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} holds no trained USE head ({HEAD_CARD} and {HEAD_WEIGHTS})",
            "train one with `usearch train`, and name its folder",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not readable as a card: {error}") from error
    try:
        if values["kind"] != HEAD_KIND:
            raise ModelError(f"{path} is the card of another kind of model")
        if values["format"] > HEAD_FORMAT:
            raise ModelError(
                f"{path} has format {values['format']}, this version reads up to {HEAD_FORMAT}",
                "upgrade use-segments",
            )
    except (KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error!r}") from error
    found: dict[str, Any] = values
    return found


def head_space(
    name: str,
    dim: int,
    towers: Mapping[str, Mapping[str, Any]],
    head_sha256: str,
    size: Mapping[str, Any],
) -> EmbeddingSpace:
    """The space of a USE model.

    Args:
        name: For people; not part of the id.
        dim: Dimension of the joint space.
        towers: Identity of each backbone.
        head_sha256: Checksum of the head's weights.
        size: `indexer.embedders.towers.InputSize` as JSON.
    """
    made_by = {
        "kind": "use",
        "towers": {branch: dict(identity) for branch, identity in towers.items()},
        "head": head_sha256,
        "pooling": POOLING,
        "input": dict(size),
    }
    return space_of(name, dim, made_by)


def space_of(name: str, dim: int, made_by: Mapping[str, Any]) -> EmbeddingSpace:
    """An embedding space whose id is a hash over all that shapes its vectors.

    Args:
        name: For people; not part of the id.
        dim: Number of components.
        made_by: Plain JSON values: towers with checksums, head, pooling, input.
    """
    values = {"dim": dim, **made_by}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return EmbeddingSpace(id=digest, dim=dim, name=name, made_by=dict(made_by))


def _head_run(folder: Path) -> Run:
    values = read_head_values(folder)
    try:
        size = values["input"]
        space = head_space(
            f"USE {folder.name}",
            int(values["shape"]["dim"]),
            values["towers"],
            str(values["weights"]["sha256"]),
            {"short": int(size["short"]), "long": int(size["long"]), "resize": "pillow-bicubic"},
        )
        known, scale = str(values["space_id"]), float(values["logit_scale"])
        templates, towers = str(values.get("templates", "vild14")), dict(values["towers"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder / HEAD_CARD} is damaged: {error!r}") from error
    if known and known != space.id:
        raise ModelError(
            f"{folder} was made for the space {known}, its parts give {space.id}",
            "head and card are from different versions; copy the whole folder again",
        )
    onnx = folder / ONNX_FOLDER
    if not _is_onnx(onnx) or read_card(onnx).space.id != space.id:
        return Run(folder, space, scale, templates, towers, folder, None, values)
    return Run(folder, space, scale, templates, towers, folder, onnx, values)


def _onnx_run(folder: Path) -> Run:
    card = read_card(folder)
    made_by = card.space.made_by
    space = space_of(card.name, card.space.dim, made_by)
    if space.id != card.space.id:
        raise ModelError(
            f"{folder} was made for the space {card.space.id}, its parts give {space.id}",
            "copy the whole folder again",
        )
    values = json.loads((folder / ONNX_CARD).read_text(encoding="utf-8"))
    return Run(
        folder, space, card.logit_scale, card.templates, made_by["towers"], None, folder, values
    )


def _is_onnx(folder: Path) -> bool:
    path = folder / ONNX_CARD
    if not _is_file(path):
        return False
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return bool(values["space"]["made_by"].get("kind") == ONNX_KIND)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _whole(folder: Path) -> Path:
    """The same folder from the root on; links stay as they are."""
    return Path(os.path.normpath(folder.absolute()))


def _is_file(path: Path) -> bool:
    """As `Path.is_file`, which raises where a folder above may not be searched."""
    return os.path.isfile(path)  # noqa: PTH113
