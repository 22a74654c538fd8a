"""Region vectors by cropping: the box, the mean pixel outside the mask, CLIP (as OVSeg).

The slow reference: one forward pass of CLIP for every segment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

from indexer.embedders.head import unit
from indexer.embedders.towers import CLIP_MEAN, CLIP_STD, Normaliser
from indexer.memory import BatchSize, run_in_batches
from usearch.masks import decode
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments


class CropEmbedder:
    """Embeds segments with the image encoder of any open_clip model."""

    def __init__(self, visual: Any, space: EmbeddingSpace, batch: int = 32) -> None:
        """Bind an image encoder.

        Args:
            visual: `model.visual` of an open_clip model.
            space: What the vectors belong to.
            batch: Largest number of crops at a time; halved when memory runs out.
        """
        self.visual = visual.eval().requires_grad_(False)
        size = visual.image_size
        self.size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)
        self.mean = getattr(visual, "image_mean", None) or CLIP_MEAN
        self._normalise = Normaliser(self.mean, getattr(visual, "image_std", None) or CLIP_STD)
        self._space = space
        self._batch = BatchSize(batch)

    @property
    def space(self) -> EmbeddingSpace:
        """The space of the vectors: that of the CLIP model's text tower."""
        return self._space

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        """See `indexer.embedders.Embedder.embed`.

        Raises:
            ResourceError: Not even one crop fits into memory.
        """
        if len(segments) == 0:
            return np.zeros((0, self._space.dim), np.float32)
        parts = run_in_batches(
            lambda a, b: self._encode(image, segments, a, b), len(segments), self._batch, "crops"
        )
        vectors: FloatArray = torch.cat(parts).numpy()
        return vectors

    @torch.no_grad()
    def _encode(self, image: Image, segments: Segments, start: int, stop: int) -> Tensor:
        crops = [crop(image, segments, i, self.size, self.mean) for i in range(start, stop)]
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        features = self.visual(self._normalise(pixels, next(self.visual.parameters())))
        # A model that also gives its tokens returns a pair.
        return unit(features[0] if isinstance(features, tuple) else features).cpu()


def crop(
    image: Image, segments: Segments, row: int, size: tuple[int, int], mean: tuple[float, ...]
) -> Image:
    """One segment as an image of its own.

    Args:
        image: uint8 [H, W, 3].
        segments: Its grid may differ from the image's; both cover the same picture.
        row: Which segment.
        size: (height, width) of the result; the box is stretched to it, as OVSeg does.
        mean: Pixel mean in 0..1, put wherever the mask is not.

    Returns:
        uint8 [height, width, 3]
    """
    high, wide = image.shape[:2]
    rows, columns = segments.size
    box = segments.boxes[row].astype(int)
    mask = decode(segments.rles[row], segments.size)
    # Outwards to whole pixels: the crop is never empty and never loses a part of the mask.
    x0, x1 = box[0] * wide // columns, -(-box[2] * wide // columns)
    y0, y1 = box[1] * high // rows, -(-box[3] * high // rows)
    ys = ((np.arange(y0, y1) + 0.5) * rows / high).astype(int).clip(box[1], box[3] - 1)
    xs = ((np.arange(x0, x1) + 0.5) * columns / wide).astype(int).clip(box[0], box[2] - 1)
    region = image[y0:y1, x0:x1].copy()
    region[~mask[ys[:, None], xs]] = np.round(np.array(mean) * 255).astype(np.uint8)
    if region.shape[:2] == size:
        return region
    resized = PillowImage.fromarray(region).resize(
        (size[1], size[0]), PillowImage.Resampling.BICUBIC
    )
    return np.asarray(resized)
