"""The text encoder of the bundled `mini` preset: words to the space of its segments.

The name part of a vector comes from a small network (`usearch.text.network`), trained by
`trainer.text` from two teachers. The colour part is not learnt: it is read off the colour words
(`usearch.text.colours`), as the image side reads it off the pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usearch.errors import ModelError
from usearch.models.card import ModelCard
from usearch.records import EmbeddingSpace, FloatArray
from usearch.text.colours import COLOUR_DIM, text_colours, text_weight, with_colours
from usearch.text.network import TextNetwork


class MiniTextEncoder:
    """Words to vectors with the bundled files; loads nothing but NumPy.

    Args:
        card: Card of the model; names and checks `text.safetensors` and `text.vocab.txt`.

    Raises:
        ModelError: A file is missing or damaged, or makes vectors of another space.
    """

    def __init__(self, card: ModelCard) -> None:
        self._network = TextNetwork(card.path("text.safetensors"), card.path("text.vocab.txt"))
        self._space = card.space
        self.id = self._network.id
        if self._network.dim + COLOUR_DIM != card.space.dim:
            raise ModelError(
                f"the text encoder of {card.name} gives {self._network.dim + COLOUR_DIM} numbers,"
                f" its space has {card.space.dim}",
                "install usearch again, or give the folder of a complete model",
            )

    @property
    def space(self) -> EmbeddingSpace:
        """The space that the vectors lie in."""
        return self._space

    def encode(self, texts: list[str]) -> FloatArray:
        """Vectors of texts as typed, in any script and of any length.

        A text of more than 77 pieces of words is cut there, which is logged as a warning, as is a
        text none of whose words is known.

        Returns:
            float32 [n, D], unit length.

        Raises:
            UsageError: A text is empty or has no visible character.
        """
        if not texts:
            return np.zeros((0, self._space.dim), np.float32)
        return encode_texts(self._network, texts)


class NetworkTexts:
    """The network of `mini` as the text side of another space.

    Args:
        weights: `text.safetensors`.
        vocabulary: `text.vocab.txt`.
        space: The space; its vectors are the name part alone, or with the colour part behind it,
            as its dimension says.

    Raises:
        ModelError: A file is missing or damaged, or the space is of another dimension.
    """

    def __init__(self, weights: Path, vocabulary: Path, space: EmbeddingSpace) -> None:
        self._network = TextNetwork(weights, vocabulary)
        self.space = space
        self.id = self._network.id
        if space.dim not in (self._network.dim, self._network.dim + COLOUR_DIM):
            raise ModelError(
                f"{weights} gives {self._network.dim} numbers, {space.name} has {space.dim}",
                "take the files that the model was trained with",
            )

    def encode(self, texts: list[str]) -> FloatArray:
        """As `MiniTextEncoder.encode`."""
        if not texts:
            return np.zeros((0, self.space.dim), np.float32)
        if self.space.dim == self._network.dim:
            return self._network(texts)
        return encode_texts(self._network, texts)


def encode_texts(network: TextNetwork, texts: list[str]) -> FloatArray:
    """float32 [n, 448]: name parts by the network, colour parts by the words."""
    colours = np.stack([text_colours(text) for text in texts])
    weights = np.array([text_weight(text) for text in texts], np.float32)
    return with_colours(network(texts), colours, weights)
