"""Words to vectors: templates, class lists, text encoders and their cache."""

from __future__ import annotations

from typing import Protocol

from usearch.records import EmbeddingSpace, FloatArray


class TextEncoder(Protocol):
    """Gives texts vectors in the space of an embedder."""

    @property
    def space(self) -> EmbeddingSpace:
        """The space that the vectors lie in."""
        ...

    def encode(self, texts: list[str]) -> FloatArray:
        """float32 [n, D], unit length, one row a text, as typed (no template added)."""
        ...
