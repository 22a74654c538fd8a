"""Small frozen backbones for training without a GPU: the bundled model's tower and a MobileNetV2.

They take the places of CLIP and DINOv2 in a USE head (`indexer.embedders.towers.Tower`): each
map inside the network is a block, and the class token is the mean over the picture of the
coarsest map's tokens after the parameter-free norm (neither network has a token of its own, and
a raw mean would reach the head's linear layer at any scale). Maps of several strides are brought to
the finest grid by repeating cells, so that pooling a segment there is pooling it on the map.

The maps come from ONNX Runtime and TensorFlow Lite, which know nothing of gradients: good for
frozen towers, and a tenth of the time of the same networks in torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from indexer.embedders.head import normalise
from indexer.embedders.towers import OnBlock, Tower, grid_of
from trainer.mini.teacher import MapTeacher
from usearch.errors import ModelError, UsageError
from usearch.models.card import ModelCard, read_card
from usearch.models.files import file_sha256
from usearch.models.presets import mini_card
from usearch.records import FloatArray

MAX_STRIDE = 32
"""Both networks halve their input five times."""

Maps = Callable[[FloatArray], Sequence[FloatArray]]
"""A picture float32 [3, h, w] in 0..1, sides multiples of 32, to its maps [C, h/s, w/s]."""


class MapTower:
    """A network without tokens as a `Tower`: one block for each of its maps.

    Any input whose sides are multiples of `patch` is taken: to reach multiples of 32, which the
    networks need, its last rows and columns are repeated, and the maps are cut back.

    Args:
        maps: Runs the network.
        strides: Stride of each map; the smallest one is the patch.
        channels: Channels of each map.
        identity: Tells this backbone from any other.
    """

    patch: int
    widths: tuple[int, ...]
    cls_width: int
    identity: Mapping[str, Any]

    def __init__(
        self,
        maps: Maps,
        strides: Sequence[int],
        channels: Sequence[int],
        identity: Mapping[str, Any],
    ) -> None:
        self._maps = maps
        self._strides = tuple(strides)
        self.patch = min(strides)
        self.widths = tuple(channels)
        self._coarsest = self._strides.index(max(strides))
        self.cls_width = self.widths[self._coarsest]
        self.identity = identity

    @torch.no_grad()
    def run(self, pixels: Tensor, on_block: OnBlock) -> Tensor:
        """See `indexer.embedders.towers.Tower.run`."""
        rows, columns = grid_of(pixels, self.patch)
        height, width = pixels.shape[-2:]
        padding = (0, -width % MAX_STRIDE, 0, -height % MAX_STRIDE)
        padded = functional.pad(pixels.float().cpu(), padding, mode="replicate").numpy()
        by_picture = [self._maps(picture) for picture in padded]
        cls: Tensor | None = None
        for block, stride in enumerate(self._strides):
            whole = torch.from_numpy(np.stack([maps[block] for maps in by_picture]))
            cells = whole[:, :, : -(-height // stride), : -(-width // stride)]
            if block == self._coarsest:
                cls = normalise(cells.flatten(2).transpose(1, 2)).mean(1)
            fine = cells
            for axis in (2, 3):
                fine = fine.repeat_interleave(stride // self.patch, axis)
            fine = fine[:, :, :rows, :columns]
            on_block(block, fine.flatten(2).transpose(1, 2).to(pixels.device))
        assert cls is not None
        return cls.to(pixels.device)


def mini_tower(card: ModelCard | None = None, threads: int = 1) -> Tower:
    """The tower of a model in the form of `mini`: its token maps, finest first.

    Args:
        card: The model's card; None for the bundled one.
        threads: Threads of ONNX Runtime.

    Raises:
        ModelError: Its file is missing, damaged, or of another kind.
    """
    import onnxruntime

    card = card or mini_card()
    path = card.path("tower.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no base but Exception
        raise ModelError(f"{path} cannot be loaded: {error}") from error
    stages = [str(stage) for stage in card.space.made_by["stages"]]

    def maps(picture: FloatArray) -> Sequence[FloatArray]:
        found: Sequence[FloatArray] = session.run(stages, {"pixels": picture[None] * 255.0})
        return [one[0] for one in found]

    identity = {
        "library": "usearch",
        "model": card.name,
        "weights": card.space.made_by["files"]["tower.onnx"],
        "blocks": stages,
    }
    return _measured(maps, identity)


def mobilenet_tower(path: Path) -> Tower:
    """A MobileNetV2 1.0 in TensorFlow Lite form: the last maps of stride 16 and 32.

    Raises:
        ModelError: The package that runs it, or the file, is missing.
        InputError: The file is another network.
    """
    if not path.is_file():
        raise ModelError(f"there is no file {path}", "give the .tflite file of a MobileNetV2 1.0")
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
    return _measured(maps, identity)


def _measured(maps: Maps, identity: Mapping[str, Any]) -> Tower:
    """A tower whose strides and channels are read off the maps of one blank picture."""
    side = 2 * MAX_STRIDE
    shapes = [one.shape for one in maps(np.zeros((3, side, side), np.float32))]
    return MapTower(maps, [side // s[1] for s in shapes], [s[0] for s in shapes], identity)


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
