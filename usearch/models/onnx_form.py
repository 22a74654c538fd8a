"""The ONNX form of a trained model: what its files are and how they are run.

    card.json      name, space, checksums, and for people: data, recipe, figures
    model.json     this record: which file does what
    head.npz       the whole head as one matrix and one offset
    <branch>.onnx  a backbone: picture and pooling weights to pooled tokens
    text.onnx      the text tower, with bpe.txt.gz; or text.safetensors, with text.vocab.txt

The space is that of the run in torch: vectors of both forms agree to rounding.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from usearch.errors import ModelError
from usearch.models.card import read_card

FORM_FILE = "model.json"
HEAD_FILE = "head.npz"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class OnnxBranch:
    """One backbone.

    Attributes:
        name: Of the branch.
        file: Its ONNX file.
        kind: "tokens": a transformer; its graph pools by itself. "maps": a network in the form of
            `mini`, whose maps of several strides are pooled behind it.
        patch: Side of a patch in pixels; of the finest map.
        widths: Channels of each block.
        cls: Channels of the class token; 0 where the head takes none.
        outputs: "maps": names of the outputs, the blocks in order.
        positions: "tokens": (rows, columns) of the native grid of the position embeddings that
            head.npz holds as `positions.<branch>`; empty for "maps".
        prefix: "tokens": positions before those of the grid, which are not resized.
    """

    name: str
    file: str
    kind: Literal["tokens", "maps"]
    patch: int
    widths: tuple[int, ...]
    cls: int
    outputs: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    prefix: int = 0


@dataclass(frozen=True, slots=True)
class OnnxForm:
    """Which file does what.

    Attributes:
        branches: The backbones, in the order of the head's columns; empty where they could not be
            exported: such a form answers texts alone.
        text: "kind" ("clip" or "mini"), "weights", "vocabulary"; for "clip" also "length".
        short: Short side of the input in pixels.
        long: Largest long side.
    """

    branches: tuple[OnnxBranch, ...]
    text: dict[str, Any]
    short: int
    long: int


def write_form(folder: Path, form: OnnxForm) -> None:
    """Write `model.json`."""
    text = json.dumps({"format": FORMAT, **asdict(form)}, indent=1)
    (folder / FORM_FILE).write_text(text + "\n", encoding="utf-8")


def read_form(folder: Path) -> OnnxForm:
    """The record of a folder, its checksum verified.

    Raises:
        ModelError: It is missing, damaged, or newer than this version.
    """
    path = read_card(folder).path(FORM_FILE)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") > FORMAT:
            raise ModelError(f"{path} is of a newer version", "upgrade use-segments")
        branches = tuple(
            OnnxBranch(**{**one, **{k: tuple(one[k]) for k in ("widths", "outputs", "positions")}})
            for one in values.pop("branches")
        )
        return OnnxForm(branches=branches, **values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error!r}", "export the model again") from error


def session_of(path: Path, threads: int) -> Any:
    """An ONNX file, loaded for the CPU.

    Args:
        path: The file.
        threads: Threads of the runtime; 0 leaves it to the runtime.

    Raises:
        ModelError: It cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no base but Exception
        raise ModelError(f"{path} cannot be loaded: {error}") from error
