"""Vectors of class names: each name through every template, the mean of the unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from usearch.errors import UsageError
from usearch.records import FloatArray
from usearch.text import TextEncoder
from usearch.text.cache import recall
from usearch.text.templates import fill


def embed_names(
    encoder: TextEncoder,
    names: list[str],
    templates: Sequence[str],
    cache_dir: Path | None = None,
) -> FloatArray:
    """One vector a name.

    Args:
        encoder: Gives unit vectors.
        names: Names as written, without article.
        templates: Sentences with `{}`; see `usearch.text.templates`.
        cache_dir: Where vectors are kept between runs; None keeps none.

    Returns:
        float32 [n, D], unit length.

    Raises:
        UsageError: There is no template, or a name is empty.
    """
    if not templates:
        raise UsageError("no template was given", "known sets: see usearch.text.templates")
    if not names:
        return np.zeros((0, encoder.space.dim), np.float32)

    def means(keys: list[str]) -> FloatArray:
        wanted = [name_of[key] for key in keys]
        sentences = [sentence for name in wanted for sentence in fill(templates, name)]
        vectors = encoder.encode(sentences).reshape(len(wanted), len(templates), -1).mean(1)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: FloatArray = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
        return unit

    # One cache file a name and template set, not one a sentence: a long list stays quick.
    name_of = {"\0".join([name, *templates]): name for name in names}
    keys = ["\0".join([name, *templates]) for name in names]
    return recall(encoder, keys, means, cache_dir)
