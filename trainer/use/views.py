"""Views of photos: resized at random and cropped, the masks cut alike (USE, section 4.1).

No mirroring: it would turn "the cup on the left" into a lie.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

from trainer.pairs import PairImage, PairSegment
from trainer.use.recipe import Recipe
from usearch import masks
from usearch.errors import InputError
from usearch.masks import Mask
from usearch.records import Image, Segments


@dataclass(frozen=True, slots=True)
class View:
    """One view of a photo.

    Attributes:
        photo: Id of the photo.
        image: uint8 [side, side, 3], RGB.
        segments: The n segments that are seen well enough, on the grid of `image`.
        texts: For each of them the texts that are true of it.
        rows: For each of them its place in the photo's list of segments.
    """

    photo: str
    image: Image
    segments: Segments
    texts: tuple[tuple[str, ...], ...]
    rows: tuple[int, ...]
