"""Embedders: an image and its segments to unit vectors in the space of the text encoder."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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


@runtime_checkable
class KeyedEmbedder(Embedder, Protocol):
    """An embedder whose backbone gives each segment a visual key too, in the same pass."""

    @property
    def key_space(self) -> EmbeddingSpace | None:
        """Space of the keys; None where the model as it is loaded gives none."""
        ...

    def embed_keyed(self, image: Image, segments: Segments) -> tuple[FloatArray, FloatArray]:
        """Vectors as `embed` gives them, and keys.

        Returns:
            float32 [n, D] and float32 [n, K], unit length.
        """
        ...


def key_space_of(embedder: Embedder) -> EmbeddingSpace | None:
    """Space of an embedder's visual keys; None for one that gives none."""
    return embedder.key_space if isinstance(embedder, KeyedEmbedder) else None
