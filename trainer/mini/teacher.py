"""The image teacher: maps inside a MobileNetV2 in TensorFlow Lite form, on any window.

The network's file is read as it is; only the list of outputs is changed, so that the maps
between its blocks come out, and the layers behind the last one are left away. Its numbers
never enter the tower: they are the targets of a regression.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from usearch.errors import InputError, ModelError
from usearch.records import FloatArray, Image

_MAPS = {"s4": (56, 24), "s8": (28, 32), "s16a": (14, 64), "s16": (14, 96), "s32a": (7, 160),
         "s32": (7, 320)}  # fmt: skip
"""Side at an input of 224, and channels, of the last map of each kind."""


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
        rows: dict[str, int] = {}
        for position, operator in enumerate(graph.operators):
            shape = graph.tensors[operator.outputs[0]].shape
            for name, (side, channels) in _MAPS.items():
                if list(shape) == [1, side, side, channels]:
                    rows[name] = operator.outputs[0]
                    last = position
        if rows.keys() != _MAPS.keys():
            raise InputError(f"{path} is not a MobileNetV2 1.0 of input 224")
        graph.operators = graph.operators[: last + 1]
        graph.outputs = [rows[name] for name in _MAPS]
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
            By stage float32 [C, h, w].
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
        for name, detail in zip(_MAPS, interpreter.get_output_details(), strict=True):
            scale, zero = detail["quantization"]
            raw = interpreter.get_tensor(detail["index"])[0].astype(np.float32)
            maps[name] = np.ascontiguousarray(((raw - zero) * scale).transpose(2, 0, 1))
        return maps
