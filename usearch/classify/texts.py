"""Class lists as vectors: what segments are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usearch.records import FloatArray
from usearch.scores import Contrast, load_contrast
from usearch.text.class_lists import ClassList
from usearch.text.embed import embed_names

if TYPE_CHECKING:
    from usearch.models.presets import Calibration
    from usearch.text import TextEncoder


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """A class list in the space of the segments.

    Attributes:
        listed: The classes, in the order of their values.
        vectors: For each class, float32 [m, D], unit length: its names.
        background: As `vectors`, for the contrast classes.
        logit_scale: What cosines are multiplied by before a softmax.
        contrast: What scores are measured against; None where none are wanted.
    """

    listed: ClassList
    vectors: list[FloatArray]
    background: list[FloatArray]
    logit_scale: float
    contrast: Contrast | None

    def __len__(self) -> int:
        return len(self.listed)


def embed_classes(
    listed: ClassList,
    encoder: TextEncoder,
    templates: Sequence[str],
    calibration: Calibration,
    *,
    background: ClassList | None = None,
    scored: bool = True,
    cache_dir: Path | None = None,
) -> ClassTexts:
    """Vectors of a class list.

    Args:
        listed: The classes.
        encoder: Of the space that the segments' vectors are in.
        templates: Sentences that each name is put into, with `{}` for it.
        calibration: Of the preset that encoder and vectors belong to.
        background: Contrast classes: they compete for each segment, and what they win has no
            class.
        scored: Whether there will be scores; `Rule.unknown` needs them.
        cache_dir: Where text vectors are kept; None keeps none.
    """
    names = [*listed.names, *(background.names if background is not None else [])]
    flat = [name for one in names for name in one]
    vectors = embed_names(encoder, flat, templates, cache_dir)
    ends = np.cumsum([len(one) for one in names])
    split = np.split(vectors, ends[:-1])
    return ClassTexts(
        listed=listed,
        vectors=split[: len(listed)],
        background=split[len(listed) :],
        logit_scale=calibration.logit_scale,
        contrast=load_contrast(encoder, calibration, templates, cache_dir) if scored else None,
    )
