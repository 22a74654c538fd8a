"""CLIP as published, without training: from weight files to an embedder and its text encoder.

Models that `usearch train` made are built by `indexer.embedders.run`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from indexer.embedders import Embedder
from indexer.embedders.backbones import CLIP_MODELS as CLIP_MODELS
from indexer.embedders.backbones import Source, clip_config, clip_source, clip_texts, load_clip
from indexer.memory import pick_device
from usearch.errors import UsageError
from usearch.models.runs import space_of
from usearch.records import EmbeddingSpace
from usearch.text import TextEncoder

if TYPE_CHECKING:
    from indexer.embedders.clip_text import OnTruncated
    from indexer.embedders.towers import InputSize

Mode = Literal["region", "crop"]


def build_clip(
    device: str = "auto",
    weights: Path | None = None,
    mode: Mode = "region",
    *,
    model: str | None = None,
    on_truncated: OnTruncated | None = None,
) -> tuple[Embedder, TextEncoder]:
    """Embedder and text encoder of preset `clip`: CLIP as published, no training.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        weights: A folder to search first, or the weight file itself.
        mode: "region" (one pass an image, masked class tokens) or "crop" (one pass a segment).
        model: A key of `CLIP_MODELS`, or any name of open_clip together with a file; None
            takes the setting `clip`: ViT-L/14 at 336 px unless set.
        on_truncated: Told of texts that are too long.

    Raises:
        ModelError: Packages or weights are missing, damaged or of another architecture.
        UsageError: An unknown mode or model.
    """
    source = clip_source(model, weights)
    space = _clip_space(source, mode)
    net, tokenizer = load_clip(source, pick_device(device))
    text = clip_texts(net, tokenizer, space, on_truncated)
    if mode == "crop":
        from indexer.embedders.crop import CropEmbedder

        return CropEmbedder(net.visual, space), text
    from indexer.embedders.region_clip import RegionClipEmbedder
    from indexer.embedders.towers import ClipTower

    tower = ClipTower(net.visual, source.identity())
    size = _region_input(source)
    return RegionClipEmbedder(tower, space, size, _restricted_blocks(source)), text


def build_clip_text(
    device: str = "auto",
    weights: Path | None = None,
    mode: Mode = "region",
    *,
    model: str | None = None,
    on_truncated: OnTruncated | None = None,
) -> TextEncoder:
    """The text encoder of `build_clip` alone; the image tower is dropped."""
    source = clip_source(model, weights)
    space = _clip_space(source, mode)
    net, tokenizer = load_clip(source, pick_device(device))
    del net.visual
    return clip_texts(net, tokenizer, space, on_truncated)


def _clip_space(source: Source, mode: Mode) -> EmbeddingSpace:
    made_by: dict[str, Any] = {"tower": source.identity()}
    if mode == "region":
        made_by |= {
            "kind": "region-clip",
            "restricted_blocks": _restricted_blocks(source),
            "input": _region_input(source).to_json(),
        }
    elif mode == "crop":
        made_by |= {"kind": "crop-clip", "fill": "mean", "resize": "pillow-bicubic"}
    else:
        raise UsageError(f"unknown mode {mode!r} of preset clip", "region or crop")
    dim = int(clip_config(source.model)["embed_dim"])
    return space_of(f"clip {mode} ({source.model})", dim, made_by)


def _region_input(source: Source) -> InputSize:
    from indexer.embedders.towers import InputSize

    side = int(clip_config(source.model)["vision_cfg"]["image_size"])
    return InputSize(short=side, long=2 * side)


def _restricted_blocks(source: Source) -> int:
    """The last quarter of the blocks, as SAN: 3 of 12, 6 of 24."""
    return max(int(clip_config(source.model)["vision_cfg"]["layers"]) // 4, 1)
