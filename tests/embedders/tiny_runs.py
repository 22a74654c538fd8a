"""Trained heads, as it were, over small random backbones that open_clip and timm know by a name."""

import hashlib

import open_clip
import timm
import torch

from indexer.embedders.checkpoint import HeadCard, save_head
from indexer.embedders.head import USEHead
from indexer.embedders.towers import ClipTower, TimmTower
from indexer.embedders.use import shape_for

CONFIG = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 8,
        "layers": 4,
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
DINO = {"patch_size": 8, "img_size": 40, "embed_dim": 32, "num_heads": 2, "depth": 4}


def know(monkeypatch):
    """Make open_clip know `tiny-quickgelu`, and timm any name as a small DINOv2."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny-quickgelu", CONFIG)
    monkeypatch.setattr(open_clip, "list_models", lambda: ["tiny-quickgelu"])
    create = timm.create_model
    monkeypatch.setattr(
        timm,
        "create_model",
        lambda name, **kwargs: create("vit_tiny_patch16_224", **DINO, init_values=1.0, **kwargs),
    )


def write_clip(path, seed=0):
    torch.manual_seed(seed)
    torch.save(open_clip.model.CLIP(**CONFIG).state_dict(), path)
    return path


def write_dino(path, seed=1):
    """As published, with a mask token."""
    torch.manual_seed(seed)
    state = timm.create_model("tiny", pretrained=False, num_classes=0).state_dict()
    torch.save({**state, "mask_token": torch.zeros(1, 32)}, path)
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_head(folder, clip_file, dino_file, names=("clip", "dino"), cls=True, seed=0, **changes):
    """A random head trained, as it were, over the small backbones; the identity of each.

    Without the CLIP tower its texts are named by themselves.
    """
    clip = {"library": "open_clip", "model": "tiny-quickgelu", "weights": sha256(clip_file)}
    dino = {"library": "timm", "model": "tiny", "weights": sha256(dino_file)}
    towers = {name: {"clip": clip, "dino": dino}[name] for name in names}
    files = {"clip": clip_file.name, "dino": dino_file.name}
    if "clip" not in names:
        towers["text"], files["text"] = clip, clip_file.name
    net = open_clip.model.CLIP(**CONFIG)
    vit = timm.create_model("tiny", pretrained=False, num_classes=0)
    own = {"clip": ClipTower(net.visual, {}), "dino": TimmTower(vit, {}, last=2)}
    shape = shape_for({name: own[name] for name in names}, 24, cls=cls)
    torch.manual_seed(seed)
    head = USEHead(shape)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    card = {
        "shape": shape,
        "towers": towers,
        "files": files,
        "input": {"short": 48, "long": 96},
        "space_id": "",
        "logit_scale": 30.0,
        "notes": {},
    }
    save_head(folder, head, HeadCard(**(card | changes)))
    return towers
