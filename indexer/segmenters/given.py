"""Masks that the user already has, from a COCO json, found by the name of the photo's file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import overload

import numpy as np

from indexer.photos import PhotoError
from indexer.segmenters.coco_masks import GivenPhoto, mask_counts, read_coco_masks
from indexer.segmenters.overlap import intersections, parents_by_containment
from usearch import masks
from usearch.errors import UsageError
from usearch.records import Image, Segments
from usearch.render.safe_text import json_name
from usearch.scaling import scaled_counts

MAX_MASKS = 1000
"""Most masks of one photo."""


class GivenSegmenter:
    """Segments of photos from a COCO json, best score first, nested by containment.

    Masks are those of the photo as shown (EXIF orientation applied), as COCO has them, and
    are brought to the grid of the decoded photo. A photo is found by the longest file name
    of the json that its path ends with: "a/1.jpg" serves ".../a/1.jpg" before "1.jpg" does.
    Bytes of a path that are no UTF-8 stand in the json as U+FFFD, as `usearch export` has them.

    Args:
        path: The json; see `read_coco_masks`.
        max_masks: Most masks of one photo.
        skip_invalid: Leave wrong entries out (see `problems`) instead of refusing the file.

    Attributes:
        problems: Entries that were left out, one line each.

    Raises:
        InputError: The file cannot be used; says all that is wrong.
    """

    name = "given"

    def __init__(
        self, path: Path, *, max_masks: int = MAX_MASKS, skip_invalid: bool = False
    ) -> None:
        found = read_coco_masks(path, max_masks, skip_invalid=skip_invalid)
        self.problems = found.problems
        self.max_masks = max_masks
        self._path = path
        self._digest = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
        self._photos = {photo.name.parts: photo for photo in found.photos}
        self._deepest = max((len(parts) for parts in self._photos), default=0)

    @property
    def settings(self) -> dict[str, object]:
        """The mask file and its content, as plain JSON values."""
        return {"masks": self._path.name, "content": self._digest, "max_masks": self.max_masks}

    def segment(self, image: Image) -> Segments:
        """Always refuses: without the photo's file name its masks cannot be found."""
        raise UsageError(
            "masks of a json are found by the photo's file name, and this photo has none",
            "index files, or call segment_photo(image, path)",
        )

    def segment_photo(self, image: Image, path: str | PurePath) -> Segments:
        """Segments of a photo on the grid of `image`.

        Args:
            image: uint8 [H, W, 3], RGB, upright, possibly scaled down.
            path: Its file.

        Raises:
            PhotoError: The json has no mask of this photo, or masks of another size.
        """
        photo = self._find(PurePosixPath(json_name(PurePath(path).as_posix())))
        if photo is None or not photo.masks:
            raise PhotoError("no_masks", f"{self._path.name} has no mask of this photo")
        size = image.shape[0], image.shape[1]
        if not _same_shape(photo.size, size):
            raise PhotoError(
                "mask_size",
                f"{self._path.name} has masks of {photo.size[1]} x {photo.size[0]} pixels, which "
                f"is not the shape of the photo as shown ({size[1]} x {size[0]} when decoded)",
            )
        ranked = sorted(photo.masks, key=lambda m: (-m.score, m.entry))[: self.max_masks]
        rows: dict[bytes, tuple[masks.Counts, float]] = {}
        for mask in ranked:
            counts = _to_grid(mask_counts(mask.segmentation, photo.size), photo, size)
            if masks.area(counts):
                # A mask that is there twice, as a file with several labels has it, counts once.
                rows.setdefault(masks.counts_to_rle(counts), (counts, mask.score))
        if not rows:
            raise PhotoError("no_masks", f"all masks of this photo in {self._path.name} are empty")
        found = [row[0] for row in rows.values()]
        parents = parents_by_containment(intersections(_Decoded(found, size)))
        scores = [row[1] for row in rows.values()]
        return masks.segments_from_counts(found, size, scores, parents)

    def _find(self, path: PurePosixPath) -> GivenPhoto | None:
        for n_parts in range(min(self._deepest, len(path.parts)), 0, -1):
            photo = self._photos.get(path.parts[-n_parts:])
            if photo is not None:
                return photo
        return None


class _Decoded(Sequence[masks.Mask]):
    """Masks decoded one at a time, so that a thousand of them need no gigabyte."""

    def __init__(self, counts: list[masks.Counts], size: tuple[int, int]) -> None:
        self._counts = counts
        self._size = size

    def __len__(self) -> int:
        return len(self._counts)

    @overload
    def __getitem__(self, index: int) -> masks.Mask: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[masks.Mask]: ...
    def __getitem__(self, index: int | slice) -> masks.Mask | Sequence[masks.Mask]:
        if isinstance(index, slice):
            return _Decoded(self._counts[index], self._size)
        return masks.counts_to_mask(self._counts[index], self._size)


def _same_shape(given: tuple[int, int], grid: tuple[int, int]) -> bool:
    """Whether a photo of the size `given` may have been scaled, evenly, to `grid`."""
    scale = max(grid) / max(given)
    return all(abs(g * scale - d) <= 1 for g, d in zip(given, grid, strict=True))


def _to_grid(counts: masks.Counts, photo: GivenPhoto, size: tuple[int, int]) -> masks.Counts:
    """Run lengths on another grid; a mask that the coarser grid would lose keeps one pixel."""
    scaled = scaled_counts(counts, photo.size, size)
    if masks.area(scaled) or not masks.area(counts):
        return scaled
    x0, y0, x1, y1 = masks.box_of(counts, photo.size[0])
    row = (y0 + y1) * size[0] // (2 * photo.size[0])
    column = (x0 + x1) * size[1] // (2 * photo.size[1])
    place = column * size[0] + row
    return np.array([place, 1, size[0] * size[1] - place - 1], np.int64)
