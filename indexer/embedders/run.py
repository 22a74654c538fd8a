"""A model that `usearch train` made, from its folder to an embedder and its text encoder.

The folder names its backbones by checksum; another file under the same name is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.embedders import Embedder
from indexer.embedders.backbones import Source, clip_texts, load_clip, load_timm, source_of
from indexer.memory import pick_device
from usearch.errors import ModelError
from usearch.models.files import require_packages
from usearch.models.runs import find_large, read_run
from usearch.text import TextEncoder
from usearch.text.runs import RunTexts

if TYPE_CHECKING:
    from indexer.embedders.checkpoint import HeadCard
    from indexer.embedders.clip_text import OnTruncated
    from indexer.embedders.towers import Tower


def build_run(
    folder: Path,
    device: str = "auto",
    weights: Path | None = None,
    *,
    on_truncated: OnTruncated | None = None,
) -> tuple[Embedder, TextEncoder]:
    """Embedder and text encoder of a trained head, with torch.

    Args:
        folder: Of the head.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        weights: A folder to search first for the backbones.
        on_truncated: Told of texts that are too long.

    Raises:
        ModelError: Packages or weights are missing or damaged, or head and backbones do not
            belong together.
    """
    require_packages("torch", "open_clip", "timm", "safetensors")
    from indexer.embedders.checkpoint import load_head
    from indexer.embedders.head import fold
    from indexer.embedders.towers import InputSize
    from indexer.embedders.use import USEEmbedder

    run = read_run(folder)
    trained, card = load_head(folder)
    place = pick_device(device)
    towers, clips = load_towers(card, run_sources(folder, card, weights), place)
    branch, identity = run.text
    text: TextEncoder
    if branch in clips:
        text = clip_texts(*clips[branch], run.space, on_truncated)
    elif identity.get("library") == "open_clip":
        text = build_run_text(folder, device, weights, on_truncated=on_truncated)
    else:
        text = RunTexts(run)
    size = InputSize(int(card.input["short"]), int(card.input["long"]))
    return USEEmbedder(towers, fold(trained).to(place), run.space, size), text


def build_run_text(
    folder: Path,
    device: str = "auto",
    weights: Path | None = None,
    *,
    on_truncated: OnTruncated | None = None,
) -> TextEncoder:
    """The text encoder of `build_run` alone, where it is an open_clip model's.

    Raises:
        ModelError: As `build_run`.
    """
    require_packages("torch", "open_clip", "safetensors")
    from indexer.embedders.checkpoint import load_card

    run = read_run(folder)
    branch, identity = run.text
    card = load_card(folder)
    source = source_of(identity, card.files.get(branch, ""), weights, run_places(folder, branch))
    net, tokenizer = load_clip(source, pick_device(device))
    del net.visual
    return clip_texts(net, tokenizer, run.space, on_truncated)


def build_large(
    device: str = "auto",
    weights: Path | None = None,
    head: Path | None = None,
    *,
    on_truncated: OnTruncated | None = None,
) -> tuple[Embedder, TextEncoder]:
    """Embedder and text encoder of preset `large`: USE with a trained head.

    Args:
        device: As `build_run`.
        weights: A folder to search first, for head and backbones.
        head: Folder of the head; by default `use-large` among the weights.
        on_truncated: Told of texts that are too long.

    Raises:
        ModelError: As `build_run`; also when there is no head.
    """
    require_packages("torch", "open_clip", "timm", "safetensors")
    folder = find_large(weights) if head is None else head.expanduser()
    return build_run(folder, device, weights, on_truncated=on_truncated)


def run_sources(folder: Path, card: HeadCard, weights: Path | None = None) -> dict[str, Source]:
    """The files of a head's backbones, by branch, each checked to be that of the training.

    Raises:
        ModelError: One is missing or another file.
    """
    return {
        b.name: source_of(
            card.towers[b.name], card.files.get(b.name, ""), weights, run_places(folder, b.name)
        )
        for b in card.shape.branches
    }


def load_towers(
    card: HeadCard, sources: Mapping[str, Source], device: str
) -> tuple[dict[str, Tower], dict[str, tuple[Any, Any]]]:
    """The backbones of a head, and for those that are CLIP models the model and its tokenizer.

    Raises:
        ModelError: A file is damaged, or of a kind that cannot be run.
    """
    towers: dict[str, Tower] = {}
    clips: dict[str, tuple[Any, Any]] = {}
    for branch in card.shape.branches:
        source = sources[branch.name]
        if source.library == "timm":
            towers[branch.name] = load_timm(source, device, len(branch.widths))
        elif source.library == "usearch":
            from indexer.embedders.map_tower import mini_tower_at

            towers[branch.name] = mini_tower_at(source.path, card.towers[branch.name])
        elif source.library == "open_clip":
            from indexer.embedders.towers import clip_tower

            clips[branch.name] = load_clip(source, device)
            towers[branch.name] = clip_tower(clips[branch.name][0], source.identity())
        else:
            raise ModelError(
                f"'{branch.name}' was trained over a backbone of {source.library}, which can be "
                "trained on but not be used to embed photos",
                "train over CLIP, DINOv2 or mini",
            )
    return towers, clips


def run_places(folder: Path, branch: str) -> list[Path]:
    """Where a backbone may lie beside the usual folders: in the run, or where it was trained.

    Args:
        folder: Of the run.
        branch: Name of the backbone.
    """
    from indexer.embedders.checkpoint import CARD_NAME, PLACES_NAME

    places: list[Path] = []
    for file, key in ((CARD_NAME, "files"), (PLACES_NAME, None)):
        try:
            values = json.loads((folder / file).read_text(encoding="utf-8"))
            name = (values if key is None else values[key]).get(branch)
        except (OSError, ValueError, KeyError, AttributeError):
            continue
        if isinstance(name, str) and name and "\0" not in name:
            places.append(folder / Path(name).name if key is not None else Path(name))
    return places
