"""The image teachers: maps inside two small networks, on any window.

`DetectorTeacher` is NanoDet-Plus (ShuffleNetV2, trained on COCO) in ncnn form: the maps between
its units and of its pyramid are what the tower's own units learn to give. `MapTeacher` is a
MobileNetV2 (trained on ImageNet) in TensorFlow Lite form: its last maps are told from the tower's
by a linear layer. Their files are read as they are, and their numbers never enter the tower: the
maps are the targets of regressions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from usearch.errors import InputError, ModelError
from usearch.records import FloatArray, Image

Teacher = Callable[[Image], dict[str, FloatArray]]
"""Maps by name, float32 [C, h, w], of a window uint8 [H, W, 3]."""

_LAST = {"m16": (12, 96), "m32": (16, 320)}
"""Block that gives the last map of each grid, and its channels."""

_BLOCKS = 17


class MapTeacher:
    """Maps of the teacher for windows of any size that is a multiple of 32.

    Args:
        path: The .tflite file of a quantised MobileNetV2 1.0.

    Raises:
        ModelError: The package that runs it is missing.
        InputError: The file is another network.
    """

    def __init__(self, path: Path) -> None:
        try:
            import flatbuffers
            from ai_edge_litert import schema_py_generated as schema
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ModelError(
                f"the image teacher needs {error.name}", "pip install 'use-segments[train]'"
            ) from error
        self._interpreter = Interpreter
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
        graph = model.subgraphs[0]
        ends = _block_ends([graph.tensors[o.outputs[0]].name.decode() for o in graph.operators])
        channels = [int(graph.tensors[graph.operators[e].outputs[0]].shape[-1]) for e in ends]
        if len(ends) != _BLOCKS + 1 or any(channels[1 + i] != c for i, c in _LAST.values()):
            raise InputError(f"{path} is not a MobileNetV2 1.0")
        graph.operators = graph.operators[: ends[-1] + 1]
        graph.outputs = [graph.operators[ends[1 + i]].outputs[0] for i, _ in _LAST.values()]
        model.signatureDefs = None
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        self._content = bytes(builder.Output())
        self._sized: dict[tuple[int, int], Any] = {}

    def __call__(self, pixels: Image) -> dict[str, FloatArray]:
        """Maps of one window.

        Args:
            pixels: uint8 [H, W, 3], H and W multiples of 32.

        Returns:
            By name float32 [C, h, w].
        """
        size = pixels.shape[0], pixels.shape[1]
        if size not in self._sized:
            interpreter = self._interpreter(model_content=self._content, num_threads=1)
            interpreter.resize_tensor_input(
                interpreter.get_input_details()[0]["index"], [1, *pixels.shape]
            )
            interpreter.allocate_tensors()
            self._sized[size] = interpreter
        interpreter = self._sized[size]
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[None])
        interpreter.invoke()
        maps = {}
        for name, detail in zip(_LAST, interpreter.get_output_details(), strict=True):
            scale, zero = detail["quantization"]
            raw = interpreter.get_tensor(detail["index"])[0].astype(np.float32)
            maps[name] = np.ascontiguousarray(((raw - zero) * scale).transpose(2, 0, 1))
        return maps


def _block_ends(names: list[str]) -> list[int]:
    """Row of the operator that ends the first convolution, then each block, by their names."""
    last: dict[str, int] = {}
    for row, name in enumerate(names):
        block = name.split("/")[1] if "/" in name else ""
        if block == "Conv" or block.startswith("expanded_conv"):
            last[block] = row
    return list(last.values())


_BLOBS = {
    "stem": "891",
    **{f"s8.{i}": b for i, b in enumerate(("910", "938", "966", "994"))},
    **{
        f"s16.{i}": b
        for i, b in enumerate(("1013", "1041", "1069", "1097", "1125", "1153", "1181", "1209"))
    },
    **{f"s32.{i}": b for i, b in enumerate(("1228", "1256", "1284", "1312"))},
    "e8": "1315",
    "e16": "1318",
    "e32": "1321",
    "t16": "1344",
    "p8": "1367",
    "l16": "1373",
    "p16": "1391",
    "l32": "1397",
    "p32": "1415",
    "h8": "1440",
    "h16": "1465",
    "h32": "1490",
}
"""What the detector's file calls the maps that the tower hands on."""

_DETECTOR_MEAN = np.array([103.53, 116.28, 123.675], np.float32)
_DETECTOR_SCALE = np.array([57.375, 57.12, 58.395], np.float32)


class DetectorTeacher:
    """Maps of a NanoDet-Plus-m detector for windows of any size that is a multiple of 32.

    Args:
        folder: Holds `model.param` and `model.bin`.

    Raises:
        ModelError: The package that runs it is missing.
        InputError: The files are another network.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import ncnn
        except ImportError as error:
            raise ModelError(
                f"the detector teacher needs {error.name}", "pip install 'use-segments[train]'"
            ) from error
        self._ncnn = ncnn
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = 1
        # Maps are read after the network has gone on: nothing may be written in place.
        self._net.opt.lightmode = False
        for load, name in (
            (self._net.load_param, "model.param"),
            (self._net.load_model, "model.bin"),
        ):
            if load(str(folder / name)) != 0:
                raise InputError(f"{folder / name} cannot be read as a network in ncnn form")

    def __call__(self, pixels: Image) -> dict[str, FloatArray]:
        """Maps of one window.

        Args:
            pixels: uint8 [H, W, 3], RGB, H and W multiples of 32.

        Returns:
            By name float32 [C, h, w].
        """
        scaled = (pixels[:, :, ::-1].astype(np.float32) - _DETECTOR_MEAN) / _DETECTOR_SCALE
        feed = np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)
        extractor = self._net.create_extractor()
        extractor.input("data", self._ncnn.Mat(feed))
        maps = {}
        for name, blob in _BLOBS.items():
            status, found = extractor.extract(blob)
            if status != 0:
                raise InputError(f"the detector has no map {blob}: it is another network")
            maps[name] = np.array(found)
        return maps
