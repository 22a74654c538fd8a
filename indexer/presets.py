"""Presets, image side: a name to a segmenter and an embedder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from indexer.embedders import Embedder
from indexer.segmenters import Segmenter
from usearch.errors import ModelError, UsageError
from usearch.models.presets import DEFAULT_PRESET, check_preset, mini_card

SEGMENTERS = ("tree", "sam", "given")


def load_indexer(
    preset: str = DEFAULT_PRESET,
    segmenter: str | None = None,
    device: str = "auto",
    *,
    masks: Path | None = None,
    skip_invalid: bool = False,
    threads: int = 1,
) -> tuple[Segmenter, Embedder]:
    """Load what indexes photos.

    Args:
        preset: One of `usearch.models.presets.PRESETS`.
        segmenter: "tree", "sam" or "given"; None takes the preset's own.
        device: "auto", "cpu", "cuda", ...; `mini` and `tree` always run on the CPU.
        masks: COCO json for the segmenter "given".
        skip_invalid: Leave wrong entries of `masks` out instead of refusing the file.
        threads: Threads of each model in this process.

    Raises:
        UsageError: There is no such preset or segmenter.
        ModelError: Weights or packages are missing.
    """
    check_preset(preset)
    if segmenter is None:
        segmenter = "sam" if preset == "large" else "tree"
    if segmenter not in SEGMENTERS:
        raise UsageError(
            f"there is no segmenter {segmenter!r}", f"the segmenters are {', '.join(SEGMENTERS)}"
        )
    if preset == DEFAULT_PRESET:
        from indexer.embedders.mini import MiniModel

        mini = MiniModel(mini_card(), threads)
        return _segmenter(segmenter, device, masks, skip_invalid, mini.boundary), mini
    build = _torch_builders(preset)
    embedder, _ = build.build_clip(device) if preset == "clip" else build.build_large(device)
    return _segmenter(segmenter, device, masks, skip_invalid, None), embedder


def _segmenter(
    name: str, device: str, masks: Path | None, skip_invalid: bool, boundary: Any
) -> Segmenter:
    if name == "given":
        from indexer.segmenters.given import GivenSegmenter

        if masks is None:
            raise UsageError("the segmenter 'given' needs masks", "add --masks COCO.json")
        return GivenSegmenter(masks, skip_invalid=skip_invalid)
    if name == "sam":
        from indexer.segmenters.sam import build_sam

        return build_sam(device=device)
    from indexer.segmenters.tree import TreeSegmenter

    return TreeSegmenter(boundary)


def _torch_builders(preset: str) -> Any:
    try:
        from indexer.embedders import build
    except ImportError as error:
        raise ModelError(
            f"the preset {preset!r} needs torch, open_clip and timm ({error.name} is missing)",
            "pip install 'use-segments[torch]'",
        ) from error
    return build
