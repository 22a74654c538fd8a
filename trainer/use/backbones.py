"""The frozen towers that a run trains over, from what was typed after --backbones.

clip                            CLIP ViT-L/14-336, the paper's
clip=clip-vit-b-32              another published CLIP
clip=ViT-B-16@FILE              any CLIP ViT of open_clip, with its weight file
dino                            DINOv2 ViT-L/14, the paper's
dino=vit_small_patch14_dinov2.lvd142m@FILE
mini, mobilenet=FILE            small ones, see trainer.use.small_towers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.embedders.towers import DINO_BLOCKS, Tower
from trainer.use.small_towers import SMALL_TOWERS, small_tower
from usearch.errors import UsageError
from usearch.records import EmbeddingSpace
from usearch.text import TextEncoder

PAPER_BACKBONES = ("clip", "dino")
DINO_MODEL = "vit_large_patch14_dinov2.lvd142m"
"""timm's name of DINOv2 ViT-L/14."""


@dataclass(frozen=True, slots=True)
class Backbones:
    """Towers and the text encoder whose space the head learns to reach.

    Attributes:
        towers: By branch, in the order in which the head joins them.
        encoder: The frozen text tower.
        identities: For a head's card: of each tower, and of "text" where no tower is of a CLIP.
        files: For each of these its weight file; empty for random weights.
        text: What tells the text tower from any other, plain JSON.
    """

    towers: Mapping[str, Tower]
    encoder: TextEncoder
    identities: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Path]
    text: Mapping[str, Any]

    @property
    def dim(self) -> int:
        """Dimension D of the text vectors."""
        return self.encoder.space.dim


def open_backbones(
    names: Sequence[str],
    device: str = "cpu",
    weights: Path | None = None,
    dino_blocks: int = DINO_BLOCKS,
) -> Backbones:
    """Load backbones.

    The texts are those of the CLIP model; without one, of the paper's CLIP where `dino` stands
    alone (the paper's ablation), and of the bundled model where the others are small.

    Args:
        names: As in the head of this module; each becomes a branch.
        device: Where they run.
        weights: A folder to search first.
        dino_blocks: How many of DINOv2's last blocks are used; the paper's l.

    Raises:
        UsageError: A name is unknown or there twice.
        ModelError: A package or file is missing, damaged or of another architecture.
    """
    typed = dict(_split(name) for name in names)
    if len(typed) < len(names) or not typed:
        raise UsageError("name each backbone once", "--backbones clip,dino")
    towers: dict[str, Tower] = {}
    files: dict[str, Path] = {}
    encoder: TextEncoder | None = None
    text: Mapping[str, Any] = {}
    for branch, value in typed.items():
        if branch == "clip":
            towers[branch], files[branch], encoder = _clip(value, device, weights)
            text = towers[branch].identity
        elif branch == "dino":
            towers[branch], files[branch] = _dino(value, device, weights, dino_blocks)
        elif branch in SMALL_TOWERS:
            towers[branch] = small_tower(branch, Path(value) if value else None)
            if value:
                files[branch] = Path(value)
        else:
            known = ", ".join(["clip", "dino", *SMALL_TOWERS])
            raise UsageError(f"unknown backbone {branch!r}", f"known: {known}")
    identities = {branch: tower.identity for branch, tower in towers.items()}
    if encoder is None:
        encoder, text, file = _other_texts(typed, device, weights)
        identities["text"] = text
        if file is not None:
            files["text"] = file
    return Backbones(towers, encoder, identities, files, text)


def _split(typed: str) -> tuple[str, str]:
    name, _, value = typed.strip().partition("=")
    return name, value


def _clip(value: str, device: str, weights: Path | None) -> tuple[Tower, Path, TextEncoder]:
    from indexer.embedders.backbones import clip_config, clip_source, clip_texts, load_clip
    from indexer.embedders.towers import clip_tower

    model, _, file = value.partition("@")
    source = clip_source(model or "clip-vit-l-14-336", Path(file) if file else weights)
    net, tokenizer = load_clip(source, device)
    space = text_space(source.identity(), int(clip_config(source.model)["embed_dim"]))
    return clip_tower(net, source.identity()), source.path, clip_texts(net, tokenizer, space)


def _dino(value: str, device: str, weights: Path | None, blocks: int) -> tuple[Tower, Path]:
    from indexer.embedders.backbones import Source, load_timm
    from usearch.models.files import file_sha256, find_weights, require_packages

    require_packages("torch", "timm", "safetensors")
    model, _, file = value.partition("@")
    if model and not file:
        raise UsageError(f"dino={model} needs its weight file", f"write dino={model}@FILE")
    path = Path(file) if file else find_weights("dinov2-vit-l-14", weights)
    source = Source("timm", model or DINO_MODEL, path, file_sha256(path))
    return load_timm(source, device, blocks), path


def _other_texts(
    typed: Mapping[str, str], device: str, weights: Path | None
) -> tuple[TextEncoder, Mapping[str, Any], Path | None]:
    """The text encoder where no tower is of a CLIP: encoder, identity and file."""
    if "dino" in typed:
        _, path, encoder = _clip("", device, weights)
        from indexer.embedders.backbones import clip_source

        return encoder, clip_source("clip-vit-l-14-336", weights).identity(), path
    from usearch.models.presets import mini_card
    from usearch.text.mini import MiniTextEncoder

    card = mini_card()
    weights_of_texts = card.space.made_by["files"]["text.safetensors"]
    identity = {"library": "usearch", "model": card.name, "weights": weights_of_texts}
    return MiniTextEncoder(card), identity, None


def text_space(identity: Mapping[str, Any], dim: int) -> EmbeddingSpace:
    """A space for text vectors alone: they are compared with nothing before a head is trained."""
    return EmbeddingSpace(f"texts of {identity['weights']}", dim, str(identity["model"]))
