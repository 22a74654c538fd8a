"""The text tower of an open_clip model as a `TextEncoder`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from indexer.embedders.head import unit
from indexer.memory import BatchSize, run_in_batches
from usearch.records import EmbeddingSpace, FloatArray

OnTruncated = Callable[[str, int, int], None]
"""Called with a text, its number of tokens and the number that the model takes."""


class ClipTextEncoder:
    """Encodes texts with CLIP: open_clip's byte-pair tokens of the lower-cased text."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        space: EmbeddingSpace,
        *,
        on_truncated: OnTruncated | None = None,
        batch: int = 256,
    ) -> None:
        """Bind a text tower.

        Args:
            model: Model of open_clip (only `encode_text` and `context_length` are used).
            tokenizer: `open_clip.SimpleTokenizer`.
            space: The space of the embedder whose vectors the texts are compared with.
            on_truncated: Told of every text that is longer than the model's context.
            batch: Largest number of texts at a time; halved when memory runs out.
        """
        self._model = model.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._space = space
        self._on_truncated = on_truncated
        self._batch = BatchSize(batch)
        self.context_length = int(model.context_length)

    @property
    def space(self) -> EmbeddingSpace:
        """The space of the vectors."""
        return self._space

    def encode(self, texts: list[str]) -> FloatArray:
        """See `usearch.text.TextEncoder.encode`.

        A text longer than the context keeps its first tokens and the end token.

        Raises:
            ResourceError: Not even one text fits into memory.
        """
        if not texts:
            return np.zeros((0, self._space.dim), np.float32)
        if self._on_truncated is not None:
            for text in texts:
                length = len(self._tokenizer.encode(text)) + 2
                if length > self.context_length:
                    self._on_truncated(text, length, self.context_length)
        tokens = self._tokenizer(texts, context_length=self.context_length)
        parts = run_in_batches(
            lambda a, b: self._encode(tokens[a:b]), len(texts), self._batch, "texts"
        )
        vectors: FloatArray = torch.cat(parts).numpy()
        return vectors

    @torch.no_grad()
    def _encode(self, tokens: Tensor) -> Tensor:
        device = next(self._model.parameters()).device
        return unit(self._model.encode_text(tokens.to(device))).cpu()
