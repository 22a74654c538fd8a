"""Vectors of all texts of a run, made once: text towers are frozen."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from indexer.embedders.head import unit
from usearch.text import TextEncoder
from usearch.text.embed import embed_names
from usearch.text.templates import get_templates

_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class TextBank:
    """Texts with their vectors.

    Attributes:
        texts: Each text once.
        row: Its row.
        stored: float16 [m, D]; a large set of texts halves its memory that way.
        counts: float64 [m]: how many segments to train on each is true of, at least 1.
    """

    texts: tuple[str, ...]
    row: Mapping[str, int]
    stored: Tensor
    counts: np.ndarray[Any, np.dtype[np.float64]]

    def vectors(self, rows: Sequence[int], device: str | torch.device = "cpu") -> Tensor:
        """float32 [n, D], unit length."""
        index = torch.as_tensor(rows, dtype=torch.long)
        return unit(self.stored[index].to(device))


def text_bank(
    counts: Counter[str],
    further: Counter[str],
    encoder: TextEncoder,
    templates: str,
    made_by: Mapping[str, Any],
    file: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> TextBank:
    """Encode all texts of a run.

    Args:
        counts: Texts to train on, with the number of segments each is true of.
        further: Texts of held-out photos.
        encoder: The frozen text tower.
        templates: Name of a template set; the unit vectors of its sentences are averaged.
        made_by: What tells this text tower from any other, plain JSON.
        file: Where vectors are kept between runs; of other texts, they are made anew.
        on_progress: Told how many texts of how many are done.
    """
    texts = tuple(sorted(counts.keys() | further.keys()))
    about = json.dumps([templates, dict(made_by)], sort_keys=True)
    key = hashlib.sha256("\0".join([about, *texts]).encode("utf-8", "surrogatepass")).hexdigest()
    stored = _kept(file, key)
    if stored is None:
        stored = _encoded(texts, encoder, templates, on_progress)
        if file is not None:
            partial = file.with_name(f"{file.name}.partial")
            save_file({key: stored}, partial)
            partial.replace(file)
    often = np.array([max(1, counts.get(text, 0)) for text in texts], np.float64)
    return TextBank(texts, {text: row for row, text in enumerate(texts)}, stored, often)


def _encoded(
    texts: Sequence[str],
    encoder: TextEncoder,
    templates: str,
    on_progress: Callable[[int, int], None] | None,
) -> Tensor:
    sentences = get_templates(templates)
    parts: list[Tensor] = []
    for start in range(0, len(texts), _AT_A_TIME):
        some = list(texts[start : start + _AT_A_TIME])
        parts.append(torch.from_numpy(embed_names(encoder, some, sentences)).half())
        if on_progress is not None:
            on_progress(start + len(some), len(texts))
    return torch.cat(parts)


def _kept(file: Path | None, key: str) -> Tensor | None:
    if file is None or not file.is_file():
        return None
    found: Tensor | None = load_file(file).get(key)
    return found
