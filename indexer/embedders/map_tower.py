"""Convolutional networks as towers: each map inside the network is a block.

They take the places of CLIP and DINOv2 in a USE head (`indexer.embedders.towers.Tower`). The class
token is the mean over the picture of the coarsest map's tokens after the parameter-free norm
(such a network has no token of its own, and a raw mean would reach the head's linear layer at any
scale). Maps of several strides are brought to the finest grid by repeating cells, so that pooling
a segment there is pooling it on the map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from indexer.embedders.head import normalise
from indexer.embedders.towers import OnBlock, Tower, grid_of
from usearch.errors import ModelError
from usearch.models.card import ModelCard
from usearch.models.onnx_form import session_of
from usearch.models.presets import mini_card
from usearch.records import FloatArray

MAX_STRIDE = 32
"""Such networks halve their input five times."""

Maps = Callable[[FloatArray], Sequence[FloatArray]]
"""A picture float32 [3, h, w] in 0..1, sides multiples of 32, to its maps [C, h/s, w/s]."""


class MapTower:
    """A network without tokens as a `Tower`: one block for each of its maps.

    Any input whose sides are multiples of `patch` is taken: to reach multiples of 32, which the
    networks need, its last rows and columns are repeated, and the maps are cut back.

    Args:
        maps: Runs the network.
        strides: Stride of each map; the smallest one is the patch.
        channels: Channels of each map.
        identity: Tells this backbone from any other.
    """

    patch: int
    widths: tuple[int, ...]
    cls_width: int
    identity: Mapping[str, Any]

    def __init__(
        self,
        maps: Maps,
        strides: Sequence[int],
        channels: Sequence[int],
        identity: Mapping[str, Any],
    ) -> None:
        self._maps = maps
        self._strides = tuple(strides)
        self.patch = min(strides)
        self.widths = tuple(channels)
        self._coarsest = self._strides.index(max(strides))
        self.cls_width = self.widths[self._coarsest]
        self.identity = identity

    @torch.no_grad()
    def run(self, pixels: Tensor, on_block: OnBlock) -> Tensor:
        """See `indexer.embedders.towers.Tower.run`."""
        rows, columns = grid_of(pixels, self.patch)
        height, width = pixels.shape[-2:]
        padding = (0, -width % MAX_STRIDE, 0, -height % MAX_STRIDE)
        padded = functional.pad(pixels.float().cpu(), padding, mode="replicate").numpy()
        by_picture = [self._maps(picture) for picture in padded]
        cls: Tensor | None = None
        for block, stride in enumerate(self._strides):
            whole = torch.from_numpy(np.stack([maps[block] for maps in by_picture]))
            cells = whole[:, :, : -(-height // stride), : -(-width // stride)]
            if block == self._coarsest:
                cls = normalise(cells.flatten(2).transpose(1, 2)).mean(1)
            fine = cells
            for axis in (2, 3):
                fine = fine.repeat_interleave(stride // self.patch, axis)
            fine = fine[:, :, :rows, :columns]
            on_block(block, fine.flatten(2).transpose(1, 2).to(pixels.device))
        assert cls is not None
        return cls.to(pixels.device)


def mini_tower(card: ModelCard | None = None, threads: int = 1) -> Tower:
    """The tower of a model in the form of `mini`: its token maps, finest first.

    Args:
        card: The model's card; None for the bundled one.
        threads: Threads of ONNX Runtime.

    Raises:
        ModelError: Its file is missing, damaged, or of another kind.
    """
    card = card or mini_card()
    identity = {
        "library": "usearch",
        "model": card.name,
        "weights": card.space.made_by["files"]["tower.onnx"],
        "blocks": [str(stage) for stage in card.space.made_by["stages"]],
    }
    return mini_tower_at(card.path("tower.onnx"), identity, threads)


def mini_tower_at(path: Path, identity: Mapping[str, Any], threads: int = 1) -> Tower:
    """The tower of an ONNX file in the form of `mini`.

    Args:
        path: Its file.
        identity: As `mini_tower` makes it; "blocks" names the outputs that are used.
        threads: Threads of ONNX Runtime.

    Raises:
        ModelError: The file is damaged or of another kind.
    """
    stages = [str(stage) for stage in identity["blocks"]]
    session = session_of(path, threads)
    if not {*stages} <= {output.name for output in session.get_outputs()}:
        raise ModelError(f"{path} has no outputs {', '.join(stages)}")

    def maps(picture: FloatArray) -> Sequence[FloatArray]:
        found: Sequence[FloatArray] = session.run(stages, {"pixels": picture[None] * 255.0})
        return [one[0] for one in found]

    return measured_tower(maps, identity)


def measured_tower(maps: Maps, identity: Mapping[str, Any]) -> Tower:
    """A tower whose strides and channels are read off the maps of one blank picture."""
    side = 2 * MAX_STRIDE
    shapes = [one.shape for one in maps(np.zeros((3, side, side), np.float32))]
    return MapTower(maps, [side // s[1] for s in shapes], [s[0] for s in shapes], identity)
