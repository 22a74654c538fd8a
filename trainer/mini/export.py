"""Make the files of the bundled model: python -m trainer.mini.export RUN -o DIR.

The tower becomes ONNX (batch norm folded, kernels kept in 8 bits and widened when the file is
loaded), the head its folded matrix. The card is written over every file of the
folder, with the identity of the embedding space.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainer.mini.head import StageHead
from trainer.mini.model import MiniModel
from trainer.mini.tower import TOKENS, MiniTower, normalise_tokens
from usearch.models.card import CARD, SCHEMA_VERSION, sha256_of, space_id
from usearch.text.colours import COLOUR_DIM

TOWER_FILE = "tower.onnx"
HEAD_FILE = "head.npz"
IMAGE_FILES = (TOWER_FILE, HEAD_FILE)
MIN_SHRUNK = 4096
"""Kernels with fewer numbers stay in single precision."""


class _ForRuntime(nn.Module):
    """The tower with the outputs that the runtime asks for."""

    def __init__(self, tower: MiniTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        maps = self.tower(pixels)
        boundary = torch.sigmoid(self.tower.boundaries(maps))
        return boundary, *(normalise_tokens(maps.tokens[stage]) for stage in TOKENS)


def load_run(run: Path) -> MiniModel:
    """The averaged model of a run, in evaluation mode.

    Args:
        run: Folder of `trainer.mini.train`.
    """
    state = torch.load(run / "last.pt", weights_only=True)["average"]
    recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    model = MiniModel(
        recipe["head_width"],
        int(state["head.project.bias"].shape[0]),
        cls="head.cls.weight" in state,
    )
    model.load_state_dict(state)
    return model.eval()


def write_tower(tower: MiniTower, path: Path) -> None:
    """Write the tower as ONNX with a free image size."""
    import onnx

    names = ["boundary", *TOKENS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own successor
        torch.onnx.export(
            _ForRuntime(tower).eval(),
            (torch.zeros(1, 3, 192, 256),),
            str(path),
            input_names=["pixels"],
            output_names=names,
            dynamic_axes={k: {2: f"{k}_h", 3: f"{k}_w"} for k in ["pixels", *names]},
            opset_version=17,
            dynamo=False,
        )
    model = onnx.load(path)
    shrink_weights(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def shrink_weights(graph: Any) -> None:
    """Store large convolution kernels of an ONNX graph as int8 with a scale an output channel.

    A Cast and a Mul widen them again; the runtime folds both away when it loads the file, so
    arithmetic stays in float32.
    """
    from onnx import TensorProto, helper, numpy_helper

    widen = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < MIN_SHRUNK or values.ndim != 4:
            continue
        name = tensor.name
        scale = np.abs(values).max((1, 2, 3), keepdims=True) / 127.0
        scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
        small = np.rint(values / scale).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(small, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        widen.append(
            helper.make_node("Cast", [f"{name}.int8"], [f"{name}.wide"], to=TensorProto.FLOAT)
        )
        widen.append(helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]))
    for position, node in enumerate(widen):
        graph.node.insert(position, node)


def write_head(head: StageHead, path: Path) -> None:
    """Write the folded head: `matrix` float16 [D, inputs] and `offset` float32 [D]."""
    matrix, offset = head.fold()
    np.savez(path, matrix=matrix.numpy().astype(np.float16), offset=offset.numpy())


def write_card(
    folder: Path,
    name: str,
    *,
    sides: list[int],
    colour_weight: float,
    logit_scale: float,
    templates: str,
    calibration: dict[str, float],
    about: dict[str, Any],
) -> None:
    """Write `card.json` over all files of a model folder.

    Args:
        folder: Holds the image files and the text files.
        name: Name and version of the model.
        sides: Longest sides at which the tower looks at a photo.
        colour_weight: Weight of the colour part of a vector.
        logit_scale: Multiplies cosines before a softmax.
        templates: Template set of the preset's texts.
        calibration: slope, bias and cutoff of the score.
        about: Sources, terms, figures, limits.
    """
    files = {
        p.name: sha256_of(p)
        for p in sorted(folder.iterdir())
        if p.is_file() and p.name != CARD and not p.name.startswith(("__", "."))
    }
    with np.load(folder / HEAD_FILE) as head:
        dim = int(head["offset"].shape[0]) + COLOUR_DIM
        cls = int(head["matrix"].shape[1]) > sum(TOKENS.values())
    made_by = {
        "stages": list(TOKENS),
        "cls": cls,
        "sides": sides,
        "colour_weight": colour_weight,
        "files": {n: h for n, h in files.items() if n in IMAGE_FILES or n.startswith("text")},
    }
    card = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "space": {"id": space_id(made_by), "dim": dim, "made_by": made_by},
        "files": files,
        "logit_scale": logit_scale,
        "templates": templates,
        "calibration": calibration,
        "about": about,
    }
    (folder / CARD).write_text(
        json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of trainer.mini.train")
    parser.add_argument("-o", "--output", type=Path, required=True, help="model folder")
    parser.add_argument("--name", default="mini 1")
    parser.add_argument("--sides", type=int, nargs="+", default=[512])
    parser.add_argument("--colour-weight", type=float, default=0.38)
    parser.add_argument("--logit-scale", type=float, default=30.0)
    parser.add_argument("--templates", default="single")
    parser.add_argument("--calibration", type=Path, help="json: slope, bias, cutoff")
    parser.add_argument("--about", type=Path, nargs="*", default=[], help="json files, joined")
    options = parser.parse_args()
    model = load_run(options.run)
    options.output.mkdir(parents=True, exist_ok=True)
    write_tower(model.tower, options.output / TOWER_FILE)
    write_head(model.head, options.output / HEAD_FILE)
    about: dict[str, Any] = {}
    for path in options.about:
        about |= json.loads(path.read_text(encoding="utf-8"))
    plain = {"slope": 1.0, "bias": 0.0, "cutoff": 0.0}
    write_card(
        options.output,
        options.name,
        sides=options.sides,
        colour_weight=options.colour_weight,
        logit_scale=options.logit_scale,
        templates=options.templates,
        calibration=json.loads(options.calibration.read_text()) if options.calibration else plain,
        about=about,
    )


if __name__ == "__main__":
    main()
