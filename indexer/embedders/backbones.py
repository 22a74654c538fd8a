"""Frozen backbones by their weight files: which architecture a file is of, and loading it.

Nothing is downloaded: a missing file is an error that says where to get it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usearch.errors import ModelError, UsageError
from usearch.models.files import (
    WEIGHTS,
    file_sha256,
    find_weights,
    missing,
    require_packages,
    weight_dirs,
    where_to_get,
)
from usearch.models.presets import MINI_FOLDER
from usearch.records import EmbeddingSpace
from usearch.settings import setting
from usearch.text import TextEncoder

if TYPE_CHECKING:
    from indexer.embedders.clip_text import OnTruncated
    from indexer.embedders.towers import Tower

CLIP_MODELS = {
    "clip-vit-b-32": "ViT-B-32-quickgelu",
    "clip-vit-l-14-336": "ViT-L-14-336-quickgelu",
}
"""open_clip's name of each known CLIP file. OpenAI's weights need the QuickGELU variants: the
plain names load without a complaint and give worse vectors."""

MINI_TOWER = "tower.onnx"
"""The tower's file in a model folder in the form of `mini`."""


@dataclass(frozen=True, slots=True)
class Source:
    """One backbone: the library and name of its architecture, its file and checksum.

    Attributes:
        library: "open_clip" or "timm"; "usearch" for a model folder in the form of `mini`.
        model: Name of the architecture in that library.
        path: Its weight file; for "usearch" its ONNX file.
        sha256: Of the file.
    """

    library: str
    model: str
    path: Path
    sha256: str

    def identity(self) -> dict[str, Any]:
        """What enters the id of an embedding space."""
        return {"library": self.library, "model": self.model, "weights": self.sha256}


def clip_source(model: str | None, weights: Path | None) -> Source:
    """A CLIP model.

    Args:
        model: A key of `CLIP_MODELS`, or any name of open_clip together with a file; None
            takes the setting `clip`.
        weights: A folder to search first, or the weight file itself.

    Raises:
        ModelError: Packages or weights are missing or damaged.
        UsageError: An unknown model.
    """
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


def source_of(
    identity: Mapping[str, Any], name: str, weights: Path | None, places: Sequence[Path] = ()
) -> Source:
    """The backbone that a card names, checked to be that very file.

    Args:
        identity: As `Source.identity` gave it.
        name: Of its file.
        weights: A folder to search first.
        places: Files to try before the folders of `weight_dirs`, and after `weights`.

    Raises:
        ModelError: The file is missing, or is another one: both checksums are said.
    """
    library, model = str(identity["library"]), str(identity["model"])
    sha256 = str(identity["weights"])
    if library == "random":
        raise ModelError(
            f"the head was trained over random towers ({model}), which show that all fits together "
            "and embed nothing",
            "train over real backbones: `usearch train --help`",
        )
    known = next((w for w in WEIGHTS.values() if w.sha256 == sha256), None)
    name = name if known is None else known.name
    folders = weight_dirs(weights)
    beside = [d / name for d in folders if name]
    candidates = [*beside[: weights is not None], *places, *beside]
    if library == "usearch":
        candidates = [p / MINI_TOWER for p in (*candidates, MINI_FOLDER)]
    found = [path for path in candidates if path.is_file()]
    if not found:
        if known is not None:
            raise ModelError(missing(known, folders), where_to_get(known, weights))
        raise ModelError(
            f"the head needs {name or model} (sha256 {sha256}), not found in "
            f"{', '.join(map(str, folders))}",
            "it is the backbone that the head was trained on: copy it into one of them, or "
            "name its folder with the setting `models`",
        )
    sums = {path: file_sha256(path) for path in dict.fromkeys(found)}
    path = next((path for path in found if sums[path] == sha256), None)
    if path is None:
        raise ModelError(
            f"{found[0]} is not the {model} that the head was trained on: its sha256 is "
            f"{sums[found[0]]}, the head's card says {sha256}",
            "the bundled model has changed since: train again, or take the run's export, which has "
            "a copy"
            if found[0].parent == MINI_FOLDER
            else "use the file that the training used",
        )
    return Source(library, model, path, sha256)


def clip_config(name: str) -> dict[str, Any]:
    """open_clip's configuration of a model.

    Raises:
        ModelError: It has none, or one that cannot be built offline.
    """
    import open_clip

    config: dict[str, Any] | None = open_clip.get_model_config(name)
    if config is None or "hf_model_name" in config.get("text_cfg", {}):
        raise ModelError(f"open_clip's {name} cannot be built offline", "use a ViT-... CLIP model")
    return config


def load_clip(source: Source, device: str) -> tuple[Any, Any]:
    """A model of open_clip with its weights, in evaluation mode, and its tokenizer.

    Raises:
        ModelError: The file is damaged or of another architecture.
    """
    import open_clip
    from open_clip.model import CLIP, CustomTextCLIP

    from indexer.embedders.weights import is_torchscript, load_into, read_weights

    config = clip_config(source.model)
    kind = CustomTextCLIP if config.pop("custom_text", False) else CLIP
    net = kind(**config)
    # Archives of OpenAI keep constants beside the weights.
    load_into(net, read_weights(source.path), source.path, ignore_extra=is_torchscript(source.path))
    return net.to(device).eval(), open_clip.get_tokenizer(source.model)


def load_timm(source: Source, device: str, last: int | None) -> Tower:
    """A ViT of timm as a tower.

    Args:
        source: Its file.
        device: Where it runs.
        last: How many of its last blocks are used; None for all.

    Raises:
        ModelError: The file is damaged or of another architecture.
    """
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


def clip_texts(
    net: Any, tokenizer: Any, space: EmbeddingSpace, on_truncated: OnTruncated | None = None
) -> TextEncoder:
    """The text side of `load_clip` as an encoder of a space."""
    from indexer.embedders.clip_text import ClipTextEncoder

    return ClipTextEncoder(net, tokenizer, space, on_truncated=on_truncated)
