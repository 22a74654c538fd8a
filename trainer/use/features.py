"""What a head is trained on: pooled normalised tokens of each block, and class tokens.

They depend on the frozen backbones, the view and the masks alone, so training from a cache and
training directly share everything from `SegmentFeatures` on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from indexer.embedders.head import FoldedHead, USEHead, normalise, unit
from indexer.embedders.towers import Tower, common_multiple, grid_of
from indexer.memory import is_out_of_memory
from trainer.use.views import View
from usearch.errors import ResourceError
from usearch.masks import pooling_weights

Precision = Literal["fp32", "bf16"]
"""What the backbones compute in; normalising, pooling and the head are always float32."""


@dataclass(frozen=True, slots=True)
class SegmentFeatures:
    """Features of n segments, of one photo or of a whole batch.

    Attributes:
        pooled: For each branch a list over its blocks of float32 [n, width]: tokens that went
            through `normalise`, averaged over the segment.
        cls: For each branch float32 [n, cls width]: the class token of the segment's view.
        texts: For each segment the texts that are true of it, at least one.
        photos: For each segment the id of its photo.
        rows: For each segment its place in the photo's list of segments.
    """

    pooled: Mapping[str, list[Tensor]]
    cls: Mapping[str, Tensor]
    texts: tuple[tuple[str, ...], ...]
    photos: tuple[str, ...]
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> SegmentFeatures:
        """Some of the segments, in the order given."""
        index = torch.as_tensor(rows, dtype=torch.long)
        return SegmentFeatures(
            {b: [x[index.to(x.device)] for x in xs] for b, xs in self.pooled.items()},
            {b: c[index.to(c.device)] for b, c in self.cls.items()},
            tuple(self.texts[i] for i in rows),
            tuple(self.photos[i] for i in rows),
            tuple(self.rows[i] for i in rows),
        )


def join_features(parts: Sequence[SegmentFeatures]) -> SegmentFeatures:
    """The segments of all parts, one after the other; at least one part."""
    first = parts[0]
    return SegmentFeatures(
        {
            b: [torch.cat(xs) for xs in zip(*(p.pooled[b] for p in parts), strict=True)]
            for b in first.pooled
        },
        {b: torch.cat([p.cls[b] for p in parts]) for b in first.cls},
        tuple(t for p in parts for t in p.texts),
        tuple(i for p in parts for i in p.photos),
        tuple(r for p in parts for r in p.rows),
    )


def segment_features(
    towers: Mapping[str, Tower],
    views: Sequence[View],
    micro_batch: int = 0,
    precision: Precision = "fp32",
    device: str | torch.device = "cpu",
) -> SegmentFeatures:
    """Features of the segments of some views, all of one size.

    Args:
        towers: Frozen backbones by branch.
        views: Views of photos; sides are multiples of every tower's patch.
        micro_batch: Most views at a time in a backbone, for its memory; 0 for all. The result
            does not depend on it beyond rounding.
        precision: "bf16" runs the backbones in mixed precision.
        device: Of the backbones.

    Returns:
        Features on the device of the backbones, the segments in the order of the views.

    Raises:
        ValueError: A side is no multiple of a patch.
        ResourceError: They do not fit into the memory of the device.
    """
    multiple = common_multiple(towers.values())
    for view in views:
        if any(side % multiple for side in view.image.shape[:2]):
            raise ValueError(f"a view of {view.image.shape[:2]}, patches of {multiple}")
    place = torch.device(device)
    size = micro_batch or len(views)
    try:
        parts = _parts(views, size)
        return join_features([_of_part(towers, part, precision, place) for part in parts])
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"{size} photos of {views[0].image.shape[0]} pixels at a time do not fit into the "
            f"memory of {place}",
            f"--micro-batch {max(1, size // 2)} gives the same gradients with less",
        ) from error


def _parts(views: Sequence[View], size: int) -> Iterator[Sequence[View]]:
    for start in range(0, len(views), size):
        yield views[start : start + size]


def _of_part(
    towers: Mapping[str, Tower], views: Sequence[View], precision: Precision, device: torch.device
) -> SegmentFeatures:
    images = np.stack([v.image for v in views])
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).to(device).float() / 255
    counts = torch.tensor([len(v.segments) for v in views])
    photo_of = torch.repeat_interleave(torch.arange(len(views)), counts)
    pooled: dict[str, list[Tensor]] = {}
    cls: dict[str, Tensor] = {}
    weights: dict[tuple[int, int], list[Tensor]] = {}
    for name, tower in towers.items():
        grid = grid_of(pixels, tower.patch)
        if grid not in weights:
            weights[grid] = [torch.from_numpy(pooling_weights(v.segments, grid)) for v in views]
        blocks: list[Tensor] = []

        def keep(
            _: int,
            tokens: Tensor,
            blocks: list[Tensor] = blocks,
            own: list[Tensor] = weights[grid],
        ) -> None:
            with torch.autocast(device.type, enabled=False):
                rows = [w.to(device) @ normalise(t) for w, t in zip(own, tokens, strict=True)]
            blocks.append(torch.cat(rows))

        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            token = tower.run(pixels, keep).float()
        cls[name] = token[photo_of.to(device)]
        pooled[name] = blocks
    return SegmentFeatures(
        pooled,
        cls,
        tuple(t for v in views for t in v.texts),
        tuple(v.photo for v in views for _ in v.texts),
        tuple(r for v in views for r in v.rows),
    )


def segment_vectors(head: USEHead | FoldedHead, features: SegmentFeatures) -> Tensor:
    """Embeddings of the segments by a head, folded or not, float32 [n, D], unit length."""
    normed = {b: [x.float()[:, None] for x in xs] for b, xs in features.pooled.items()}
    cls = {b: c.float() for b, c in features.cls.items()}
    return unit(head.project(normed, cls)[:, 0])
