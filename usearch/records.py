"""Plain records that pass between the stages: segments of a photo, an embedding space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
Image = npt.NDArray[np.uint8]
"""uint8 [H, W, 3], RGB, upright (EXIF orientation applied)."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of one photo, n rows, in the order in which they are stored.

    Attributes:
        size: (height, width) of the mask grid in pixels.
        rles: n COCO compressed RLE counts on that grid (ASCII bytes, column-major).
        boxes: float32 [n, 4], x0 y0 x1 y1 on the mask grid, half-open.
        areas: int32 [n], pixels set on the mask grid; never 0.
        scores: float32 [n] in 0..1, the segmenter's own quality; higher is better.
        parents: int32 [n], row of the smallest stored segment that contains this one, or -1.
        depths: int32 [n], 0 for a segment without parent, else depth of the parent + 1.
    """

    size: tuple[int, int]
    rles: list[bytes]
    boxes: FloatArray
    areas: IntArray
    scores: FloatArray
    parents: IntArray
    depths: IntArray

    def __len__(self) -> int:
        return len(self.rles)


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """What makes two vectors comparable.

    Attributes:
        id: Short hash over all that shapes a vector (towers, head, pooling, input size).
        dim: Number of components of a vector.
        name: For people, such as "mini 1".
        made_by: What the hash was taken over, as plain JSON values.
    """

    id: str
    dim: int
    name: str
    made_by: dict[str, Any] = field(default_factory=dict)
