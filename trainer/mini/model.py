"""Tower and head of `mini` as one module, with the scales of the detector's maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from trainer.mini.head import StageHead
from trainer.mini.tower import CHANNELS, TOKENS, MiniTower, part_key


class MiniModel(nn.Module):
    """Tower and head.

    The detector's maps are brought to unit spread by the numbers kept here. They are only scaled,
    not centred: the tower lives in those units, and a positive scale passes through its
    activation.
    """

    def __init__(self, head_width: int, dim: int, *, cls: bool = False) -> None:
        super().__init__()
        self.tower = MiniTower()
        self.head = StageHead(TOKENS, head_width, dim, cls=cls)
        for name, channels in CHANNELS.items():
            self.register_buffer(_buffer(name), torch.ones(channels))

    def scale(self, name: str) -> Tensor:
        """float32 [C]: what the detector's map of this name is multiplied by."""
        return self.get_buffer(_buffer(name))

    def standardised(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The detector's maps [B, C, h, w] in the units of the tower's."""
        return {name: m * self.scale(name).view(1, -1, 1, 1) for name, m in maps.items()}

    @torch.no_grad()
    def measure(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Set the scales from the detector's maps of some batches."""
        sums: dict[str, Tensor] = {}
        count: dict[str, int] = {}
        for maps in batches:
            for name, m in maps.items():
                flat = m.double().transpose(0, 1).flatten(1)
                both = torch.stack([flat.sum(1), flat.square().sum(1)])
                sums[name] = sums[name] + both if name in sums else both
                count[name] = count.get(name, 0) + flat.shape[1]
        for name, (first, square) in sums.items():
            mean = first / count[name]
            spread = (square / count[name] - mean**2).clamp_min(0.0).sqrt()
            self.scale(name).copy_(1.0 / spread.clamp_min(1e-3))


def _buffer(name: str) -> str:
    return f"scale_{part_key(name)}"
