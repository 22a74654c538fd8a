"""Views of photos: resized at random and cropped, the masks cut alike (USE, section 4.1).

No mirroring: it would turn "the cup on the left" into a lie.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

from trainer.pairs import PairImage
from trainer.use.recipe import Recipe
from usearch import masks
from usearch.masks import Mask
from usearch.records import Image, IntArray, Segments


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


def make_view(photo: PairImage, recipe: Recipe, number: int | None) -> View:
    """A view of a photo: the same photo, seed and number always give the same view.

    With a number the photo is resized by a random factor and cropped at a random place; what
    the photo does not fill is grey. Without one the whole photo is scaled to fit: the view that
    held-out photos are looked at in.

    Args:
        photo: The photo with its segments.
        recipe: Side of the crop, range of the factor, limits on segments, seed.
        number: Counts the views of a photo, such as the epoch; None for the whole photo.

    Returns:
        The view; it may show no segment.

    Raises:
        InputError: The JPEG cannot be read, or its size is not the one its masks are for.
    """
    picture = PillowImage.fromarray(photo.pixels())
    rng = np.random.default_rng([recipe.seed, *_key(photo.id), 0 if number is None else number + 1])
    side = recipe.crop
    if number is None:
        factor = side / max(photo.width, photo.height)
        left = top = 0.0
    else:
        factor = float(rng.uniform(*recipe.scale))
        left, top = (
            float(rng.uniform(0.0, max(0.0, length - side / factor)))
            for length in (photo.width, photo.height)
        )
    window = _Window(left, top, factor, side)
    kept: list[tuple[int, Mask]] = []
    for row, segment in enumerate(photo.segments):
        if not segment.texts:
            continue
        mask, share = window.of_mask(segment.mask(photo.height, photo.width))
        if mask.sum() >= recipe.min_pixels and share >= recipe.min_kept:
            kept.append((row, mask))
    if len(kept) > recipe.max_segments:
        chosen = np.sort(rng.permutation(len(kept))[: recipe.max_segments])
        kept = [kept[int(i)] for i in chosen]
    return View(
        photo=photo.id,
        image=window.of_picture(picture),
        segments=_segments([mask for _, mask in kept], side),
        texts=tuple(photo.segments[row].texts for row, _ in kept),
        rows=tuple(row for row, _ in kept),
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """A square of `side` pixels that shows a photo from (`left`, `top`) on, times `factor`."""

    left: float
    top: float
    factor: float
    side: int

    def _seen(self, start: float, length: int) -> IntArray:
        """Rows (or columns) of the photo that the window's own pixels show, int32 [m <= side]."""
        places = np.floor(start + (np.arange(self.side) + 0.5) / self.factor).astype(np.int32)
        seen: IntArray = places[places < length]
        return seen

    def of_mask(self, mask: Mask) -> tuple[Mask, float]:
        """A mask, bool [H, W], in the window, and the share of its pixels that is seen."""
        rows, columns = self._seen(self.top, mask.shape[0]), self._seen(self.left, mask.shape[1])
        out = np.zeros((self.side, self.side), bool)
        out[: len(rows), : len(columns)] = mask[np.ix_(rows, columns)]
        end = self.side / self.factor
        inside = mask[
            round(self.top) : round(self.top + end), round(self.left) : round(self.left + end)
        ]
        return out, float(inside.sum() / max(1, mask.sum()))

    def of_picture(self, picture: PillowImage.Image) -> Image:
        """The picture in the window, uint8 [side, side, 3]."""
        out = np.empty((self.side, self.side, 3), np.uint8)
        out[:] = PADDING
        end = self.side / self.factor
        right, bottom = min(self.left + end, picture.width), min(self.top + end, picture.height)
        shown = (
            max(1, min(self.side, round((right - self.left) * self.factor))),
            max(1, min(self.side, round((bottom - self.top) * self.factor))),
        )
        resized = picture.resize(
            shown, PillowImage.Resampling.BICUBIC, box=(self.left, self.top, right, bottom)
        )
        out[: shown[1], : shown[0]] = np.asarray(resized)
        return out


PADDING = (122, 116, 104)
"""Grey of what lies beyond a photo: the mean pixel of CLIP's and DINOv2's training."""


def _key(photo_id: str) -> tuple[int, int]:
    """Two numbers of 32 bits that stand for a photo."""
    digest = hashlib.blake2b(photo_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")


def _segments(shown: list[Mask], side: int) -> Segments:
    counts = [masks.mask_to_counts(mask) for mask in shown]
    return masks.segments_from_counts(counts, (side, side), np.ones(len(shown)))
