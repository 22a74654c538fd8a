"""The image tower of `mini`: a small residual network whose stage outputs are USE's tokens.

Dense 3 x 3 convolutions on purpose: on a CPU they run several times more arithmetic a
second than depthwise ones, in training as in ONNX Runtime. Tokens of a stage are its
feature map; every stage keeps its own grid, because pooling by area needs no common one.

Between two stages lies a narrow linear map (a bottleneck) with as many channels as the image
teacher has at that depth. So a stage can be trained by itself, from the teacher's map before
it to the teacher's map behind it, and later on what the stages before it really give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

PIXEL_MEAN = 127.5
PIXEL_SCALE = 1 / 64.0
STRIDE = 32
"""Input sides are multiples of this."""


@dataclass(frozen=True, slots=True)
class StageShape:
    """Shape of a stage.

    Attributes:
        name: The stage's name; the digits are its stride.
        stride: 1 or 2, against the stage before.
        width: Channels inside the stage.
        blocks: Residual blocks.
        bottleneck: Channels of the linear map that it hands on.
    """

    name: str
    stride: int
    width: int
    blocks: int
    bottleneck: int


STAGES = (
    StageShape("s4", 2, 48, 1, 24),
    StageShape("s8", 2, 96, 1, 32),
    StageShape("s16a", 2, 192, 1, 64),
    StageShape("s16", 1, 192, 2, 96),
    StageShape("s32a", 2, 320, 1, 160),
    StageShape("s32", 1, 320, 1, 320),
)
"""The stages behind a stem of stride 2. Bottlenecks are those of MobileNetV2's blocks 2, 5, 9,
12, 15 and 16, the teacher."""

MERGED = 256
"""Channels of the map that joins the last stage with the finer one of stride 16."""

TOKENS = {"s8": 96, "s16": 192, "s32": 320, "merged": MERGED}
"""Maps that give tokens, with their channels."""


def _conv(inputs: int, outputs: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, 1, size // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Down(nn.Module):
    """3 x 3 convolution of stride 2, padded below and to the right as the teacher's are.

    The teacher's grid is thereby the tower's own; padding on all sides would shift it by
    half a cell at every stage.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 2, 0, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Feature map of half the height and width."""
        out: Tensor = self.norm(self.conv(functional.pad(x, (0, 1, 0, 1))))
        return out


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width, 3)
        self.second = _conv(width, width, 3)
        # Small at first: a block begins near the identity.
        nn.init.constant_(cast(nn.BatchNorm2d, self.second[1]).weight, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Feature map of the same shape."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Stage(nn.Module):
    """A bottleneck map to a wide map, and that to the next bottleneck."""

    def __init__(self, inputs: int, shape: StageShape) -> None:
        super().__init__()
        self.enter = (
            Down(inputs, shape.width) if shape.stride == 2 else _conv(inputs, shape.width, 3)
        )
        self.blocks = nn.Sequential(*[Residual(shape.width) for _ in range(shape.blocks)])
        self.leave = nn.Conv2d(shape.width, shape.bottleneck, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Wide map and bottleneck map."""
        wide = self.blocks(functional.relu(self.enter(x)))
        return wide, self.leave(wide)


class Merge(nn.Module):
    """Brings the coarsest map back onto the grid of stride 16: what and where together."""

    def __init__(self, fine: int, coarse: int, width: int) -> None:
        super().__init__()
        self.fine = _conv(fine, width, 1)
        self.coarse = _conv(coarse, width, 1)
        self.block = Residual(width)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Feature map [B, width] on the grid of `fine`."""
        up = functional.interpolate(
            self.coarse(coarse), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        out: Tensor = self.block(functional.relu(self.fine(fine) + up))
        return out


class Boundary(nn.Module):
    """Boundary logits at stride 4 from the maps at strides 4, 8 and 16."""

    def __init__(self, s4: int, s8: int, s16: int, width: int = 24) -> None:
        super().__init__()
        self.s4 = nn.Conv2d(s4, width, 1)
        self.s8 = nn.Conv2d(s8, width, 1)
        self.s16 = nn.Conv2d(s16, width, 1)
        self.mix = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, 1, 3, 1, 1)
        )

    def forward(self, s4: Tensor, s8: Tensor, s16: Tensor) -> Tensor:
        """Logits [B, 1, H / 4, W / 4]."""

        def up(x: Tensor, factor: float) -> Tensor:
            return functional.interpolate(
                x, scale_factor=factor, mode="bilinear", align_corners=False
            )

        merged = self.s4(s4) + up(self.s8(s8), 2.0) + up(self.s16(s16), 4.0)
        out: Tensor = self.mix(merged)
        return out


@dataclass(frozen=True, slots=True)
class TowerMaps:
    """What the tower gives.

    Attributes:
        wide: Feature maps by stage, with "merged"; float32 [B, C, h, w].
        bottlenecks: The narrow linear maps by stage.
    """

    wide: dict[str, Tensor]
    bottlenecks: dict[str, Tensor]


class MiniTower(nn.Module):
    """Photo to feature maps.

    Input: float32 [B, 3, H, W], RGB values 0..255, H and W multiples of 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Down(3, 32), nn.ReLU())
        inputs = 32
        stages: dict[str, Stage] = {}
        for shape in STAGES:
            stages[shape.name] = Stage(inputs, shape)
            inputs = shape.bottleneck
        self.stages = nn.ModuleDict(stages)
        self.merge = Merge(192, 320, MERGED)
        self.boundary = Boundary(48, 96, 192)

    def forward(
        self,
        pixels: Tensor,
        given: Mapping[str, Tensor] | None = None,
        forced: Tensor | None = None,
    ) -> TowerMaps:
        """Feature maps.

        Args:
            pixels: float32 [B, 3, H, W], 0..255.
            given: Teacher's bottleneck maps by stage.
            forced: bool [stages, B]; where true, the next stage starts from the given map
                in place of the tower's own.
        """
        x = self.stem((pixels - PIXEL_MEAN) * PIXEL_SCALE)
        wide: dict[str, Tensor] = {}
        bottlenecks: dict[str, Tensor] = {}
        for i, (name, stage) in enumerate(self.stages.items()):
            wide[name], x = stage(x)
            bottlenecks[name] = x
            if given is not None and forced is not None:
                x = torch.where(forced[i].view(-1, 1, 1, 1), given[name], x)
        wide["merged"] = self.merge(wide["s16"], wide["s32"])
        return TowerMaps(wide, bottlenecks)

    def boundaries(self, maps: TowerMaps) -> Tensor:
        """Boundary logits [B, 1, H / 4, W / 4] of the maps that `forward` gave."""
        out: Tensor = self.boundary(maps.wide["s4"], maps.wide["s8"], maps.wide["s16"])
        return out


def normalise_tokens(feature_map: Tensor, eps: float = 1e-5) -> Tensor:
    """The parameter-free part of LayerNorm over the channels of each token, [B, C, H, W]."""
    mean = feature_map.mean(1, keepdim=True)
    variance = feature_map.var(1, keepdim=True, unbiased=False)
    return (feature_map - mean) * torch.rsqrt(variance + eps)
