"""The image tower of `mini`: a small trunk, a feature pyramid, and the maps that give USE's tokens.

The trunk is of the ShuffleNetV2 kind, the pyramid a light path aggregation network; both have the
grid and, at each handover, the channels of the detector that is their teacher. So each unit can
be trained by itself, from the teacher's map before it to the teacher's map behind it, and later
on what the units before it really give. Inside a unit the widths are the tower's own.

Maps live in the teacher's units times a positive scale a channel, which the activation
(leaky ReLU) passes through unchanged.
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

STEM = 24
TRUNK = (("s8", 116, 4), ("s16", 232, 8), ("s32", 464, 4))
"""Name, channels and units of each stage behind the stem of stride 4; the first unit halves."""

PYRAMID = 96
MERGED = 192
"""Channels of the map that joins what the pyramid gives at strides 16 and 32."""

HIDDEN = 1.5
"""Width inside a unit against the width that it hands on."""

AUX = {"m16": 96, "m32": 320}
"""Maps of the second teacher, predicted linearly while training; no part of the exported tower."""

TOKENS = {
    "s16": 232,
    "s32": 464,
    "p8": PYRAMID,
    "p16": PYRAMID,
    "p32": PYRAMID,
    "h8": PYRAMID,
    "h16": PYRAMID,
    "h32": PYRAMID,
    "merged": MERGED,
}
"""Maps that give tokens, with their channels."""

UNITS = tuple(f"{stage}.{i}" for stage, _, count in TRUNK for i in range(count))
HANDED = ("stem", *UNITS, "t16", "p8", "p16", "p32", "h8", "h16", "h32")
"""Maps that the teacher has too, in the order in which they arise."""


def _act(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.1)


class Conv(nn.Sequential):
    """Convolution and batch norm."""

    def __init__(
        self, inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        cast(nn.BatchNorm2d, self[1]).bias.copy_(mean)


class Depthwise(nn.Module):
    """Widen, a depthwise convolution, narrow: what a unit computes."""

    def __init__(
        self, inputs: int, hidden: int, outputs: int, size: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.widen = Conv(inputs, hidden)
        self.spread = Conv(hidden, hidden, size, stride, groups=hidden)
        self.narrow = Conv(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, outputs, h / stride, w / stride], after the activation."""
        return _act(self.narrow(self.spread(_act(self.widen(x)))))


def _shuffle(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


class Unit(nn.Module):
    """One half of the channels goes through, the other half is computed; then they are mixed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.inner = Depthwise(half, round(HIDDEN * half), half)

    def forward(self, x: Tensor) -> Tensor:
        """Map of the same shape."""
        kept, seen = x.chunk(2, 1)
        return _shuffle(torch.cat([kept, self.inner(seen)], 1))


class DownUnit(nn.Module):
    """Halves the grid: both halves of the channels are computed from all of the input."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.short = nn.Sequential(Conv(inputs, inputs, 3, 2, inputs), Conv(inputs, half))
        self.inner = Depthwise(inputs, round(HIDDEN * half), half, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, width, h / 2, w / 2]."""
        return _shuffle(torch.cat([_act(self.short(x)), self.inner(x)], 1))


class Fuse(nn.Module):
    """Two maps of the pyramid to one."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Depthwise(2 * PYRAMID, PYRAMID, PYRAMID)
        self.short = nn.Sequential(
            Conv(2 * PYRAMID, 2 * PYRAMID, 5, 1, 2 * PYRAMID), Conv(2 * PYRAMID, PYRAMID)
        )
        self.leave = nn.Conv2d(PYRAMID, PYRAMID, 1)

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        cast(Tensor, self.leave.bias).copy_(mean)

    def forward(self, upper: Tensor, lower: Tensor) -> Tensor:
        """Map [B, PYRAMID, h, w] of two such maps."""
        x = torch.cat([upper, lower], 1)
        out: Tensor = self.leave(self.inner(x)) + self.short(x)
        return out


class Lower(nn.Sequential):
    """A map of the pyramid on a grid half as fine."""

    def __init__(self) -> None:
        super().__init__(
            Conv(PYRAMID, PYRAMID, 5, 2, PYRAMID),
            nn.LeakyReLU(0.1),
            Conv(PYRAMID, PYRAMID),
            nn.LeakyReLU(0.1),
        )


class Reader(nn.Sequential):
    """What the detector's branch of one scale makes of the pyramid, before its last layer."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                Conv(PYRAMID, PYRAMID, 5, 1, PYRAMID),
                nn.LeakyReLU(0.1),
                Conv(PYRAMID, PYRAMID),
                nn.LeakyReLU(0.1),
            ]
        super().__init__(*layers)


class Merge(nn.Module):
    """What the pyramid knows at strides 16 and 32, joined on the grid of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = Conv(2 * PYRAMID, MERGED)
        self.coarse = Conv(2 * PYRAMID, MERGED)
        self.first = Conv(MERGED, MERGED, 3)
        self.second = Conv(MERGED, MERGED, 3)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Map [B, MERGED] on the grid of `fine`."""
        x = _act(self.fine(fine) + _up(self.coarse(coarse), 2.0))
        return _act(x + self.second(_act(self.first(x))))


def _up(x: Tensor, factor: float) -> Tensor:
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class Boundary(nn.Module):
    """Boundary logits at stride 4 from maps at strides 4, 8 and 16."""

    def __init__(self, s4: int, s8: int, s16: int, width: int = 24) -> None:
        super().__init__()
        self.s4 = nn.Conv2d(s4, width, 3, 1, 1)
        self.s8 = nn.Conv2d(s8, width, 1)
        self.s16 = nn.Conv2d(s16, width, 1)
        self.mix = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, 1, 3, 1, 1)
        )

    def forward(self, s4: Tensor, s8: Tensor, s16: Tensor) -> Tensor:
        """Logits [B, 1, H / 4, W / 4]."""
        merged = self.s4(s4) + _up(self.s8(s8), 2.0) + _up(self.s16(s16), 4.0)
        out: Tensor = self.mix(merged)
        return out


@dataclass(frozen=True, slots=True)
class TowerMaps:
    """What the tower gives.

    Attributes:
        handed: Maps that the detector has too, by name (`HANDED`); float32 [B, C, h, w].
        tokens: Maps that give tokens, by name (`TOKENS`).
        s8: The trunk's map of stride 8.
    """

    handed: dict[str, Tensor]
    tokens: dict[str, Tensor]
    s8: Tensor


class MiniTower(nn.Module):
    """Photo to feature maps.

    Input: float32 [B, 3, H, W], RGB values 0..255, H and W multiples of 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, STEM, 3, 2)
        units: dict[str, nn.Module] = {}
        inputs = STEM
        for stage, width, count in TRUNK:
            for i in range(count):
                units[f"{stage}_{i}"] = Unit(width) if i else DownUnit(inputs, width)
            inputs = width
        self.units = nn.ModuleDict(units)
        self.enter = nn.ModuleDict({s: Conv(w, PYRAMID) for s, w, _ in TRUNK})
        self.fuse = nn.ModuleDict({k: Fuse() for k in ("t16", "p8", "p16", "p32")})
        self.lower = nn.ModuleDict({k: Lower() for k in ("p16", "p32")})
        self.reader = nn.ModuleDict({k: Reader() for k in ("h8", "h16", "h32")})
        self.merge = Merge()
        self.boundary = Boundary(STEM, 116, 232)
        self.aux = nn.ModuleDict(
            {"m16": nn.Conv2d(MERGED + 232, AUX["m16"], 1), "m32": nn.Conv2d(MERGED + 464, 320, 1)}
        )

    @torch.no_grad()
    def start_at(self, name: str, mean: Tensor, pixels: Tensor | None = None) -> None:
        """Let what makes a map (`HANDED`) begin with the given mean of each channel.

        The stem ends with the largest of nine neighbours, so it needs `pixels` to move its mean
        towards the given one.
        """
        stage, _, place = name.partition(".")
        if stage == "stem":
            if pixels is not None:
                own = self._stem_map(pixels).mean((0, 2, 3))
                cast(nn.BatchNorm2d, self.stem[1]).bias.add_(mean - own)
        elif place:
            unit = self.units[f"{stage}_{place}"]
            cast(Depthwise, unit.inner).narrow.start_at(mean[1::2])
            if isinstance(unit, DownUnit):
                cast(Conv, unit.short[1]).start_at(mean[0::2])
        elif name in self.fuse:
            cast(Fuse, self.fuse[name]).start_at(mean)
        else:
            cast(Conv, cast(Reader, self.reader[name])[-2]).start_at(mean)

    def forward(
        self,
        pixels: Tensor,
        given: Mapping[str, Tensor] | None = None,
        forced: Mapping[str, Tensor] | None = None,
        apart: bool = False,
    ) -> TowerMaps:
        """Feature maps.

        Args:
            pixels: float32 [B, 3, H, W], 0..255.
            given: The detector's maps by name (`HANDED`), in the tower's units.
            forced: bool [B] by name; where true, what follows starts from the given map in
                place of the tower's own.
            apart: Send no gradient of the tokens into what the detector teaches; of the tower,
                only the merged map learns from them.
        """
        handed: dict[str, Tensor] = {}

        def hand(name: str, x: Tensor) -> Tensor:
            handed[name] = x
            if given is None or forced is None:
                return x
            return torch.where(forced[name].view(-1, 1, 1, 1), given[name], x)

        x = hand("stem", self._stem_map(pixels))
        entered: dict[str, Tensor] = {}
        for stage, _, count in TRUNK:
            for i in range(count):
                x = hand(f"{stage}.{i}", self.units[f"{stage}_{i}"](x))
            entered[stage] = _act(self.enter[stage](x))
        last = {s: handed[f"{s}.{n - 1}"] for s, _, n in TRUNK}
        t16 = hand("t16", self.fuse["t16"](_up(entered["s32"], 2.0), entered["s16"]))
        p8 = hand("p8", self.fuse["p8"](_up(t16, 2.0), entered["s8"]))
        p16 = hand("p16", self.fuse["p16"](self.lower["p16"](p8), t16))
        p32 = hand("p32", self.fuse["p32"](self.lower["p32"](p16), entered["s32"]))
        read = {
            f"h{s}": hand(f"h{s}", self.reader[f"h{s}"](p))
            for s, p in ((8, p8), (16, p16), (32, p32))
        }
        fine = torch.cat([p16, read["h16"]], 1)
        coarse = torch.cat([p32, read["h32"]], 1)
        tokens = {"s16": last["s16"], "s32": last["s32"]}
        tokens |= {k: handed[k] for k in TOKENS if k in handed}
        if apart:
            fine, coarse = fine.detach(), coarse.detach()
            tokens = {k: t.detach() for k, t in tokens.items()}
        tokens["merged"] = self.merge(fine, coarse)
        return TowerMaps(handed, tokens, last["s8"])

    def _stem_map(self, pixels: Tensor) -> Tensor:
        x = _act(self.stem((pixels - PIXEL_MEAN) * PIXEL_SCALE))
        return functional.max_pool2d(x, 3, 2, 1)

    def boundaries(self, maps: TowerMaps) -> Tensor:
        """Boundary logits [B, 1, H / 4, W / 4] of the maps that `forward` gave."""
        out: Tensor = self.boundary(maps.handed["stem"], maps.s8, maps.tokens["s16"])
        return out

    def second(self, maps: TowerMaps) -> dict[str, Tensor]:
        """The second teacher's maps as far as the tower can tell them, by name (`AUX`)."""
        merged, tokens = maps.tokens["merged"], maps.tokens
        return {
            "m16": self.aux["m16"](torch.cat([merged, tokens["s16"]], 1)),
            "m32": self.aux["m32"](torch.cat([functional.avg_pool2d(merged, 2), tokens["s32"]], 1)),
        }


def normalise_tokens(feature_map: Tensor, eps: float = 1e-5) -> Tensor:
    """The parameter-free part of LayerNorm over the channels of each token, [B, C, H, W]."""
    mean = feature_map.mean(1, keepdim=True)
    variance = feature_map.var(1, keepdim=True, unbiased=False)
    return (feature_map - mean) * torch.rsqrt(variance + eps)
