"""Toy colours with visual keys, for tests of the collection as memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from toys import ColourEmbedder, GridSegmenter

from usearch.records import EmbeddingSpace, FloatArray, Image, Segments

KEYS = EmbeddingSpace(id="toy-keys-1", dim=4, name="keys of toy colours")


@dataclass
class Keyed(ColourEmbedder):
    """Keys are the vectors of colours; vectors mistake dark red for blue."""

    key_space: EmbeddingSpace = KEYS

    def embed_keyed(self, image: Image, segments: Segments) -> tuple[FloatArray, FloatArray]:
        return self.embed(image, segments), super().embed(image, segments)

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        vectors = super().embed(image, segments)
        dark = (abs(vectors[:, 0] - 0.65) < 0.05) & (vectors[:, 1] < 0.05)
        vectors[dark] = np.array([0, 0, 1, 1]) / np.sqrt(2)
        return vectors


def load_keyed(*, threads: int = 1) -> tuple[GridSegmenter, Keyed]:
    return GridSegmenter(), Keyed()
