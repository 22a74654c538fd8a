"""Systems that are measured side by side: what cuts the photos, and what names the segments.

    tree+mini   the bundled segmenter and model
    given+mini  labelled masks, named by the model
    tree+crop   the same segments, each cropped and embedded as a photo of its own
    tree+clip   the same segments, CLIP without training (one pass, masked class tokens)
    sam+large   the paper's: SAM and USE

Systems with one segmenter share its segments: the first of them cuts, the others embed what it
cut, so that rows of a table differ in one thing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.crops import CropsOf, crop_space
from indexer.embedders import Embedder
from indexer.photos import PhotoError
from indexer.segmenters import Segmenter
from usearch.classify import stored_photos
from usearch.errors import UsageError
from usearch.models import presets
from usearch.records import Image, Segments
from usearch.store import Snapshot, open_snapshot
from usearch.text import TextEncoder

SEGMENTERS = ("tree", "sam", "given")
CROP = "crop"


@dataclass(frozen=True, slots=True)
class System:
    """A segmenter and an embedder.

    Attributes:
        segmenter: One of `SEGMENTERS`.
        model: A preset, or the folder of a training run.
        crops: Whether each segment is cropped and embedded as a photo of its own.
    """

    segmenter: str
    model: str
    crops: bool = False

    @property
    def embedder(self) -> str:
        """For people and for names of stores: `mini`, `mini-crop`."""
        name = self.model if self.model in presets.PRESETS else Path(self.model).name
        return f"{name}-{CROP}" if self.crops else name

    @property
    def title(self) -> str:
        """For people: `tree+mini`."""
        return f"{self.segmenter}+{self.embedder}"


@dataclass(frozen=True, slots=True)
class TextSide:
    """What class names are encoded with.

    Attributes:
        encoder: Texts to vectors.
        templates: Name of the template set that the model wants.
        calibration: The model's constants; of them only `logit_scale` is used.
        space_id: Of the stored vectors that the texts may be compared with.
    """

    encoder: TextEncoder
    templates: str
    calibration: presets.Calibration
    space_id: str


def parse_systems(text: str, model: str, segmenter: str | None) -> tuple[System, ...]:
    """Systems from the command line.

    Args:
        text: `tree+mini,given+mini,tree+crop`; `crop` is the crops of `model`, `clip-crop`
            those of another preset. Empty: the model with its own segmenter.
        model: The preset or run that was chosen.
        segmenter: The segmenter that was chosen; None = the model's own.

    Raises:
        UsageError: A system, segmenter or model is none, or one is named twice.
    """
    if not text.strip():
        return (_system(segmenter or default_segmenter(model), model, model),)
    found = []
    for part in text.split(","):
        cutter, plus, embedder = part.strip().partition("+")
        if not plus or not embedder:
            raise UsageError(
                f"--systems {part.strip()!r} is no system",
                "a system is SEGMENTER+MODEL, such as tree+mini or given+mini",
            )
        found.append(_system(cutter, embedder, model))
    if len(set(found)) < len(found):
        raise UsageError(f"--systems {text!r} names one system twice", "name each once")
    return tuple(found)


def _system(segmenter: str, embedder: str, model: str) -> System:
    if segmenter not in SEGMENTERS:
        raise UsageError(
            f"there is no segmenter {segmenter!r}", f"the segmenters are {', '.join(SEGMENTERS)}"
        )
    crops = embedder == CROP or (embedder.endswith(f"-{CROP}") and not Path(embedder).is_dir())
    name = (embedder.removesuffix(CROP).removesuffix("-") or model) if crops else embedder
    run = presets.run_of(name)
    return System(segmenter, name if run is None else str(run.folder), crops)


def default_segmenter(model: str) -> str:
    """What cuts photos for a model when nothing else is asked for."""
    return "sam" if model == "large" else "tree"


def load_system(
    system: System,
    device: str,
    *,
    masks: Path | None = None,
    cut_by: Path | None = None,
    photo_ids: Mapping[str, int] | None = None,
    threads: int = 1,
) -> tuple[Segmenter, Embedder]:
    """The image side of a system, in a worker process.

    Args:
        system: What to load.
        device: Where torch models run.
        masks: COCO json for the segmenter `given`.
        cut_by: A store whose segments are embedded, in place of cutting again.
        photo_ids: For `cut_by`: id of each photo there, by its real path.
        threads: Threads of each model.

    Raises:
        UsageError: There is no such preset.
        ModelError: Weights or packages are missing.
    """
    import indexer.presets

    own = system.segmenter if cut_by is None else "tree"  # any: the embedder alone is wanted
    segmenter: Segmenter
    embedder: Embedder
    if system.crops and system.model == "clip":
        from indexer.embedders.build import build_clip

        embedder, _ = build_clip(device, mode="crop")
        segmenter, _ = indexer.presets.load_indexer("mini", own, device, masks=masks)
    else:
        segmenter, embedder = indexer.presets.load_indexer(
            system.model, own, device, masks=masks, threads=threads
        )
        if system.crops:
            embedder = CropsOf(embedder)
    if cut_by is not None:
        segmenter = SegmentsOfStore(cut_by, photo_ids or {})
    return segmenter, embedder


def text_side(system: System) -> TextSide:
    """The text side of a system; no image tower is loaded.

    Raises:
        ModelError: Weights or packages are missing.
    """
    if system.crops and system.model == "clip":
        from indexer.embedders.build import build_clip_text

        encoder: TextEncoder = build_clip_text(mode="crop")
        space = encoder.space
    else:
        encoder = presets.load_text_encoder(system.model)
        space = crop_space(encoder.space) if system.crops else encoder.space
    return TextSide(
        encoder,
        presets.preset_templates(system.model),
        presets.preset_calibration(system.model),
        space.id,
    )


class SegmentsOfStore:
    """Cuts photos as a store has them cut: the segmenter of systems that share segments.

    Args:
        store: The store's folder.
        photo_ids: Id of each photo there, by its real path.
    """

    name = "stored"

    def __init__(self, store: Path, photo_ids: Mapping[str, int]) -> None:
        self._snapshot: Snapshot = open_snapshot(store)
        self._ids = photo_ids

    @property
    def settings(self) -> dict[str, object]:
        """Which store, and what cut its photos."""
        made_by: dict[str, Any] = dict(self._snapshot.segmenter_settings)
        return {"segmenter": self._snapshot.segmenter, **made_by}

    def segment(self, image: Image) -> Segments:
        """Always refuses: without the photo's file its segments cannot be found."""
        raise UsageError("stored segments are found by the photo's file, and this photo has none")

    def segment_photo(self, image: Image, path: str) -> Segments:
        """The stored segments of a photo.

        Raises:
            PhotoError: The store has no segments of it.
        """
        number = self._ids.get(os.path.realpath(path))
        found = [] if number is None else list(stored_photos(self._snapshot, [number]))
        if not found:
            raise PhotoError("no_masks", "the first system has no segments of this photo")
        segments = found[0].segments
        if not np.allclose(segments.size, image.shape[:2], atol=1):
            raise PhotoError("mask_size", "the first system cut this photo at another size")
        return segments
