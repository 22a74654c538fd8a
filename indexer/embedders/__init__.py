"""Embedders: an image and its segments to unit vectors in the space of the text encoder."""

from __future__ import annotations

from typing import Protocol

from usearch.records import EmbeddingSpace, FloatArray, Image, Segments


class Embedder(Protocol):
    """Gives each segment of an image a vector."""

    @property
    def space(self) -> EmbeddingSpace:
        """Space of the vectors."""
        ...

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        """Vectors of the segments.

        Args:
            image: uint8 [H, W, 3], RGB, upright.
            segments: n segments. Their grid may differ from the image's size; it covers
                the same picture.

        Returns:
            float32 [n, D], unit length.
        """
        ...
