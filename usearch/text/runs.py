"""The text side of a trained model, loaded when a text comes that no cache knows.

The space is read from the model's card, so that texts that were asked before are answered
without loading anything, torch least of all. What is loaded is, in this order: the ONNX form
where the model was exported, the bundled text encoder where the model was trained with it, and
the text tower of the CLIP model with torch.
"""

from __future__ import annotations

import importlib
from functools import cached_property

import numpy as np

from usearch.errors import ModelError
from usearch.models.runs import Run
from usearch.records import EmbeddingSpace, FloatArray
from usearch.text import TextEncoder


class RunTexts:
    """Text encoder of a trained model.

    Attributes:
        id: Of the weights: part of the names of cached vectors. Both forms of a model have the
            same, since their vectors agree to rounding.

    Args:
        run: The model.

    Raises:
        ModelError: Its card names no model for the texts.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.id = str(run.text[1].get("weights", ""))

    @property
    def space(self) -> EmbeddingSpace:
        """The space that the vectors lie in."""
        return self._run.space

    def encode(self, texts: list[str]) -> FloatArray:
        """See `usearch.text.TextEncoder.encode`.

        Raises:
            ModelError: The encoder's files or packages are missing or damaged.
        """
        if not texts:
            return np.zeros((0, self.space.dim), np.float32)
        return self._encoder.encode(texts)

    @cached_property
    def _encoder(self) -> TextEncoder:
        run = self._run
        if run.onnx is not None:
            from usearch.text.onnx import onnx_texts

            return onnx_texts(run.onnx, run.space)
        _, identity = run.text
        if identity.get("library") == "usearch":
            return _bundled_texts(run, str(identity["weights"]))
        try:
            build = importlib.import_module("indexer.embedders.run")
        except ImportError as error:
            raise _needs_torch(run, str(error.name)) from error
        assert run.head is not None
        try:
            found: TextEncoder = build.build_run_text(run.head)
        except ImportError as error:
            raise _needs_torch(run, str(error.name)) from error
        return found


def _bundled_texts(run: Run, sha256: str) -> TextEncoder:
    """The bundled text encoder, where it is the one that the model was trained with."""
    from usearch.models.card import sha256_of
    from usearch.models.presets import mini_card
    from usearch.text.mini import NetworkTexts

    card = mini_card()
    weights = card.path("text.safetensors")
    if (here := sha256_of(weights)) != sha256:
        raise ModelError(
            f"{run.folder} was trained with other texts than those of {card.name}: the sha256 of "
            f"{weights.name} is {here}, the model's card says {sha256}",
            "export the model with the version of usearch that trained it, or train it again",
        )
    return NetworkTexts(weights, card.path("text.vocab.txt"), run.space)


def _needs_torch(run: Run, missing: str) -> ModelError:
    return ModelError(
        f"the texts of {run.folder} need torch and open_clip ({missing} is missing); only texts "
        "that were asked before are answered without",
        "pip install 'use-segments[torch]'; or, where it is installed, "
        "`usearch train export RUN`, which needs no torch afterwards",
    )
