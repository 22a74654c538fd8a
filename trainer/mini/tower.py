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
from itertools import pairwise
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

HIDDEN = 1.5
"""Width inside a unit against the width that it hands on."""

TOKENS = {
    "s16": 232,
    "s32": 464,
    "p8": PYRAMID,
    "p16": PYRAMID,
    "p32": PYRAMID,
    "h8": PYRAMID,
    "h16": PYRAMID,
    "h32": PYRAMID,
}
"""Maps that give tokens, with their channels."""

UNITS = tuple(f"{stage}.{i}" for stage, _, count in TRUNK for i in range(count))
LAST = {stage: f"{stage}.{count - 1}" for stage, _, count in TRUNK}
"""The part that gives the last map of a stage."""

SOURCES: dict[str, tuple[str, ...]] = {
    "stem": ("pixels",),
    **{name: (before,) for before, name in pairwise(("stem", *UNITS))},
    **{f"e{s}": (LAST[f"s{s}"],) for s in (8, 16, 32)},
    "t16": ("e32", "e16"),
    "p8": ("t16", "e8"),
    "l16": ("p8",),
    "p16": ("l16", "t16"),
    "l32": ("p16",),
    "p32": ("l32", "e32"),
    **{f"h{s}": (f"p{s}",) for s in (8, 16, 32)},
}
"""The maps that each part starts from, in the order in which they arise: the trunk's units, the
entrances to the pyramid, its way down and up, and the readers."""

HANDED = tuple(SOURCES)
"""Maps that the detector has too."""

CHANNELS = (
    dict.fromkeys(SOURCES, PYRAMID)
    | {"stem": STEM}
    | {f"{stage}.{i}": width for stage, width, count in TRUNK for i in range(count)}
)
"""Channels of each of them."""


def _act(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.1)


class Conv(nn.Sequential):
    """Convolution and batch norm."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int = 1,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        )

    @torch.no_grad()
    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        cast(nn.BatchNorm2d, self[1]).bias.copy_(mean)

    def convolved(self, x: Tensor) -> Tensor:
        """What the two layers give, for those that do more with it."""
        out: Tensor = self[1](self[0](x))
        return out


class Stem(Conv):
    """Pixels to a grid of stride 4: one convolution, then the largest of nine neighbours."""

    def __init__(self) -> None:
        super().__init__(3, STEM, 3, 2)

    @torch.no_grad()
    def approach(self, mean: Tensor, pixels: Tensor) -> None:
        """Move the mean of each channel over `pixels` to `mean`.

        The largest of nine neighbours has no mean that could be set, so this goes step by step;
        below zero the activation makes the steps ten times as small.
        """
        for _ in range(80):
            cast(nn.BatchNorm2d, self[1]).bias.add_(mean - self(pixels).mean((0, 2, 3)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Map [B, STEM, H / 4, W / 4] of pixels 0..255."""
        x = _act(self.convolved((pixels - PIXEL_MEAN) * PIXEL_SCALE))
        return functional.max_pool2d(x, 3, 2, 1)


class Depthwise(nn.Module):
    """Widen, a depthwise convolution, narrow: what a unit computes."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.widen = Conv(inputs, hidden)
        self.spread = Conv(hidden, hidden, 3, stride, groups=hidden)
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

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        self.inner.narrow.start_at(mean[1::2])

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

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        cast(Conv, self.short[1]).start_at(mean[0::2])
        self.inner.narrow.start_at(mean[1::2])

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, width, h / 2, w / 2]."""
        return _shuffle(torch.cat([_act(self.short(x)), self.inner(x)], 1))


class Enter(Conv):
    """A map of the trunk in the pyramid's channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, PYRAMID)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, PYRAMID, h, w]."""
        return _act(self.convolved(x))


class Fuse(nn.Module):
    """Two maps of the pyramid to one, on the grid of the second.

    The path with two small kernels keeps what it had before each of them, the path with one
    large kernel is linear.
    """

    def __init__(self, enlarge: bool) -> None:
        super().__init__()
        self.enlarge = enlarge
        width = round(HIDDEN * PYRAMID)
        self.widen = Conv(2 * PYRAMID, width)
        self.spread = Conv(width, width, 3, 1, width)
        self.narrow = Conv(2 * width, PYRAMID)
        self.leave = Conv(PYRAMID, PYRAMID, 3, 1, PYRAMID)
        self.short = nn.Sequential(
            Conv(2 * PYRAMID, 2 * PYRAMID, 5, 1, 2 * PYRAMID), Conv(2 * PYRAMID, PYRAMID)
        )

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        cast(Conv, self.short[1]).start_at(mean)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map [B, PYRAMID, h, w] of two such maps, the first half as fine with `enlarge`."""
        x = torch.cat([_up(first, 2.0) if self.enlarge else first, second], 1)
        wide = _act(self.widen(x))
        narrow = self.narrow(torch.cat([wide, _act(self.spread(wide))], 1))
        out: Tensor = narrow + self.leave(narrow) + self.short(x)
        return out


class Separable(nn.Sequential):
    """A depthwise convolution and one that mixes channels, an activation behind each."""

    def __init__(self, stride: int) -> None:
        super().__init__(
            Conv(PYRAMID, 2 * PYRAMID, 5, stride, PYRAMID),  # two kernels a channel
            nn.LeakyReLU(0.1),
            Conv(2 * PYRAMID, PYRAMID),
            nn.LeakyReLU(0.1),
        )

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        cast(Conv, self[2]).start_at(mean)


class Reader(nn.Sequential):
    """What the detector's branch of one scale makes of the pyramid, before its last layer."""

    def __init__(self) -> None:
        super().__init__(Separable(1), Separable(1))

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean of each channel."""
        cast(Separable, self[1]).start_at(mean)


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
    """

    handed: dict[str, Tensor]
    tokens: dict[str, Tensor]


class MiniTower(nn.Module):
    """Photo to feature maps.

    Input: float32 [B, 3, H, W], RGB values 0..255, H and W multiples of 32. Each part gives the
    map of its name from the maps that `SOURCES` says.
    """

    def __init__(self) -> None:
        super().__init__()
        parts: dict[str, nn.Module] = {"stem": Stem()}
        inputs = STEM
        for stage, width, count in TRUNK:
            for i in range(count):
                parts[f"{stage}.{i}"] = Unit(width) if i else DownUnit(inputs, width)
            inputs = width
            parts[f"e{stage[1:]}"] = Enter(width)
        parts |= {k: Fuse(enlarge=k in ("t16", "p8")) for k in ("t16", "p8", "p16", "p32")}
        parts |= {k: Separable(2) for k in ("l16", "l32")}
        parts |= {k: Reader() for k in ("h8", "h16", "h32")}
        self.parts = nn.ModuleDict({part_key(name): parts[name] for name in HANDED})
        self.boundary = Boundary(STEM, 116, 232)

    def part(self, name: str) -> nn.Module:
        """What makes a map (`HANDED`)."""
        return self.parts[part_key(name)]

    def forward(
        self,
        pixels: Tensor,
        given: Mapping[str, Tensor] | None = None,
        forced: Mapping[str, Tensor] | None = None,
        until: str | None = None,
    ) -> TowerMaps:
        """Feature maps.

        Args:
            pixels: float32 [B, 3, H, W], 0..255.
            given: The detector's maps by name (`HANDED`), in the tower's units.
            forced: bool [B] by name; where true, what follows starts from the given map in
                place of the tower's own.
            until: The last map that is asked for; None goes to the end.
        """
        handed: dict[str, Tensor] = {}
        seen = {"pixels": pixels}
        for name in HANDED:
            own = self.part(name)(*(seen[k] for k in SOURCES[name]))
            handed[name] = seen[name] = own
            if given is not None and forced is not None:
                seen[name] = torch.where(forced[name].view(-1, 1, 1, 1), given[name], own)
            if name == until:
                break
        tokens = {k: handed[LAST.get(k, k)] for k in TOKENS if LAST.get(k, k) in handed}
        return TowerMaps(handed, tokens)

    def boundaries(self, maps: TowerMaps) -> Tensor:
        """Boundary logits [B, 1, H / 4, W / 4] of the maps that `forward` gave."""
        handed = maps.handed
        out: Tensor = self.boundary(handed["stem"], handed[LAST["s8"]], handed[LAST["s16"]])
        return out


def part_key(name: str) -> str:
    """The name of a map as the name of a module, which holds no dot."""
    return name.replace(".", "_")


def normalise_tokens(feature_map: Tensor, eps: float = 1e-5) -> Tensor:
    """The parameter-free part of LayerNorm over the channels of each token, [B, C, H, W]."""
    mean = feature_map.mean(1, keepdim=True)
    variance = feature_map.var(1, keepdim=True, unbiased=False)
    return (feature_map - mean) * torch.rsqrt(variance + eps)
