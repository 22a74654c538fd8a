"""A trained run in ONNX: nothing of torch is needed to index and ask with it.

The head becomes one matrix and one offset; each backbone a graph that takes a picture, position
embeddings and pooling weights and gives pooled tokens; the text tower a graph from tokens to unit
vectors. Everything stays in float32: the vectors are those of torch to rounding, so the exported
model has the run's own embedding space, and stores made by either are asked with both.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from indexer.embedders.backbones import Source, load_clip, source_of
from indexer.embedders.checkpoint import HeadCard, load_head
from indexer.embedders.head import EPS, fold, unit
from indexer.embedders.run import load_towers, run_places, run_sources
from indexer.embedders.towers import ClipTower, TimmTower, Tower
from usearch.errors import ModelError, UsageError
from usearch.models.card import CARD, SCHEMA_VERSION, sha256_of
from usearch.models.onnx_form import HEAD_FILE, OnnxBranch, OnnxForm, write_form
from usearch.models.presets import MINI_FOLDER
from usearch.models.runs import ONNX_FOLDER, Run, is_run, read_run

_OPSET = 17


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export made.

    Attributes:
        folder: Where it is.
        files: Bytes of each file by name.
        without: Why branches could not be exported; empty when all were. Without its
            backbones a model answers texts alone.
    """

    folder: Path
    files: dict[str, int]
    without: tuple[str, ...]


def export_run(run_folder: Path, output: Path | None = None) -> Exported:
    """Write the ONNX form of a run.

    Args:
        run_folder: Folder of the run.
        output: Where to; `onnx` in the run's folder when None. Files of an earlier export there
            are replaced.

    Raises:
        ModelError: The run has no head, or a backbone is missing or another file.
        UsageError: The folder holds something else, or the texts cannot be exported.
        OSError: The disk refuses.
    """
    run = read_run(run_folder)
    if run.head is None:
        raise ModelError(f"{run_folder} is an ONNX form already", "name the run it came from")
    folder = run.folder / ONNX_FOLDER if output is None else output
    _refuse_others(folder)
    head, card = load_head(run.head)
    sources = run_sources(run.head, card)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD).unlink(missing_ok=True)  # without its card a half-written form is none
    folded = fold(head)
    arrays: dict[str, Any] = {"matrix": folded.matrix.numpy(), "offset": folded.offset.numpy()}
    branches, without = _write_branches(folder, card, sources, arrays)
    np.savez(folder / HEAD_FILE, **arrays)
    text = _write_texts(folder, run, card, sources)
    size = card.input
    write_form(folder, OnnxForm(branches, text, int(size["short"]), int(size["long"])))
    _write_card(folder, run, card)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return Exported(folder, files, without)


def _refuse_others(folder: Path) -> None:
    """An export replaces an export, and nothing else."""
    if folder.is_dir() and any(folder.iterdir()) and not is_run(folder):
        names = {path.name for path in folder.iterdir()}
        if HEAD_FILE not in names:
            raise UsageError(f"{folder} holds other files", "name a new folder with -o")
    if is_run(folder) and read_run(folder).head is not None:
        raise UsageError(f"{folder} is the folder of a run", "name another folder with -o")


def _write_branches(
    folder: Path, card: HeadCard, sources: Mapping[str, Source], arrays: dict[str, Any]
) -> tuple[tuple[OnnxBranch, ...], tuple[str, ...]]:
    """Write all backbones, or none: half a picture makes no vector."""
    branches: list[OnnxBranch] = []
    without: list[str] = []
    try:
        towers, _ = load_towers(card, sources, "cpu")
    except ModelError as error:
        return (), (error.message,)
    for shape in card.shape.branches:
        source, tower = sources[shape.name], towers[shape.name]
        file = folder / f"{shape.name}.onnx"
        if source.library == "usearch":
            shutil.copyfile(source.path, file)
            outputs = tuple(str(one) for one in card.towers[shape.name]["blocks"])
            branches.append(
                OnnxBranch(shape.name, file.name, "maps", tower.patch, shape.widths, shape.cls,
                           outputs)
            )  # fmt: skip
            continue
        try:
            arrays[f"positions.{shape.name}"], native, prefix = _positions(tower)
            write_tower(tower, file)
        except ModelError as error:
            without.append(f"'{shape.name}': {error.message}")
            continue
        branches.append(
            OnnxBranch(shape.name, file.name, "tokens", tower.patch, shape.widths, shape.cls,
                       (), native, prefix)
        )  # fmt: skip
    return (() if without else tuple(branches)), tuple(without)


def _positions(tower: Tower) -> tuple[Any, tuple[int, int], int]:
    """The native position embeddings float32 [prefix + P, C], their grid, and the prefix."""
    if not isinstance(tower, ClipTower | TimmTower):
        raise ModelError(f"a {type(tower).__name__} has no position embeddings")
    table = tower.positions(tower.native).reshape(-1, tower.cls_width).float()
    rows, columns = tower.native
    return table.detach().cpu().numpy(), tower.native, len(table) - rows * columns


class _Pooled(nn.Module):
    """A tower with the pooling in its graph."""

    def __init__(self, tower: ClipTower | TimmTower) -> None:
        super().__init__()
        self.tower = tower
        self.net = tower.visual if isinstance(tower, ClipTower) else tower.vit

    def forward(self, pixels: Tensor, positions: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        blocks: list[Tensor] = []
        table = positions if isinstance(self.tower, ClipTower) else positions[None]

        def keep(block: int, tokens: Tensor) -> None:
            # As `head.normalise`, whose width would be a free size of the graph.
            shape = (self.tower.widths[block],)
            blocks.append(weights @ nn.functional.layer_norm(tokens[0].float(), shape, eps=EPS))

        with _positions_given(self.tower, table):
            cls = self.tower.run(pixels, keep)
        return (*blocks, cls.float())


@contextmanager
def _positions_given(tower: Any, table: Tensor) -> Iterator[None]:
    """The tower takes its position embeddings from outside, where they are resized."""
    tower.positions = lambda _: table
    try:
        yield
    finally:
        del tower.positions


def write_tower(tower: Tower, path: Path) -> None:
    """Write a transformer as ONNX: pixels, positions and weights to pooled tokens and class token.

    The picture's size, the grid and the number of segments are free.

    Raises:
        ModelError: It is no tower of a transformer, or cannot be exported.
    """
    if not isinstance(tower, ClipTower | TimmTower):
        raise ModelError(f"a {type(tower).__name__} cannot be exported")
    rows, columns = tower.native
    pixels = torch.zeros(1, 3, rows * tower.patch, columns * tower.patch)
    positions = torch.from_numpy(_positions(tower)[0])
    weights = torch.full((2, rows * columns), 1.0 / (rows * columns))
    names = [*(f"block{i}" for i in range(len(tower.widths))), "cls"]
    axes = {
        "pixels": {2: "h", 3: "w"},
        "positions": {0: "tokens"},
        "weights": {0: "segments", 1: "patches"},
        **{name: {0: "segments"} for name in names[:-1]},
    }
    _export(_Pooled(tower).eval(), (pixels, positions, weights), path,
            ["pixels", "positions", "weights"], names, axes)  # fmt: skip


class _Attention(nn.Module):
    """`nn.MultiheadAttention` of a sequence with itself, written out.

    In torch's own form an exported graph takes sequences of one length only.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        own = self.attention
        x = query if own.batch_first else query.transpose(0, 1)
        n, length, width = x.shape[0], x.shape[1], own.embed_dim
        rows = nn.functional.linear(x, own.in_proj_weight, own.in_proj_bias)
        split = rows.reshape(n, length, 3, own.num_heads, own.head_dim).permute(2, 0, 3, 1, 4)
        q, k, v = split.unbind(0)
        scores = q @ k.transpose(-2, -1) * own.head_dim**-0.5
        if attn_mask is not None:
            scores = scores + attn_mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)
        out: Tensor = own.out_proj(mixed)
        return (out if own.batch_first else out.transpose(0, 1)), None


@contextmanager
def _plain_attention(module: nn.Module) -> Iterator[None]:
    """All of torch's attention in a module is written out, for as long as this lasts."""
    found = [
        (parent, name, child)
        for parent in module.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.MultiheadAttention)
    ]
    for parent, name, child in found:
        setattr(parent, name, _Attention(child))
    try:
        yield
    finally:
        for parent, name, child in found:
            setattr(parent, name, child)


class _Texts(nn.Module):
    """A text tower with unit vectors."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor) -> Tensor:
        return unit(self.net.encode_text(tokens))


def _write_texts(
    folder: Path, run: Run, card: HeadCard, sources: Mapping[str, Source]
) -> dict[str, Any]:
    """Write the text side, and say which file does what."""
    branch, identity = run.text
    if identity.get("library") == "usearch":
        for name in ("text.safetensors", "text.vocab.txt"):
            shutil.copyfile(MINI_FOLDER / name, folder / name)
        return {"kind": "mini", "weights": "text.safetensors", "vocabulary": "text.vocab.txt"}
    import open_clip
    from open_clip.tokenizer import SimpleTokenizer, default_bpe

    assert run.head is not None
    source = sources.get(branch) or source_of(
        identity, card.files.get(branch, ""), None, run_places(run.head, branch)
    )
    tokenizer = open_clip.get_tokenizer(source.model)
    if not isinstance(tokenizer, SimpleTokenizer):
        raise UsageError(
            f"the texts of {source.model} have a tokeniser of their own, which is not exported",
            "use the run itself, with torch",
        )
    net, _ = load_clip(source, "cpu")
    tokens = tokenizer(["a photo of a cat"], context_length=net.context_length)
    _export(_Texts(net).eval(), (tokens,), folder / "text.onnx", ["tokens"], ["vectors"],
            {"tokens": {0: "n"}, "vectors": {0: "n"}})  # fmt: skip
    shutil.copyfile(default_bpe(), folder / "bpe.txt.gz")
    return {
        "kind": "clip",
        "weights": "text.onnx",
        "vocabulary": "bpe.txt.gz",
        "length": int(net.context_length),
    }


def _export(
    module: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    import onnx

    try:
        with torch.no_grad(), warnings.catch_warnings(), _plain_attention(module):
            warnings.simplefilter("ignore")  # the exporter warns of its own successor
            torch.onnx.export(
                module,
                example,
                str(path),
                input_names=inputs,
                output_names=outputs,
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,
            )
        onnx.checker.check_model(str(path))
    except (RuntimeError, torch.onnx.errors.OnnxExporterError, onnx.checker.ValidationError) as e:
        path.unlink(missing_ok=True)
        reason = next(iter(str(e).splitlines()), type(e).__name__)
        raise ModelError(f"{path.name} cannot be exported: {reason}") from e


def _write_card(folder: Path, run: Run, card: HeadCard) -> None:
    """Written last: a folder with a card is whole."""
    files = {p.name: sha256_of(p) for p in sorted(folder.iterdir()) if p.name != CARD}
    values = {
        "schema_version": SCHEMA_VERSION,
        "name": run.space.name,
        "space": {"id": run.space.id, "dim": run.space.dim, "made_by": run.space.made_by},
        "files": files,
        "logit_scale": run.logit_scale,
        "templates": run.templates,
        "calibration": {"slope": 1.0, "bias": 0.0, "cutoff": 0.0},
        "about": {
            "shape": card.shape.to_json(),
            "data": card.data,
            "recipe": card.recipe,
            "metrics": card.metrics,
            "notes": card.notes,
        },
    }
    partial = folder / f"{CARD}.partial"
    partial.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / CARD)
