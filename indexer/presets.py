"""Presets, image side: a name to a segmenter and an embedder."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.embedders import Embedder
from indexer.segmenters import Segmenter
from usearch.errors import ModelError, UsageError
from usearch.models.presets import DEFAULT_PRESET, mini_card, run_of

if TYPE_CHECKING:
    from indexer.embedders.mini import MiniModel
    from usearch.models.runs import Run

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
        preset: One of `usearch.models.presets.PRESETS`, or the folder of a trained model.
        segmenter: "tree", "sam" or "given"; None takes the preset's own.
        device: "auto", "cpu", "cuda", ...; `mini` and `tree` always run on the CPU.
        masks: COCO json for the segmenter "given".
        skip_invalid: Leave wrong entries of `masks` out instead of refusing the file.
        threads: Threads of each model in this process.

    Raises:
        UsageError: There is no such preset or segmenter.
        ModelError: Weights or packages are missing.
    """
    run = run_of(preset)
    if segmenter is None:
        segmenter = "sam" if preset == "large" else "tree"
    if segmenter not in SEGMENTERS:
        raise UsageError(
            f"there is no segmenter {segmenter!r}", f"the segmenters are {', '.join(SEGMENTERS)}"
        )
    if preset == DEFAULT_PRESET:
        mini = _mini(threads)
        return _segmenter(segmenter, device, masks, skip_invalid, mini.boundary), mini
    if run is not None:
        # The bundled model's boundaries cut better than colour alone, whatever embeds.
        boundary = _mini(threads).boundary if segmenter == "tree" else None
        trained = _trained(run, device, threads)
        return _segmenter(segmenter, device, masks, skip_invalid, boundary), trained
    if preset == "clip":
        embedder, _ = _torch_module("build", "the preset 'clip'").build_clip(device)
    else:
        embedder, _ = _torch_module("run", "the preset 'large'").build_large(device)
    return _segmenter(segmenter, device, masks, skip_invalid, None), embedder


def _mini(threads: int) -> MiniModel:
    from indexer.embedders.mini import MiniModel

    return MiniModel(mini_card(), threads)


def _trained(run: Run, device: str, threads: int) -> Embedder:
    """Torch where it is installed, else the model's ONNX form."""
    torch_is_here = all(importlib.util.find_spec(m) for m in ("torch", "open_clip", "timm"))
    if run.head is not None and (run.onnx is None or torch_is_here):
        build = _torch_module("run", f"the trained model {run.folder}")
        embedder: Embedder = build.build_run(run.head, device)[0]
        return embedder
    from indexer.embedders.use_onnx import OnnxEmbedder

    assert run.onnx is not None
    return OnnxEmbedder(run, threads)


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


def _torch_module(name: str, what: str) -> Any:
    """A module that needs torch."""
    try:
        return importlib.import_module(f"indexer.embedders.{name}")
    except ImportError as error:
        raise ModelError(
            f"{what} needs torch, open_clip and timm ({error.name} is missing)",
            "pip install 'use-segments[torch]'",
        ) from error
