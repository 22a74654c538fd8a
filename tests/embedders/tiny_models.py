"""Small random-weight models of the published architectures, built by the original packages."""

import numpy as np
import timm
import torch
from open_clip.model import CLIP

from usearch.masks import segments_from_masks

WIDTH = 32
DIM = 24


def clip(image_size=32, patch=8, layers=3, seed=0, quick_gelu=True, context_length=20):
    torch.manual_seed(seed)
    model = CLIP(
        embed_dim=DIM,
        vision_cfg={
            "image_size": image_size,
            "patch_size": patch,
            "layers": layers,
            "width": WIDTH,
            "head_width": 16,
        },
        text_cfg={
            "context_length": context_length,
            "vocab_size": 49408,
            "width": WIDTH,
            "heads": 2,
            "layers": 1,
        },
        quick_gelu=quick_gelu,
    )
    return model.eval()


def dino(image_size=40, patch=8, depth=4, seed=1, **kwargs):
    torch.manual_seed(seed)
    vit = timm.models.vision_transformer.VisionTransformer(
        img_size=image_size,
        patch_size=patch,
        embed_dim=WIDTH,
        depth=depth,
        num_heads=2,
        init_values=0.5,
        num_classes=0,
        dynamic_img_size=True,
        **kwargs,
    )
    with torch.no_grad():
        vit.norm.weight.normal_(1, 0.2)
        if vit.cls_token is not None:
            vit.cls_token.normal_()
    return vit.eval()


def photo(height, width, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return np.repeat(np.repeat(small, 8, 0), 8, 1)[:height, :width].copy()


def segments(height, width):
    """The whole picture, its left half, a disc, a thin line and a single pixel."""
    y, x = np.mgrid[:height, :width]
    masks = [
        np.ones((height, width), bool),
        x < width // 2,
        (y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) / 4) ** 2,
        y == height // 3,
        (y == height - 1) & (x == width - 1),
    ]
    return segments_from_masks(masks, np.ones(len(masks)))
