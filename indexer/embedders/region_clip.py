"""Region vectors from CLIP alone, without training: class tokens that see one segment each.

The image runs through the tower once. Before one of the last blocks the class token is
copied, one copy a segment; from there on a copy attends to itself and to the patches of its
segment only, while patches and the ordinary class token go on undisturbed. A copy whose
segment is the whole picture therefore follows the ordinary class token exactly, and its
vector is the plain CLIP image vector. (The same device as in SAN and in ODISE's and
MaskCLIP's masked class tokens; there with trained parts beside it.)
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from indexer.embedders.head import unit
from indexer.embedders.towers import ClipTower, InputSize, grid_of, to_pixels
from indexer.memory import BatchSize, is_out_of_memory, out_of_memory, run_in_batches
from usearch.errors import UsageError
from usearch.masks import pooling_weights
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments


class RegionClipEmbedder:
    """Embeds segments with the visual tower of a CLIP model."""

    def __init__(
        self,
        tower: ClipTower,
        space: EmbeddingSpace,
        size: InputSize,
        blocks: int,
        batch: int = 128,
    ) -> None:
        """Bind a tower.

        Args:
            tower: Visual tower of open_clip with its projection.
            space: What the vectors belong to.
            size: Input size rule.
            blocks: In how many of the last blocks the copies are restricted.
            batch: Largest number of segments at a time; halved when memory runs out.

        Raises:
            UsageError: The tower has fewer blocks.
        """
        depth = len(tower.widths)
        if not 1 <= blocks <= depth:
            raise UsageError(f"restricting {blocks} of {depth} blocks: it must be 1..{depth}")
        self.tower = tower
        self.size = size
        self.blocks = blocks
        self._space = space
        self._batch = BatchSize(batch)

    @property
    def space(self) -> EmbeddingSpace:
        """The space of the vectors: that of the CLIP model's text tower."""
        return self._space

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        """See `indexer.embedders.Embedder.embed`.

        Raises:
            ResourceError: Not even one segment fits into memory.
        """
        if len(segments) == 0:
            return np.zeros((0, self._space.dim), np.float32)
        height, width = image.shape[:2]
        pixels = to_pixels(image, self.size.fit(height, width, self.tower.patch))
        try:
            contexts = self._contexts(pixels)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory("images") from error
        bias = attention_bias(segments, grid_of(pixels, self.tower.patch)).to(contexts[0].device)
        parts = run_in_batches(
            lambda a, b: self._read_out(contexts, bias[a:b]), len(segments), self._batch, "segments"
        )
        vectors: FloatArray = torch.cat(parts).numpy()
        return vectors

    @torch.no_grad()
    def _contexts(self, pixels: Tensor) -> list[Tensor]:
        """Tokens [1 + P, C] that enter each of the last blocks."""
        x = self.tower.embed_pixels(pixels)
        resblocks = self.tower.visual.transformer.resblocks
        contexts: list[Tensor] = []
        for i, block in enumerate(resblocks):
            if i >= len(resblocks) - self.blocks:
                contexts.append(x[0])
            if i < len(resblocks) - 1:
                x = block(x)
        return contexts

    @torch.no_grad()
    def _read_out(self, contexts: list[Tensor], bias: Tensor) -> Tensor:
        visual = self.tower.visual
        copies = contexts[0][:1].expand(len(bias), -1)
        for block, context in zip(
            visual.transformer.resblocks[-self.blocks :], contexts, strict=True
        ):
            copies = copies + block.ls_1(
                restricted_attention(block.attn, block.ln_1(copies), block.ln_1(context[1:]), bias)
            )
            copies = copies + block.ls_2(block.mlp(block.ln_2(copies)))
        return unit(visual.ln_post(copies) @ visual.proj).cpu()


def attention_bias(segments: Segments, grid: tuple[int, int]) -> Tensor:
    """What is added to a copy's attention logits, float32 [n, P].

    The logarithm of the share of each patch that the segment covers, relative to the patch
    that it covers most: 0 where it is covered fully, minus infinity where not at all. A
    segment smaller than a patch so still outweighs what its copy knew before.
    """
    weights = torch.from_numpy(pooling_weights(segments, grid))
    return torch.log(weights / weights.amax(1, keepdim=True))


def restricted_attention(
    attention: nn.MultiheadAttention, copies: Tensor, patches: Tensor, bias: Tensor
) -> Tensor:
    """Attention of each copy to itself and, with a bias, to the patches.

    Plain arithmetic: fused kernels do not all take such masks.

    Args:
        attention: The block's own attention.
        copies: [n, C], normed.
        patches: [P, C], normed.
        bias: float32 [n, P]; minus infinity shuts a patch out.

    Returns:
        [n, C]
    """
    heads = attention.num_heads
    assert attention.in_proj_weight is not None
    wq, wk, wv = attention.in_proj_weight.chunk(3)
    bq, bk, bv = attention.in_proj_bias.chunk(3)

    def split(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return nn.functional.linear(x, w, b).view(len(x), heads, -1).transpose(0, 1)

    q = split(copies, wq, bq)
    q = q * q.shape[-1] ** -0.5
    own_k, own_v = split(copies, wk, bk), split(copies, wv, bv)
    patch_k, patch_v = split(patches, wk, bk), split(patches, wv, bv)
    own = (q * own_k).sum(-1, keepdim=True)
    logits = torch.cat([own, q @ patch_k.transpose(1, 2) + bias.to(q.dtype)], -1)
    share = logits.float().softmax(-1).to(q.dtype)
    mixed = share[..., :1] * own_v + share[..., 1:] @ patch_v
    out: Tensor = attention.out_proj(mixed.transpose(0, 1).flatten(1))
    return out
