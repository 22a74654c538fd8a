"""How large an image reaches a backbone, without torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from usearch.records import FloatArray, Image


@dataclass(frozen=True, slots=True)
class InputSize:
    """How large an image reaches the towers; its aspect ratio is kept to half a patch.

    Attributes:
        short: Pixels of the short side.
        long: Largest number of pixels of the long side; it wins over `short`.
    """

    short: int
    long: int

    def fit(self, height: int, width: int, multiple: int) -> tuple[int, int]:
        """(height, width) for a picture, both multiples of `multiple`."""
        scale = min(self.short / min(height, width), self.long / max(height, width))
        sides = (max(round(s * scale / multiple), 1) * multiple for s in (height, width))
        fitted = next(sides), next(sides)
        return fitted

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; part of the identity of an embedding space."""
        return {**asdict(self), "resize": "pillow-bicubic"}


def resized_pixels(image: Image, size: tuple[int, int]) -> FloatArray:
    """An image resized to (height, width), float32 [1, 3, h, w] in 0..1."""
    if image.shape[:2] != size:
        resized = PillowImage.fromarray(image).resize(
            (size[1], size[0]), PillowImage.Resampling.BICUBIC
        )
        image = np.asarray(resized)
    return image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
