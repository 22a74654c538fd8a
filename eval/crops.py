"""The crop baseline for any embedder: each segment as a photo of its own.

This is what a model of whole pictures can do with segments (OVSeg: the box, the mean pixel
outside the mask). It takes one pass a segment where an embedder of segments takes one a photo;
with CLIP's weights `indexer.embedders.crop` does the same in batches.
"""

from __future__ import annotations

import numpy as np

from indexer.embedders import Embedder
from usearch import masks
from usearch.models.card import space_id
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments

MEAN_PIXEL = (124, 116, 104)
"""Mean red, green, blue of photos (ImageNet), put wherever the mask is not."""


class CropsOf:
    """Embeds each segment by the crop of its box, as a whole photo.

    Args:
        inner: Embeds the crops.
    """

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self.space: EmbeddingSpace = crop_space(inner.space)

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        """Vectors of the segments, float32 [n, D], unit length; see `Embedder.embed`."""
        vectors = np.zeros((len(segments), self.space.dim), np.float32)
        for row in range(len(segments)):
            picture = crop_of(image, segments, row)
            whole = masks.segments_from_masks([np.ones(picture.shape[:2], bool)], np.ones(1))
            vectors[row] = self._inner.embed(picture, whole)[0]
        return vectors


def crop_space(space: EmbeddingSpace) -> EmbeddingSpace:
    """The space of crops: texts are compared with it as with `space`, stored vectors are not."""
    made_by = {"crops_of": space.id, "mean": list(MEAN_PIXEL)}
    return EmbeddingSpace(space_id(made_by), space.dim, f"{space.name}, crops", made_by)


def crop_of(image: Image, segments: Segments, row: int) -> Image:
    """The box of one segment, uint8 [h, w, 3], the mean pixel outside its mask.

    Args:
        image: uint8 [H, W, 3].
        segments: Their grid may differ from the image's size; it covers the same picture.
        row: Which segment.
    """
    mask = masks.decode(segments.rles[row], segments.size)
    if mask.shape != image.shape[:2]:
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in zip(image.shape[:2], mask.shape, strict=True)
        )
        mask = mask[rows[:, None], columns[None]]
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(ys) == 0:  # a segment between the pixels of a smaller image
        return np.full((1, 1, 3), MEAN_PIXEL, np.uint8)
    window = np.s_[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    picture = image[window].copy()
    picture[~mask[window]] = MEAN_PIXEL
    return picture
