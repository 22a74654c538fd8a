"""Segmenters: an image to class-agnostic masks."""

from __future__ import annotations

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
