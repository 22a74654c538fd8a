"""Small pairs and backbones for tests of cached training."""

import io

import numpy as np
import torch
from PIL import Image
from timm.models.vision_transformer import VisionTransformer

from indexer.embedders.towers import TimmTower
from trainer.pairs import PairImage, PairSegment, write_pairs
from usearch import masks
from usearch.records import EmbeddingSpace

TEXTS = ("cat", "red car", "grass", "a wooden table", "sky", "dog")
SIDE = 48


def photo(number, *, held=False, segments=3):
    """A photo of random blocks; each segment is a rectangle."""
    rng = np.random.default_rng(number)
    height, width = int(rng.integers(40, 90)), int(rng.integers(40, 90))
    picture = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    picture = np.repeat(np.repeat(picture, 8, 0), 8, 1)[:height, :width]
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=95)
    made = []
    for i in range(segments):
        y, x = int(rng.integers(0, height - 24)), int(rng.integers(0, width - 24))
        mask = np.zeros((height, width), bool)
        mask[y : y + 20, x : x + 16 + 4 * i] = True
        own = tuple(rng.choice(TEXTS, 2, replace=False).tolist())
        made.append(
            PairSegment(
                kind="object",
                origin="human",
                box=(x, y, x + mask.any(0).sum(), y + 20),
                rle=masks.encode(mask),
                texts=own,
                text_weights=(1.0, 0.5),
            )
        )
    return PairImage(
        id=f"made/{number}",
        source="made",
        licence="CC0",
        jpeg=out.getvalue(),
        width=width,
        height=height,
        segments=tuple(made),
        split="held" if held else "train",
    )


def pairs_file(path, photos=10, held=3, first=0):
    """A file of pairs, the last photos held out."""
    write_pairs(
        [photo(first + i, held=i >= photos) for i in range(photos + held)], path, row_group_size=4
    )
    return path


def towers():
    """Two ViTs with random weights, of different patches, widths and depths."""
    torch.manual_seed(1)
    sizes = {"patch_size": 8, "img_size": SIDE, "num_heads": 2, "num_classes": 0}
    first = VisionTransformer(**sizes, embed_dim=32, depth=3)
    second = VisionTransformer(**{**sizes, "patch_size": 16}, embed_dim=24, depth=4)
    return {
        "first": TimmTower(first.eval(), {"model": "first", "weights": "aa"}, last=None),
        "second": TimmTower(second.eval(), {"model": "second", "weights": "bb"}, last=2),
    }


class ToyText:
    """Each text has its own random unit vector."""

    def __init__(self, dim=16):
        self.dim = dim
        self.space = EmbeddingSpace(id="toy", dim=dim, name="toy", made_by={})

    def encode(self, texts):
        rows = [np.random.default_rng(list(text.encode())).normal(size=self.dim) for text in texts]
        out = np.array(rows, np.float32)
        return out / np.linalg.norm(out, axis=1, keepdims=True)


def same_features(one, other, **tolerance):
    """Assert that two features are of the same segments and hold the same numbers."""
    assert one.texts == other.texts
    assert (one.photos, one.rows) == (other.photos, other.rows)
    assert one.pooled.keys() == other.pooled.keys()
    for name in one.pooled:
        for a, b in zip(one.pooled[name], other.pooled[name], strict=True):
            torch.testing.assert_close(a, b, **tolerance)
        torch.testing.assert_close(one.cls[name], other.cls[name], **tolerance)
