"""The card of a bundled model: what its files are, the space they make, how scores are read.

A model is a folder with `card.json` and the files it names. The card holds their SHA-256, so
that a damaged install is found before a native parser sees it, and the facts a person needs:
what it was trained on, what it can do, what it cannot.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usearch.errors import ModelError
from usearch.records import EmbeddingSpace

CARD = "card.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model's card.

    Attributes:
        folder: Where the files are.
        name: Such as "mini 1".
        space: Embedding space of its vectors.
        files: SHA-256, hex, of each file by name.
        logit_scale: Multiplies cosines before a softmax.
        templates: Name of the template set that its texts are put through.
        calibration: Constants of the score, by their names in `presets.Calibration`.
        about: Sources, terms, figures and limits, as plain JSON values.
    """

    folder: Path
    name: str
    space: EmbeddingSpace
    files: dict[str, str]
    logit_scale: float
    templates: str
    calibration: dict[str, float]
    about: dict[str, Any]

    def path(self, name: str) -> Path:
        """A file of the model, its checksum verified.

        Raises:
            ModelError: The file is missing or not what the card says.
        """
        path = self.folder / name
        wanted = self.files.get(name)
        if wanted is None:
            raise ModelError(f"{self.folder / CARD} names no file {name}", _REINSTALL)
        if not path.is_file():
            raise ModelError(f"{path} is missing", _REINSTALL)
        found = sha256_of(path)
        if found != wanted:
            raise ModelError(
                f"{path} is damaged: SHA-256 {found[:12]}, expected {wanted[:12]}", _REINSTALL
            )
        return path


_REINSTALL = "install usearch again, or give the folder of a complete model"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def space_id(made_by: dict[str, Any]) -> str:
    """Short hash over all that shapes a vector, given as plain JSON values."""
    text = json.dumps(made_by, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder.

    Raises:
        ModelError: There is no card, or it is not one that this version reads.
    """
    path = folder / CARD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"there is no model in {folder}: {CARD} is missing", _REINSTALL) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}", _REINSTALL) from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise ModelError(
            f"{path} has schema version {version}; this usearch reads {SCHEMA_VERSION}",
            "install the version of usearch that the model was made for",
        )
    try:
        space = data["space"]
        return ModelCard(
            folder=folder,
            name=data["name"],
            space=EmbeddingSpace(space["id"], int(space["dim"]), data["name"], space["made_by"]),
            files=dict(data["files"]),
            logit_scale=float(data["logit_scale"]),
            templates=data["templates"],
            calibration={k: float(v) for k, v in data["calibration"].items()},
            about=data.get("about", {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} lacks or garbles {error}", _REINSTALL) from error
