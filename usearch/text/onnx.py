"""The text side of an exported model: CLIP's text tower on ONNX Runtime, or the bundled network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from usearch.errors import ModelError
from usearch.models.card import read_card
from usearch.models.onnx_form import read_form, session_of
from usearch.records import EmbeddingSpace, FloatArray
from usearch.text import TextEncoder

_BATCH = 64


def onnx_texts(folder: Path, space: EmbeddingSpace) -> TextEncoder:
    """The text encoder of an exported model; loads no torch.

    Args:
        folder: Of the ONNX form.
        space: Of the model.

    Raises:
        ModelError: A file is missing or damaged.
    """
    card, form = read_card(folder), read_form(folder)
    if form.text["kind"] == "mini":
        from usearch.text.mini import NetworkTexts

        weights, pieces = form.text["weights"], form.text["vocabulary"]
        return NetworkTexts(card.path(weights), card.path(pieces), space)
    from usearch.text.bytepairs import BytePairs

    session = session_of(card.path(form.text["weights"]), threads=0)
    pairs = BytePairs(card.path(form.text["vocabulary"]))
    return OnnxTexts(session, pairs, int(form.text["length"]), space)


class OnnxTexts:
    """CLIP's text tower on ONNX Runtime.

    Args:
        session: Of `text.onnx`: tokens int64 [n, length] to vectors of unit length.
        pairs: Its tokeniser.
        length: Tokens of a text.
        space: The space that the vectors lie in.
    """

    def __init__(self, session: Any, pairs: Any, length: int, space: EmbeddingSpace) -> None:
        self._session = session
        self._pairs = pairs
        self._length = length
        self.space = space

    def encode(self, texts: list[str]) -> FloatArray:
        """See `usearch.text.TextEncoder.encode`; too long a text keeps its first tokens."""
        if not texts:
            return np.zeros((0, self.space.dim), np.float32)
        tokens = self._pairs(texts, self._length)
        parts: list[FloatArray] = [
            self._session.run(None, {"tokens": tokens[start : start + _BATCH]})[0]
            for start in range(0, len(texts), _BATCH)
        ]
        vectors = np.concatenate(parts)
        if vectors.shape[1] != self.space.dim:
            raise ModelError(
                f"the text tower gives {vectors.shape[1]} numbers, its space has {self.space.dim}",
                "export the model again",
            )
        return vectors
