"""From a preset's name to an embedder and the text encoder of the same space.

The only place that knows which architecture belongs to which weight file. Nothing is
downloaded: a missing file is an error that says where to get it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from indexer.embedders import Embedder
from indexer.memory import pick_device
from usearch.errors import ModelError, UsageError
from usearch.models.files import (
    WEIGHTS,
    cache_dir,
    file_sha256,
    find_weights,
    require_packages,
    weight_dirs,
)
from usearch.records import EmbeddingSpace
from usearch.settings import setting
from usearch.text import TextEncoder

if TYPE_CHECKING:
    from indexer.embedders.checkpoint import HeadCard
    from indexer.embedders.clip_text import OnTruncated
    from indexer.embedders.towers import InputSize, Tower

Mode = Literal["region", "crop"]

CLIP_MODELS = {
    "clip-vit-b-32": "ViT-B-32-quickgelu",
    "clip-vit-l-14-336": "ViT-L-14-336-quickgelu",
}
"""open_clip's name of each known CLIP file. OpenAI's weights need the QuickGELU variants: the
plain names load without a complaint and give worse vectors."""

LARGE_HEAD = "use-large"
"""Folder of the trained head of preset `large`, among the weights."""


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
    source = _clip_source(model, weights)
    space = _clip_space(source, mode)
    net, tokenizer = _load_clip(source, pick_device(device))
    text = _text_encoder(net, tokenizer, space, on_truncated)
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
    source = _clip_source(model, weights)
    space = _clip_space(source, mode)
    net, tokenizer = _load_clip(source, pick_device(device))
    del net.visual
    return _text_encoder(net, tokenizer, space, on_truncated)


def build_large(
    device: str = "auto",
    weights: Path | None = None,
    head: Path | None = None,
    *,
    on_truncated: OnTruncated | None = None,
) -> tuple[Embedder, TextEncoder]:
    """Embedder and text encoder of preset `large`: USE with a trained head.

    Also loads a head that `usearch train` made over other backbones: its card names them.

    Args:
        device: As `build_clip`.
        weights: A folder to search first for the backbones.
        head: Folder of the head; by default `use-large` among the weights.
        on_truncated: Told of texts that are too long.

    Raises:
        ModelError: As `build_clip`; also when head and backbones do not belong together.
    """
    require_packages("torch", "open_clip", "timm", "safetensors")
    from indexer.embedders.checkpoint import load_head
    from indexer.embedders.head import fold
    from indexer.embedders.use import USEEmbedder

    folder = find_head(weights, head)
    trained, card = load_head(folder)
    place = pick_device(device)
    sources = _sources_of(card, weights)
    space, size = _large_space(folder, card, sources)
    towers: dict[str, Tower] = {}
    text: TextEncoder | None = None
    for branch, source in sources.items():
        if source.library == "timm":
            last = len(next(b.widths for b in card.shape.branches if b.name == branch))
            towers[branch] = _load_timm(source, place, last)
            continue
        from indexer.embedders.towers import clip_tower

        net, tokenizer = _load_clip(source, place)
        towers[branch] = clip_tower(net, source.identity())
        text = text or _text_encoder(net, tokenizer, space, on_truncated)
    if text is None:
        text = _text_of_card(card, weights, place, space, on_truncated)
    return USEEmbedder(towers, fold(trained).to(place), space, size), text


def build_large_text(
    device: str = "auto",
    weights: Path | None = None,
    head: Path | None = None,
    *,
    on_truncated: OnTruncated | None = None,
) -> TextEncoder:
    """The text encoder of `build_large` alone; no image tower is kept."""
    require_packages("torch", "open_clip", "safetensors")
    from indexer.embedders.checkpoint import load_card

    folder = find_head(weights, head)
    card = load_card(folder)
    space, _ = _large_space(folder, card, _sources_of(card, weights))
    return _text_of_card(card, weights, pick_device(device), space, on_truncated)


def find_head(weights: Path | None, head: Path | None = None) -> Path:
    """Folder of the trained head of preset `large`.

    Raises:
        ModelError: There is none.
    """
    if head is not None:
        return head.expanduser()
    folders = [d / LARGE_HEAD for d in weight_dirs(weights)]
    for folder in folders:
        if folder.is_dir():
            return folder
    raise ModelError(
        f"preset large needs a trained USE head, none in {', '.join(map(str, folders))}",
        "none is published: train one with `usearch train` and put its folder there as "
        f"{cache_dir() / 'models' / LARGE_HEAD}",
    )


@dataclass(frozen=True, slots=True)
class Source:
    """One backbone: the library and name of its architecture, its file and checksum."""

    library: Literal["open_clip", "timm"]
    model: str
    path: Path
    sha256: str

    def identity(self) -> dict[str, Any]:
        """What enters the id of an embedding space."""
        return {"library": self.library, "model": self.model, "weights": self.sha256}


def _clip_source(model: str | None, weights: Path | None) -> Source:
    model = setting("clip", model or None)
    require_packages("torch", "open_clip", "safetensors")
    if model in CLIP_MODELS:
        path = find_weights(model, weights)
        return Source("open_clip", CLIP_MODELS[model], path, file_sha256(path))
    import open_clip

    if model not in open_clip.list_models():
        raise UsageError(
            f"unknown CLIP model {model!r}",
            f"one of {', '.join(CLIP_MODELS)}; from Python also a name of open_clip, with its file",
        )
    if weights is None or not weights.is_file():
        raise ModelError(
            f"{model} needs its weight file", "from Python, give the file as `weights`"
        )
    return Source("open_clip", model, weights, file_sha256(weights))


def _clip_config(name: str) -> dict[str, Any]:
    import open_clip

    config: dict[str, Any] | None = open_clip.get_model_config(name)
    if config is None or "hf_model_name" in config.get("text_cfg", {}):
        raise ModelError(f"open_clip's {name} cannot be built offline", "use a ViT-... CLIP model")
    return config


def _load_clip(source: Source, device: str) -> tuple[Any, Any]:
    import open_clip
    from open_clip.model import CLIP, CustomTextCLIP

    from indexer.embedders.weights import is_torchscript, load_into, read_weights

    config = _clip_config(source.model)
    kind = CustomTextCLIP if config.pop("custom_text", False) else CLIP
    net = kind(**config)
    # Archives of OpenAI keep constants beside the weights.
    load_into(net, read_weights(source.path), source.path, ignore_extra=is_torchscript(source.path))
    return net.to(device).eval(), open_clip.get_tokenizer(source.model)


def _load_timm(source: Source, device: str, last: int) -> Tower:
    import timm
    from timm.models.vision_transformer import checkpoint_filter_fn

    from indexer.embedders.towers import TimmTower
    from indexer.embedders.weights import load_into, read_weights

    vit = timm.create_model(source.model, pretrained=False, num_classes=0)
    state = checkpoint_filter_fn(read_weights(source.path), vit)
    load_into(vit, state, source.path, ignore_extra=any(k.startswith("head.") for k in state))
    return TimmTower(
        vit.to(device),
        source.identity(),
        last=last,
        mean=vit.pretrained_cfg["mean"],
        std=vit.pretrained_cfg["std"],
    )


def _text_encoder(
    net: Any, tokenizer: Any, space: EmbeddingSpace, on_truncated: OnTruncated | None
) -> TextEncoder:
    from indexer.embedders.clip_text import ClipTextEncoder

    return ClipTextEncoder(net, tokenizer, space, on_truncated=on_truncated)


def _clip_space(source: Source, mode: Mode) -> EmbeddingSpace:
    from indexer.embedders.use import space_of

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
    dim = int(_clip_config(source.model)["embed_dim"])
    return space_of(f"clip {mode} ({source.model})", dim, made_by)


def _region_input(source: Source) -> InputSize:
    from indexer.embedders.towers import InputSize

    side = int(_clip_config(source.model)["vision_cfg"]["image_size"])
    return InputSize(short=side, long=2 * side)


def _restricted_blocks(source: Source) -> int:
    """The last quarter of the blocks, as SAN: 3 of 12, 6 of 24."""
    return max(int(_clip_config(source.model)["vision_cfg"]["layers"]) // 4, 1)


def _sources_of(card: HeadCard, weights: Path | None) -> dict[str, Source]:
    return {
        b.name: _source_of(card.towers[b.name], card.files.get(b.name, ""), weights)
        for b in card.shape.branches
    }


def _source_of(identity: Mapping[str, Any], name: str, weights: Path | None) -> Source:
    """The backbone that a card names, checked to be that very file."""
    sha256, model = str(identity["weights"]), str(identity["model"])
    key = next((k for k, w in WEIGHTS.items() if w.sha256 == sha256), None)
    if key is not None:
        path = find_weights(key, weights)
    else:
        folders = weight_dirs(weights)
        found = next((d / name for d in folders if name and (d / name).is_file()), None)
        if found is None:
            raise ModelError(
                f"the head needs {name or model} (sha256 {sha256}), not found in "
                f"{', '.join(map(str, folders))}",
                "it is the backbone that the head was trained on: copy it into one of them",
            )
        path = found
    if file_sha256(path) != sha256:
        raise ModelError(
            f"{path} is not the {model} that the head was trained on (sha256 {sha256})",
            "use the file that the training used",
        )
    return Source("timm" if identity["library"] == "timm" else "open_clip", model, path, sha256)


def _large_space(
    folder: Path, card: HeadCard, sources: Mapping[str, Source]
) -> tuple[EmbeddingSpace, InputSize]:
    from indexer.embedders.towers import InputSize
    from indexer.embedders.use import use_space

    size = InputSize(int(card.input["short"]), int(card.input["long"]))
    towers = {branch: source.identity() for branch, source in sources.items()}
    space = use_space(f"USE {folder.name}", card.shape.dim, towers, card.sha256, size)
    if card.space_id and card.space_id != space.id:
        raise ModelError(
            f"{folder} was made for the space {card.space_id}, its parts give {space.id}",
            "head and card are from different versions; export the head again",
        )
    return space, size


def _text_of_card(
    card: HeadCard,
    weights: Path | None,
    device: str,
    space: EmbeddingSpace,
    on_truncated: OnTruncated | None,
) -> TextEncoder:
    """The text tower: that of the CLIP branch, or of `towers["text"]` where CLIP is left out."""
    named = [
        b for b in ("text", *card.towers) if card.towers.get(b, {}).get("library") == "open_clip"
    ]
    if not named:
        raise ModelError("the head's card names no CLIP model for the texts")
    source = _source_of(card.towers[named[0]], card.files.get(named[0], ""), weights)
    net, tokenizer = _load_clip(source, device)
    del net.visual
    return _text_encoder(net, tokenizer, space, on_truncated)
