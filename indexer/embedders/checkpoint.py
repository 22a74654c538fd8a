"""A trained USE head on disk: safetensors, and beside it a card in JSON.

    <folder>/head.safetensors    the unfolded head (fp32), so that training can go on
    <folder>/head.json           format, architecture, towers, input, embedding space, checksum;
                                 and for people: data, recipe, figures

The card binds the head to the backbones that it was trained on: loading checks the
checksum of the weights here, and the builder checks those of the towers.
`usearch.models.runs` reads the same card without torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from indexer.embedders.head import HeadShape, USEHead
from indexer.embedders.towers import InputSize
from indexer.embedders.weights import load_into, read_weights
from usearch.errors import ModelError
from usearch.models.card import sha256_of
from usearch.models.files import file_sha256
from usearch.models.runs import (
    HEAD_CARD,
    HEAD_FORMAT,
    HEAD_KIND,
    HEAD_WEIGHTS,
    PLACES_FILE,
    head_space,
    read_head_values,
)

WEIGHTS_NAME = HEAD_WEIGHTS
CARD_NAME = HEAD_CARD
PLACES_NAME = PLACES_FILE


@dataclass(frozen=True, slots=True)
class HeadCard:
    """What a head was trained on and for.

    Attributes:
        shape: Architecture.
        towers: For each branch the identity of its backbone: library, model, weights
            (checksum); also "text" where no branch is a CLIP model.
        files: For each of these the name of its weight file.
        input: How an image reaches the towers (`InputSize.to_json`).
        space_id: Id of the embedding space; filled in when saved.
        logit_scale: Multiplier of the cosine in training's softmax.
        notes: Anything else.
        sha256: Checksum of the weights; filled in when saved.
        templates: Template set that texts are put through (`usearch.text.templates`).
        data: What it was trained on, with counts and terms (`trainer.use.card`).
        recipe: The whole recipe, defaults included.
        metrics: Figures of the training and of held-out data.
    """

    shape: HeadShape
    towers: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, str]
    input: Mapping[str, Any]
    space_id: str
    logit_scale: float
    notes: Mapping[str, Any]
    sha256: str = ""
    templates: str = "vild14"
    data: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)


def save_head(
    folder: Path, head: USEHead, card: HeadCard, places: Mapping[str, Path] | None = None
) -> HeadCard:
    """Write a head and its card; an older head in the folder is replaced.

    The card is written last and names the checksum, so a half-written pair is noticed.

    Args:
        folder: Made where it is missing.
        head: Of the card's shape.
        card: Its checksum and the id of its space are filled in.
        places: For each backbone where its file lies now, so that the model can be used here
            without copying the file among the weights.

    Returns:
        The card as it was written.

    Raises:
        OSError: The disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor.detach().float().cpu().contiguous()
        for name, tensor in head.state_dict().items()
    }
    weights = folder / WEIGHTS_NAME
    partial = folder / f"{WEIGHTS_NAME}.partial"
    save_file(state, partial)
    partial.replace(weights)
    sha256 = sha256_of(weights)
    size = InputSize(int(card.input["short"]), int(card.input["long"])).to_json()
    space = head_space(folder.name, card.shape.dim, card.towers, sha256, size)
    card = replace(card, sha256=sha256, space_id=space.id)
    if places is not None:
        found = {branch: str(path.absolute()) for branch, path in places.items()}
        _write_json(folder / PLACES_NAME, found)
    values = {
        "format": HEAD_FORMAT,
        "kind": HEAD_KIND,
        "shape": card.shape.to_json(),
        "towers": card.towers,
        "files": card.files,
        "input": size,
        "space_id": card.space_id,
        "logit_scale": card.logit_scale,
        "templates": card.templates,
        "data": card.data,
        "recipe": card.recipe,
        "metrics": card.metrics,
        "notes": card.notes,
        "weights": {"file": WEIGHTS_NAME, "sha256": sha256},
    }
    _write_json(folder / CARD_NAME, values)
    return card


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    """A file that is there whole or not at all."""
    text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_head(folder: Path) -> tuple[USEHead, HeadCard]:
    """The head of a folder, verified against its card.

    Raises:
        ModelError: Files are missing, damaged, newer than this version, or do not belong
            together.
    """
    card = load_card(folder)
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():
        raise ModelError(f"{folder} has a card but no {WEIGHTS_NAME}")
    if file_sha256(weights) != card.sha256:
        raise ModelError(
            f"{weights} fails the checksum in {CARD_NAME}",
            "the two files are from different runs, or one is damaged; copy both again",
        )
    head = USEHead(card.shape)
    load_into(head, read_weights(weights), weights)
    return head.eval(), card


def load_card(folder: Path) -> HeadCard:
    """The card of a head, without its weights.

    Raises:
        ModelError: As `load_head`.
    """
    path = folder / CARD_NAME
    values = read_head_values(folder)
    try:
        return HeadCard(
            shape=HeadShape.from_json(values["shape"]),
            towers=values["towers"],
            files=values["files"],
            input=values["input"],
            space_id=str(values["space_id"]),
            logit_scale=float(values["logit_scale"]),
            notes=values["notes"],
            sha256=str(values["weights"]["sha256"]),
            templates=str(values.get("templates", "vild14")),
            data=values.get("data", {}),
            recipe=values.get("recipe", {}),
            metrics=values.get("metrics", {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is damaged: {error!r}") from error
