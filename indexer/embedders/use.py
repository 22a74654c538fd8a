"""The USE embedder: segments to the joint space of vision and language (USE, section 3.2).

Each block's tokens are normalised, pooled over the segments and projected by the block's
part of the folded head as soon as the block has run, so beside the backbone itself only an
accumulator of n x D lives in memory, never a map of all blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from indexer.embedders.head import Branch, FoldedHead, HeadShape, normalise, unit
from indexer.embedders.keys import KEY_DIM, key_space, keys_of
from indexer.embedders.towers import Grid, InputSize, Tower, common_multiple, grid_of, to_pixels
from indexer.memory import is_out_of_memory, out_of_memory
from usearch.errors import ModelError
from usearch.masks import pooling_weights
from usearch.models.runs import POOLING as POOLING
from usearch.models.runs import head_space
from usearch.models.runs import space_of as space_of
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments

PAPER_INPUT = InputSize(short=560, long=1120)
"""Short side of the training crops; the paper does not name an inference size."""


def use_space(
    name: str,
    dim: int,
    towers: Mapping[str, Mapping[str, Any]],
    head_sha256: str,
    size: InputSize,
) -> EmbeddingSpace:
    """The space of a USE model.

    Args:
        name: For people.
        dim: Dimension of the joint space.
        towers: Identity of each branch's backbone.
        head_sha256: Checksum of the head's weights.
        size: Input size rule.
    """
    return head_space(name, dim, towers, head_sha256, size.to_json())


def shape_for(towers: Mapping[str, Tower], dim: int, *, cls: bool = True) -> HeadShape:
    """The architecture of a head for these backbones; either may be left out (ablation)."""
    branches = tuple(
        Branch(name, t.widths, t.widths[-1], t.cls_width if cls else 0)
        for name, t in towers.items()
    )
    return HeadShape(branches, dim)


def pooled_tokens(
    towers: Mapping[str, Tower], pixels: Tensor, segments: Segments
) -> tuple[dict[str, list[Tensor]], dict[str, Tensor]]:
    """What a head needs of one image: pooled normalised tokens, and class tokens.

    Training caches these: they depend on the frozen backbones and the segments alone.

    Args:
        towers: Backbones by branch.
        pixels: float32 [1, 3, h, w] in 0..1.
        segments: n segments of the picture.

    Returns:
        For each branch [n, width] per block, and [cls_width]; float32.
    """
    pooled: dict[str, list[Tensor]] = {}
    cls: dict[str, Tensor] = {}
    weights = _WeightsByGrid(segments)
    for name, tower in towers.items():
        grid = grid_of(pixels, tower.patch)
        blocks: list[Tensor] = []

        def keep(_: int, tokens: Tensor, blocks: list[Tensor] = blocks, grid: Grid = grid) -> None:
            blocks.append(weights.on(grid, tokens.device) @ normalise(tokens[0]))

        cls[name] = tower.run(pixels, keep)[0].float()
        pooled[name] = blocks
    return pooled, cls


class _WeightsByGrid:
    """Pooling weights of one image's segments, once per patch grid."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._made: dict[Grid, Tensor] = {}

    def on(self, grid: Grid, device: torch.device) -> Tensor:
        """float32 [n, P], rows sum to 1."""
        if grid not in self._made:
            self._made[grid] = torch.from_numpy(pooling_weights(self._segments, grid)).to(device)
        return self._made[grid]


class USEEmbedder:
    """Embeds segments with one or two frozen backbones and a folded head."""

    def __init__(
        self,
        towers: Mapping[str, Tower],
        head: FoldedHead,
        space: EmbeddingSpace,
        size: InputSize = PAPER_INPUT,
    ) -> None:
        """Bind backbones to a head.

        Args:
            towers: Backbones by the head's branch names, on the device of the head.
            head: The folded head.
            space: What the vectors belong to.
            size: Input size rule.

        Raises:
            ModelError: The head was made for other backbones.
        """
        for branch in head.shape.branches:
            tower = towers.get(branch.name)
            if tower is None:
                raise ModelError(f"the head needs a backbone '{branch.name}'")
            if tower.widths != branch.widths or (branch.cls and branch.cls != tower.cls_width):
                raise ModelError(
                    f"'{branch.name}': the head takes {len(branch.widths)} blocks of "
                    f"{branch.widths[-1]} channels, the backbone gives {len(tower.widths)} of "
                    f"{tower.widths[-1]}"
                )
        self.towers = {b.name: towers[b.name] for b in head.shape.branches}
        self.head = head
        self.size = size
        self._space = space

    @property
    def space(self) -> EmbeddingSpace:
        """The space of the vectors."""
        return self._space

    @property
    def key_space(self) -> EmbeddingSpace:
        """Space of the visual keys: the last backbone's last block shapes them, no head does."""
        name, tower = self._key_tower
        backbone = {
            "tower": dict(tower.identity),
            "block": len(tower.widths) - 1,
            "pooling": POOLING,
            "input": self.size.to_json(),
        }
        return key_space(f"{self._space.name}, {name}", backbone)

    @property
    def _key_tower(self) -> tuple[str, Tower]:
        """What keys are made of: DINOv2 where there are two backbones, else the one there is."""
        name = list(self.towers)[-1]
        return name, self.towers[name]

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        """See `indexer.embedders.Embedder.embed`.

        Raises:
            ResourceError: The input does not fit into the memory of the device.
        """
        return self.embed_keyed(image, segments)[0]

    def embed_keyed(self, image: Image, segments: Segments) -> tuple[FloatArray, FloatArray]:
        """Vectors and visual keys; see `indexer.embedders.KeyedEmbedder.embed_keyed`.

        Raises:
            ResourceError: The input does not fit into the memory of the device.
        """
        if len(segments) == 0:
            return np.zeros((0, self._space.dim), np.float32), np.zeros((0, KEY_DIM), np.float32)
        height, width = image.shape[:2]
        multiple = common_multiple(self.towers.values())
        pixels = to_pixels(image, self.size.fit(height, width, multiple))
        try:
            vectors, last = self._embed(pixels, segments)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory("images") from error
        return vectors, keys_of(last)

    @torch.no_grad()
    def _embed(self, pixels: Tensor, segments: Segments) -> tuple[FloatArray, FloatArray]:
        """Vectors, and the pooled tokens of the block that keys are made of."""
        last: list[Tensor] = []
        weights = _WeightsByGrid(segments)
        total = self.head.offset.expand(len(segments), -1).clone()
        for name, tower in self.towers.items():
            grid = grid_of(pixels, tower.patch)
            parts, cls_part = self.head.parts(name)

            def add(i: int, tokens: Tensor, parts: list[Tensor] = parts, grid: Grid = grid) -> None:
                pooled = weights.on(grid, tokens.device) @ normalise(tokens[0])
                total.addmm_(pooled, parts[i].T)
                if i == len(parts) - 1:
                    last[:] = [pooled]

            cls = tower.run(pixels, add)[0].float()
            if cls_part is not None:
                total.add_(cls_part @ cls)
        vectors: FloatArray = unit(total).cpu().numpy()
        seen: FloatArray = last[0].float().cpu().numpy()
        return vectors, seen
