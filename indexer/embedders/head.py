"""The USE head: LLN per block, learned block scales, class tokens, one linear layer.

USE (CVPR 2024), section 3.2. With the tokens x_i of block i of a branch (CLIP: all blocks;
DINOv2: the last l), n_i segments pooled with weights that sum to 1, and the branch's class
token c:

    z = [sum_i alpha_i LLN_i(x_i), c_clip, sum_i beta_i LLN_i(x_i), c_dino],   s = W z + b
    LLN_i(x) = A_i (g_i * n(x) + h_i) + b_i,   n(x) = (x - mean) / sqrt(var + eps)

Everything after n() is affine and pooling weights sum to 1, so n(x) can be pooled first and
projected after (`USEHead.project` takes either), and for inference all linear layers fold
into one matrix and one offset (`fold`):

    M_i = scale_i W_branch A_i diag(g_i),   k = b + sum_i scale_i W_branch (A_i h_i + b_i)

With ViT-L/14 twice (24 + 6 blocks of width 1024, joint space of 768) the head has

    30 LLN x (2 x 1024 + 1024 x 1024 + 1024)   31,549,440
    30 block scales                                    30
    linear 4 x 1024 -> 768, with bias           3,146,496
                                                ----------
                                                34,695,966 = the paper's "35 M".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from usearch.errors import ModelError

EPS = 1e-5
"""Epsilon of the layer norm of an LLN, in training and in inference."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One backbone as the head sees it.

    Attributes:
        name: "clip", "dino", or any other.
        widths: Channels of each block that is used, first block first.
        out: Width of every LLN's output.
        cls: Width of the class token that is appended; 0 for none.
    """

    name: str
    widths: tuple[int, ...]
    out: int
    cls: int


@dataclass(frozen=True, slots=True)
class HeadShape:
    """Architecture of a head.

    Attributes:
        branches: One or more backbones, in the order in which z concatenates them.
        dim: Dimension D of the joint space.
    """

    branches: tuple[Branch, ...]
    dim: int

    def columns(self) -> int:
        """Width of the folded matrix: all blocks, then the class token, branch by branch."""
        return sum(sum(b.widths) + b.cls for b in self.branches)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "branches": [{**asdict(b), "widths": list(b.widths)} for b in self.branches],
            "dim": self.dim,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> HeadShape:
        """The shape written by `to_json`.

        Raises:
            ModelError: The values do not describe a head.
        """
        try:
            branches = tuple(
                Branch(str(b["name"]), tuple(map(int, b["widths"])), int(b["out"]), int(b["cls"]))
                for b in values["branches"]
            )
            shape = HeadShape(branches, int(values["dim"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the card does not describe a USE head: {error!r}") from error
        sizes = [shape.dim, *(n for b in branches for n in (*b.widths, b.out))]
        if not branches or min(sizes) < 1 or any(b.cls < 0 or not b.widths for b in branches):
            raise ModelError(f"the card describes an impossible USE head: {shape.to_json()}")
        return shape


def vit_branch(name: str, blocks: int, width: int, *, cls: bool = True) -> Branch:
    """Branch of a plain ViT: all LLN width -> width, class token of the same width."""
    return Branch(name, (width,) * blocks, width, width if cls else 0)


PAPER = HeadShape((vit_branch("clip", 24, 1024), vit_branch("dino", 6, 1024)), 768)
"""CLIP ViT-L/14-336 (all 24 blocks) and DINOv2 ViT-L/14 (the last 6)."""


def normalise(tokens: Tensor) -> Tensor:
    """n(x): the parameter-free part of an LLN, float32, over the last dimension.

    It is not linear, so it is applied to each token before pooling.
    """
    return nn.functional.layer_norm(tokens.float(), tokens.shape[-1:], eps=EPS)


class LLN(nn.Module):
    """LayerNorm, then Linear, of one block."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.linear = nn.Linear(width, out)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., width] to [..., out]."""
        out: Tensor = self.linear(self.norm(tokens))
        return out

    def project(self, normed: Tensor) -> Tensor:
        """As `forward`, for tokens that went through `normalise` already, pooled or not."""
        out: Tensor = self.linear(normed * self.norm.weight + self.norm.bias)
        return out


class BranchHead(nn.Module):
    """The LLNs of one backbone and their scales, initialised to 1/m."""

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        m = len(branch.widths)
        self.blocks = nn.ModuleList(LLN(width, branch.out) for width in branch.widths)
        self.scales = nn.Parameter(torch.full((m,), 1.0 / m))


class USEHead(nn.Module):
    """The trainable head, unfolded."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.shape = shape
        self.branches = nn.ModuleDict({b.name: BranchHead(b) for b in shape.branches})
        self.linear = nn.Linear(sum(b.out + b.cls for b in shape.branches), shape.dim)

    def forward(self, tokens: Mapping[str, Sequence[Tensor]], cls: Mapping[str, Tensor]) -> Tensor:
        """Embeddings of patches, as the formula is written; not of unit length.

        Args:
            tokens: For each branch the raw tokens of its blocks, [..., P, width] each.
            cls: For each branch with a class token, [..., cls].

        Returns:
            [..., P, D]
        """
        return self._join(tokens, cls, raw=True)

    def project(self, normed: Mapping[str, Sequence[Tensor]], cls: Mapping[str, Tensor]) -> Tensor:
        """As `forward`, of tokens that went through `normalise` and, mostly, pooling.

        Args:
            normed: For each branch [..., n, width] per block: n segments (or patches).
            cls: As in `forward`.

        Returns:
            [..., n, D]
        """
        return self._join(normed, cls, raw=False)

    def _join(
        self, tokens: Mapping[str, Sequence[Tensor]], cls: Mapping[str, Tensor], *, raw: bool
    ) -> Tensor:
        parts: list[Tensor] = []
        for branch in self.shape.branches:
            head = self.branches[branch.name]
            assert isinstance(head, BranchHead)
            if len(tokens[branch.name]) != len(head.blocks):
                raise ValueError(
                    f"{branch.name}: tokens of {len(tokens[branch.name])} blocks, "
                    f"the head has {len(head.blocks)}"
                )
            merged: Tensor | None = None
            for block, x, scale in zip(
                head.blocks, tokens[branch.name], head.scales.unbind(), strict=True
            ):
                assert isinstance(block, LLN)
                y = scale * (block(x) if raw else block.project(x))
                merged = y if merged is None else merged + y
            assert merged is not None
            parts.append(merged)
            if branch.cls:
                token = cls[branch.name].unsqueeze(-2)
                parts.append(token.expand(*merged.shape[:-1], branch.cls))
        out: Tensor = self.linear(torch.cat(parts, dim=-1))
        return out


@dataclass(frozen=True, slots=True)
class FoldedHead:
    """A whole head as one affine map.

    Attributes:
        shape: Architecture of the head that was folded.
        matrix: float32 [D, columns]: for each branch its blocks side by side, then the
            class token.
        offset: float32 [D].
    """

    shape: HeadShape
    matrix: Tensor
    offset: Tensor

    def parts(self, name: str) -> tuple[list[Tensor], Tensor | None]:
        """The columns of one branch: [D, width] per block, and [D, cls] or None."""
        start = 0
        for branch in self.shape.branches:
            if branch.name == name:
                break
            start += sum(branch.widths) + branch.cls
        else:
            raise KeyError(name)
        edges = np.cumsum([start, *branch.widths]).tolist()
        blocks = [self.matrix[:, a:b] for a, b in pairwise(edges)]
        end = edges[-1]
        return blocks, (self.matrix[:, end : end + branch.cls] if branch.cls else None)

    def to(self, device: str | torch.device) -> FoldedHead:
        """The same head on another device."""
        return FoldedHead(self.shape, self.matrix.to(device), self.offset.to(device))

    def project(self, normed: Mapping[str, Sequence[Tensor]], cls: Mapping[str, Tensor]) -> Tensor:
        """As `USEHead.project`."""
        out = self.offset
        for branch in self.shape.branches:
            blocks, cls_part = self.parts(branch.name)
            for x, m in zip(normed[branch.name], blocks, strict=True):
                out = out + x @ m.T
            if cls_part is not None:
                out = out + (cls[branch.name] @ cls_part.T).unsqueeze(-2)
        return out


@torch.no_grad()
def fold(head: USEHead) -> FoldedHead:
    """Fold a head into one matrix and one offset: computed in float64, stored in float32."""
    weight = head.linear.weight.double()
    offset = head.linear.bias.double().clone()
    columns: list[Tensor] = []
    start = 0
    for branch in head.shape.branches:
        part = head.branches[branch.name]
        assert isinstance(part, BranchHead)
        w = weight[:, start : start + branch.out]
        for block, scale in zip(part.blocks, part.scales.double().unbind(), strict=True):
            assert isinstance(block, LLN)
            a = block.linear.weight.double()
            wa = scale * (w @ a)
            columns.append(wa * block.norm.weight.double())
            offset += wa @ block.norm.bias.double() + scale * (w @ block.linear.bias.double())
        start += branch.out
        if branch.cls:
            columns.append(weight[:, start : start + branch.cls])
            start += branch.cls
    matrix = torch.cat(columns, dim=1).float().contiguous()
    return FoldedHead(head.shape, matrix, offset.float())


def unit(vectors: Tensor) -> Tensor:
    """Rows scaled to unit length, float32."""
    return nn.functional.normalize(vectors.float(), dim=-1)
