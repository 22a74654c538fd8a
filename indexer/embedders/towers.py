"""Frozen backbones that give the patch tokens of chosen blocks, one block at a time.

A tower takes any input whose sides are multiples of its patch. Position embeddings are
resized to the grid: bicubic, antialiased, in float32, to a target size (never by a scale
factor), and kept per grid; the class token's position stays as it is. At its native size a
tower computes exactly what open_clip and timm compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from indexer.embedders.input_size import InputSize as InputSize
from indexer.embedders.input_size import resized_pixels
from usearch.errors import ModelError
from usearch.records import Image

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

DINO_BLOCKS = 6
"""l of the paper: the last l blocks of DINOv2 are used."""

Grid = tuple[int, int]
OnBlock = Callable[[int, Tensor], None]
"""Called with the place of a block among those used (from 0) and its tokens [B, P, C]."""


class Tower(Protocol):
    """A frozen backbone.

    Attributes:
        patch: Side of a patch in pixels.
        widths: Channels of each block that is used.
        cls_width: Channels of the class token.
        identity: Plain JSON values that tell this backbone from any other.
    """

    patch: int
    widths: tuple[int, ...]
    cls_width: int
    identity: Mapping[str, Any]

    def run(self, pixels: Tensor, on_block: OnBlock) -> Tensor:
        """Run the backbone over a batch.

        Args:
            pixels: float32 [B, 3, h, w] in 0..1, RGB; h and w multiples of `patch`.
            on_block: Takes the patch tokens of each used block, in order.

        Returns:
            The class token [B, cls_width] after the final norm.
        """
        ...


def to_pixels(image: Image, size: tuple[int, int]) -> Tensor:
    """An image resized to (height, width), float32 [1, 3, h, w] in 0..1."""
    return torch.from_numpy(resized_pixels(image, size))


def common_multiple(towers: Iterable[Tower]) -> int:
    """Smallest side that every tower's patch divides, so that all grids cover the picture."""
    return math.lcm(*(t.patch for t in towers))


def grid_of(pixels: Tensor, patch: int) -> Grid:
    """(rows, columns) of patches.

    Raises:
        ValueError: A side is no multiple of the patch.
    """
    height, width = pixels.shape[-2:]
    if height % patch or width % patch:
        raise ValueError(f"an input of {width} x {height} does not divide into patches of {patch}")
    return height // patch, width // patch


def resize_positions(grid_positions: Tensor, native: Grid, grid: Grid) -> Tensor:
    """Position embeddings of a native grid, [rows * columns, C], for another grid, float32."""
    table = grid_positions.float()
    if native == grid:
        return table
    image = table.reshape(1, *native, -1).permute(0, 3, 1, 2)
    image = nn.functional.interpolate(
        image, size=grid, mode="bicubic", antialias=True, align_corners=False
    )
    return image.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1)


class Normaliser:
    """Pixel mean and standard deviation of a backbone, applied to 0..1 pixels."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = tuple(float(m) for m in mean)
        self.std = tuple(float(s) for s in std)

    def __call__(self, pixels: Tensor, like: Tensor) -> Tensor:
        """Normalised pixels on the device and in the type of `like`."""
        pixels = pixels.to(like.device, torch.float32)
        mean = pixels.new_tensor(self.mean)[:, None, None]
        std = pixels.new_tensor(self.std)[:, None, None]
        return ((pixels - mean) / std).to(like.dtype)


def _frozen(module: nn.Module) -> nn.Module:
    return module.eval().requires_grad_(False)


class ClipTower:
    """The visual tower of an open_clip model: patch tokens after all of its blocks.

    The class token is taken after `ln_post`, before the projection to the joint space.
    """

    patch: int
    widths: tuple[int, ...]
    cls_width: int
    identity: Mapping[str, Any]

    def __init__(self, visual: Any, identity: Mapping[str, Any]) -> None:
        """Take a visual tower of open_clip's own kind.

        Args:
            visual: `open_clip.transformer.VisionTransformer`.
            identity: Name of the model and checksum of its weights.

        Raises:
            ModelError: It is another kind of tower.
        """
        from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

        blocks: Any = visual.transformer.resblocks if isinstance(visual, VisionTransformer) else ()
        if (
            not blocks
            or not all(isinstance(b, ResidualAttentionBlock) for b in blocks)
            or visual.attn_pool is not None
        ):
            raise ModelError(
                f"{identity.get('model', 'this model')} has no plain ViT with a class token",
                "use a CLIP ViT of open_clip, such as ViT-B-32-quickgelu",
            )
        self.visual: Any = _frozen(visual)
        self.patch = int(visual.patch_size[0])
        self.widths = tuple(int(visual.transformer.width) for _ in blocks)
        self.cls_width = self.widths[-1]
        self.native: Grid = (int(visual.grid_size[0]), int(visual.grid_size[1]))
        self.identity = {
            **identity,
            "activation": type(blocks[0].mlp.gelu).__name__,
        }
        self._normalise = Normaliser(
            getattr(visual, "image_mean", None) or CLIP_MEAN,
            getattr(visual, "image_std", None) or CLIP_STD,
        )
        self._positions: dict[Grid, Tensor] = {}

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Tokens before block 0, [B, 1 + P, C], class token first."""
        visual = self.visual
        grid = grid_of(pixels, self.patch)
        x = visual.conv1(self._normalise(pixels, visual.conv1.weight))
        x = x.flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        out: Tensor = visual.ln_pre(torch.cat([cls, x], 1) + self.positions(grid).to(x.dtype))
        return out

    def positions(self, grid: Grid) -> Tensor:
        """Position embeddings of a grid, float32 [1 + P, C]."""
        if grid not in self._positions:
            table = self.visual.positional_embedding.float()
            resized = resize_positions(table[1:], self.native, grid)
            self._positions[grid] = torch.cat([table[:1], resized])
        return self._positions[grid]

    @torch.no_grad()
    def run(self, pixels: Tensor, on_block: OnBlock) -> Tensor:
        """See `Tower.run`."""
        x = self.embed_pixels(pixels)
        for i, block in enumerate(self.visual.transformer.resblocks):
            x = block(x)
            on_block(i, x[:, 1:])
        out: Tensor = self.visual.ln_post(x[:, 0])
        return out


class TimmTower:
    """A ViT of timm: patch tokens after its last l blocks.

    The class token is taken after the final norm; a model without one gives the mean of
    its normed patch tokens instead. Register tokens are left out.
    """

    patch: int
    widths: tuple[int, ...]
    cls_width: int
    identity: Mapping[str, Any]

    def __init__(
        self,
        vit: Any,
        identity: Mapping[str, Any],
        *,
        last: int | None = DINO_BLOCKS,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        """Take a vision transformer.

        Args:
            vit: `timm.models.vision_transformer.VisionTransformer`.
            identity: Name of the model and checksum of its weights.
            last: How many of the last blocks are used; None for all.
            mean: Pixel mean in 0..1.
            std: Pixel standard deviation in 0..1.

        Raises:
            ModelError: It is another kind of model, or has fewer blocks.
        """
        from timm.models.vision_transformer import VisionTransformer

        name = identity.get("model", type(vit).__name__)
        if not isinstance(vit, VisionTransformer) or vit.pos_embed is None:
            raise ModelError(
                f"{name} is not a plain ViT of timm", "use vit_large_patch14_dinov2 or another ViT"
            )
        depth = len(vit.blocks)
        self.first = 0 if last is None else depth - last
        if not 0 <= self.first < depth:
            raise ModelError(f"{name} has {depth} blocks, the last {last} were asked for")
        self.vit: Any = _frozen(vit)
        self.patch = int(vit.patch_embed.patch_size[0])
        self.widths = (int(vit.embed_dim),) * (depth - self.first)
        self.cls_width = int(vit.embed_dim)
        rows, columns = vit.patch_embed.grid_size
        self.native: Grid = (int(rows), int(columns))
        self.identity = {**identity, "blocks": len(self.widths)}
        self._normalise = Normaliser(mean, std)
        self._positions: dict[Grid, Tensor] = {}

    def positions(self, grid: Grid) -> Tensor:
        """Position embeddings of a grid, float32 [1, prefix + P, C]."""
        if grid not in self._positions:
            table = self.vit.pos_embed.float()[0]
            prefix = 0 if self.vit.no_embed_class else self.vit.num_prefix_tokens
            resized = resize_positions(table[prefix:], self.native, grid)
            self._positions[grid] = torch.cat([table[:prefix], resized])[None]
        return self._positions[grid]

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Tokens before block 0, [B, prefix + P, C]."""
        vit = self.vit
        grid = grid_of(pixels, self.patch)
        x = vit.patch_embed.proj(self._normalise(pixels, vit.patch_embed.proj.weight))
        x = vit.patch_embed.norm(x.flatten(2).transpose(1, 2))
        positions = self.positions(grid).to(x.dtype)
        prefix = [t.expand(len(x), -1, -1) for t in (vit.cls_token, vit.reg_token) if t is not None]
        if vit.no_embed_class:
            x = torch.cat([*prefix, x + positions], 1)
        else:
            x = torch.cat([*prefix, x], 1) + positions
        out: Tensor = vit.norm_pre(x)
        return out

    @torch.no_grad()
    def run(self, pixels: Tensor, on_block: OnBlock) -> Tensor:
        """See `Tower.run`."""
        prefix = self.vit.num_prefix_tokens
        x = self.embed_pixels(pixels)
        for i, block in enumerate(self.vit.blocks):
            x = block(x)
            if i >= self.first:
                on_block(i - self.first, x[:, prefix:])
        x = self.vit.norm(x)
        out: Tensor = x[:, 0] if self.vit.cls_token is not None else x[:, prefix:].mean(1)
        return out


def clip_tower(model: Any, identity: Mapping[str, Any]) -> Tower:
    """The visual tower of any open_clip model that has a ViT, its own or timm's.

    Raises:
        ModelError: The model's image side is no ViT.
    """
    visual = model.visual
    if hasattr(visual, "trunk"):
        mean = getattr(visual, "image_mean", None) or CLIP_MEAN
        std = getattr(visual, "image_std", None) or CLIP_STD
        return TimmTower(visual.trunk, identity, last=None, mean=mean, std=std)
    return ClipTower(visual, identity)
