"""Towers with random weights of the real architectures: for tests, and to time a step.

No head over them is of use; what they show is that everything fits together, and what it costs.
"""

from __future__ import annotations

from typing import Any

import torch

from indexer.embedders.towers import ClipTower, TimmTower, Tower
from trainer.use.backbones import DINO_MODEL, Backbones, text_space
from usearch.errors import UsageError

SIZES = ("tiny", "large")
"""`large` has the shapes of the paper's backbones."""

_TINY_CLIP: dict[str, Any] = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 8,
        "layers": 3,
        "width": 32,
        "head_width": 16,
    },
    "text_cfg": {
        "context_length": 20,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
_TINY_DINO: dict[str, Any] = {
    "patch_size": 8,
    "img_size": 40,
    "embed_dim": 32,
    "num_heads": 2,
    "depth": 4,
}


def random_backbones(size: str, device: str = "cpu", dino_blocks: int = 6) -> Backbones:
    """CLIP and DINOv2 as they begin, before any training; the same on every call.

    Args:
        size: One of `SIZES`.
        device: Where they run.
        dino_blocks: How many of DINOv2's last blocks are used; of the tiny one, 2.

    Raises:
        UsageError: An unknown size.
    """
    import open_clip
    import timm
    from open_clip.model import CLIP
    from timm.models.vision_transformer import VisionTransformer

    from indexer.embedders.backbones import clip_config, clip_texts

    if size not in SIZES:
        raise UsageError(f"no random towers of size {size!r}", f"sizes: {', '.join(SIZES)}")
    tiny = size == "tiny"
    config = _TINY_CLIP if tiny else clip_config("ViT-L-14-336-quickgelu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        clip = CLIP(**config).to(device).eval()
        dino = (
            VisionTransformer(**_TINY_DINO, init_values=1.0, num_classes=0)
            if tiny
            else timm.create_model(DINO_MODEL, pretrained=False, num_classes=0)
        )
    identities = {
        name: {"library": "random", "model": f"{size} {name}", "weights": "random, seed 0"}
        for name in ("clip", "dino")
    }
    towers: dict[str, Tower] = {
        "clip": ClipTower(clip.visual, identities["clip"]),
        "dino": TimmTower(dino.to(device), identities["dino"], last=2 if tiny else dino_blocks),
    }
    tokenizer = open_clip.get_tokenizer("ViT-L-14-336-quickgelu")
    space = text_space(identities["clip"], int(config["embed_dim"]))
    return Backbones(
        towers=towers,
        encoder=clip_texts(clip, tokenizer, space),
        identities={branch: tower.identity for branch, tower in towers.items()},
        files={},
        text=identities["clip"],
    )
