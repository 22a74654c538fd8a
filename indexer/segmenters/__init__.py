"""Segmenters: an image to class-agnostic masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from usearch.records import Image, Segments


class Segmenter(Protocol):
    """Cuts one image into segments.

    `settings` are the plain JSON values that shape the result; they are written into the
    store's manifest, and a store refuses segments made with other settings.
    """

    name: str

    @property
    def settings(self) -> dict[str, object]:
        """What shapes the result, as plain JSON values."""
        ...

    def segment(self, image: Image) -> Segments:
        """Segments of an image; the mask grid is the image's own size.

        Args:
            image: uint8 [H, W, 3], RGB, upright.
        """
        ...


def cut_photo(segmenter: Segmenter, image: Image, path: str) -> Segments:
    """Segments of a photo that has a file: given masks are found by its name.

    Args:
        segmenter: Any; one that has `segment_photo` is asked with the path.
        image: uint8 [H, W, 3], RGB, upright.
        path: Of the photo's file, absolute.

    Raises:
        PhotoError: No masks were given for this photo, or they do not fit it.
    """
    segment_photo: Callable[[Image, str], Segments] | None
    segment_photo = getattr(segmenter, "segment_photo", None)
    return segmenter.segment(image) if segment_photo is None else segment_photo(image, path)
