"""USE's head on the stages of the tower (paper section 3.2), and its folded form.

One LayerNorm + Linear (LLN) a stage, learned stage scales, a global vector appended where it is
asked for, one linear layer to the joint space. Every step after the parameter-free part of
LayerNorm is linear, so the pooled normalised tokens are all that is needed of a segment.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.mini.tower import normalise_tokens

GLOBAL = "s32"
"""The stage whose mean over the photo is the global (cls) vector."""


class StageHead(nn.Module):
    """Pooled tokens of each stage to unit vectors of the joint space."""

    def __init__(
        self, token_dims: dict[str, int], width: int, dim: int, *, cls: bool = True
    ) -> None:
        super().__init__()
        self.token_dims = dict(token_dims)
        self.stages = tuple(token_dims)
        self.norm_scale = nn.ParameterDict(
            {k: nn.Parameter(torch.ones(d)) for k, d in token_dims.items()}
        )
        self.norm_shift = nn.ParameterDict(
            {k: nn.Parameter(torch.zeros(d)) for k, d in token_dims.items()}
        )
        self.linear = nn.ModuleDict({k: nn.Linear(d, width) for k, d in token_dims.items()})
        self.stage_scale = nn.ParameterDict(
            {k: nn.Parameter(torch.tensor(1.0 / len(token_dims))) for k in token_dims}
        )
        self.cls = nn.Linear(token_dims[GLOBAL], width) if cls else None
        self.project = nn.Linear((2 if cls else 1) * width, dim)

    @property
    def inputs(self) -> int:
        """Length of a pooled row: all stages, then the global vector where there is one."""
        return sum(self.token_dims.values()) + (self.token_dims[GLOBAL] if self.cls else 0)

    def forward(self, pooled: Tensor) -> Tensor:
        """Unit vectors [n, D] of pooled rows [n, inputs] (see `pool`)."""
        mixed = pooled.new_zeros(())
        start = 0
        for stage in self.stages:
            stop = start + self.token_dims[stage]
            part = pooled[:, start:stop] * self.norm_scale[stage] + self.norm_shift[stage]
            mixed = mixed + self.stage_scale[stage] * self.linear[stage](part)
            start = stop
        if self.cls is not None:
            mixed = torch.cat([mixed, self.cls(pooled[:, start:])], 1)
        return functional.normalize(self.project(mixed), dim=1)

    @torch.no_grad()
    def fold(self) -> tuple[Tensor, Tensor]:
        """Matrix [D, inputs] and offset [D], float32: `normalize(matrix @ row + offset)`."""
        weights = self.project.weight.double()
        left, right = weights.chunk(2, 1) if self.cls else (weights, None)
        offset = self.project.bias.double()
        columns = []
        for stage in self.stages:
            linear = cast(nn.Linear, self.linear[stage])
            scale = self.stage_scale[stage].double()
            weight = left @ linear.weight.double() * scale
            columns.append(weight * self.norm_scale[stage].double())
            offset = offset + weight @ self.norm_shift[stage].double()
            offset = offset + scale * (left @ linear.bias.double())
        if self.cls is not None and right is not None:
            offset = offset + right @ self.cls.bias.double()
            columns.append(right @ self.cls.weight.double())
        return torch.cat(columns, 1).float(), offset.float()


def pool(
    maps: dict[str, Tensor],
    weights: dict[str, Tensor],
    photo: Tensor,
    stages: tuple[str, ...],
    *,
    cls: bool = True,
) -> Tensor:
    """Pooled normalised tokens of segments.

    Args:
        maps: Feature maps [B, C, h, w] by stage.
        weights: For each stage float32 [n, h, w], each row summing to 1.
        photo: int64 [n], the photo of the batch that a segment lies in.
        stages: Order of the stages in a row.
        cls: Append the global vector.

    Returns:
        float32 [n, inputs of the head].
    """
    parts = []
    for stage in stages:
        tokens = normalise_tokens(maps[stage]).flatten(2)
        out = tokens.new_empty(len(photo), tokens.shape[1])
        for i in range(tokens.shape[0]):
            rows = photo == i
            out[rows] = weights[stage][rows].flatten(1) @ tokens[i].T
        parts.append(out)
    if cls:
        parts.append(normalise_tokens(maps[GLOBAL]).mean((2, 3))[photo])
    return torch.cat(parts, 1)
