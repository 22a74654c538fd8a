"""Small frozen backbones for training without a GPU: the bundled model's tower and a MobileNetV2.

They take the places of CLIP and DINOv2 in a USE head (`indexer.embedders.towers.Tower`): each
map inside the network is a block, and the class token is the mean over the picture of the
coarsest map's tokens after the parameter-free norm (neither network has a token of its own, and
a raw mean would reach the head's linear layer at any scale). Maps of several strides are brought to
the finest grid by repeating cells, so that pooling a segment there is pooling it on the map.

The maps come from ONNX Runtime and TensorFlow Lite, which know nothing of gradients: enough for
frozen towers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexer.embedders.map_tower import measured_tower, mini_tower
from indexer.embedders.towers import Tower
from trainer.mini.teacher import MapTeacher
from usearch.errors import InputError, ModelError, UsageError
from usearch.models.card import read_card
from usearch.models.files import file_sha256
from usearch.records import FloatArray


def mobilenet_tower(path: Path) -> Tower:
    """A MobileNetV2 1.0 in TensorFlow Lite form: the last maps of stride 16 and 32.

    Raises:
        ModelError: The package that runs it, or the file, is missing.
        InputError: The file is another network.
    """
    if not path.is_file():
        raise ModelError(f"there is no file {path}", "give the .tflite file of a MobileNetV2 1.0")
    with path.open("rb") as file:
        if file.read(8)[4:] != b"TFL3":
            raise InputError(f"{path} is no TensorFlow Lite file")
    teacher = MapTeacher(path)

    def maps(picture: FloatArray) -> Sequence[FloatArray]:
        levels = np.rint(picture * 255.0).astype(np.uint8)
        return list(teacher(np.ascontiguousarray(levels.transpose(1, 2, 0))).values())

    identity = {
        "library": "tflite",
        "model": "mobilenet_v2_1.0_224_quant",
        "weights": file_sha256(path),
        "blocks": ["m16", "m32"],
    }
    return measured_tower(maps, identity)


SMALL_TOWERS: dict[str, str] = {
    "mini": "the bundled model's tower; mini=FOLDER takes another model of its form",
    "mobilenet": "a MobileNetV2 1.0, mobilenet=FILE.tflite",
}
"""Names of `--backbones` that this module makes, and what they are."""


def small_tower(name: str, source: Path | None) -> Tower:
    """The small backbone of a name.

    Args:
        name: A key of `SMALL_TOWERS`.
        source: Its file or folder; None where it is bundled.

    Raises:
        UsageError: An unknown name, or a file is needed.
        ModelError, InputError: As the tower's own function.
    """
    if name == "mini":
        return mini_tower(None if source is None else read_card(source))
    if name == "mobilenet":
        if source is None:
            raise UsageError("mobilenet needs its file", "write mobilenet=FILE.tflite")
        return mobilenet_tower(source)
    raise UsageError(f"unknown small backbone {name!r}", f"one of {', '.join(SMALL_TOWERS)}")
