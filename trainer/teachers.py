"""Small pretrained networks that label training photos: one detector, four dense, one classifier.

Each lives in a folder of its own below the folder given: `labels.txt` (one name a line) and
`model.tflite`, or `model.param` and `model.bin` (ncnn). They need the extra `train`.

    name         network                             answers
    coco-det     NanoDet-Plus-m 416                  boxes of 80 names
    imagenet     MobileNetV2 1.0, 8 bit              1000 names for a crop
    voc-seg      DeepLabv3 MobileNetV2 0.5           20 things and background, each pixel
    outdoor-seg  MobileNet 0.75 encoder-decoder      20 outdoor names and none, each pixel
    indoor-seg   the same                            10 room names and none, each pixel
    city-seg     DeepLab MobileNet-EdgeTPU, 8 bit    19 street names, each pixel, no scores
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage

from usearch.errors import ModelError
from usearch.records import FloatArray, Image

DENSE = ("voc-seg", "outdoor-seg", "indoor-seg", "city-seg")
DETECTOR = "coco-det"
CLASSIFIER = "imagenet"
NAMES = (DETECTOR, CLASSIFIER, *DENSE)

_CENTRE = 0.875
_NANODET_SIDE = 416
_NANODET_STRIDES = (8, 16, 32, 64)
_NANODET_BINS = 8
_BGR_MEAN = (103.53, 116.28, 123.675)
_BGR_STD = (57.375, 57.12, 58.395)
_SAME_OBJECT_IOU = 0.6


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes of one photo, best first.

    Attributes:
        boxes: float32 [n, 4], x0 y0 x1 y1 in pixels of the photo.
        scores: float32 [n], 0..1.
        names: n names.
    """

    boxes: FloatArray
    scores: FloatArray
    names: list[str]


class Teachers:
    """The networks of a folder, loaded when first asked.

    Args:
        folder: Holds a folder for each of `NAMES`.
        threads: Threads of each network.

    Raises:
        ModelError: The folder lacks one of the networks.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._folder = folder
        self._threads = threads
        self._nets: dict[str, Any] = {}
        self.labels: Mapping[str, list[str]] = {name: _labels(folder, name) for name in NAMES}

    def detect(self, image: Image, min_score: float = 0.3) -> Detections:
        """Objects of the 80 COCO names in a photo, uint8 [H, W, 3]."""
        net, ncnn = self._detector()
        side = _NANODET_SIDE
        height, width = image.shape[:2]
        small = _resized(image, (side, side))[:, :, ::-1]
        x = ((small - _BGR_MEAN) / _BGR_STD).transpose(2, 0, 1)
        x = np.ascontiguousarray(x, np.float32)  # must outlive the extractor: Mat borrows it
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(x))
        out = np.array(extractor.extract("output")[1])
        classes, boxes = decode_nanodet(out)
        boxes *= np.array([width, height] * 2, np.float32) / side
        best = classes.argmax(1)
        scores = classes.max(1)
        keep = np.flatnonzero(scores > min_score)
        # boxes of different classes never suppress each other: shift each class away
        apart = boxes[keep] + best[keep, None] * np.float32(1e5)
        keep = keep[non_maximum_suppression(apart, scores[keep], _SAME_OBJECT_IOU)]
        names = [self.labels[DETECTOR][i] for i in best[keep]]
        return Detections(boxes[keep].astype(np.float32), scores[keep].astype(np.float32), names)

    def classify(self, image: Image, whole: bool = False) -> FloatArray:
        """Probabilities, float32 [1001], of the ImageNet names for a photo or crop.

        Args:
            image: uint8 [H, W, 3].
            whole: Squeeze all of it into the square instead of taking the centre square.
        """
        size = 224
        crop = _resized(image, (size, size)) if whole else centre_square(image, size)
        return self._tflite(CLASSIFIER, crop)

    def dense(self, name: str, image: Image) -> FloatArray:
        """Probabilities, float32 [h, w, C], at the network's resolution.

        `city-seg` ends in a class index; its probabilities are 0 or 1.
        """
        side = int(self._interpreter(name).get_input_details()[0]["shape"][1])
        y = self._tflite(name, _resized(image, (side, side)))
        if y.ndim == 2:
            return np.eye(len(self.labels[name]), dtype=np.float32)[y.astype(np.int64)]
        if name == "voc-seg":
            y = np.exp(y - y.max(-1, keepdims=True))
            y /= y.sum(-1, keepdims=True)
        return y.astype(np.float32)

    def _tflite(self, name: str, image: Image) -> FloatArray:
        net = self._interpreter(name)
        inp, out = net.get_input_details()[0], net.get_output_details()[0]
        x = image[None].astype(np.float32)
        if inp["dtype"] == np.float32:
            x = x / 127.5 - 1.0
        net.set_tensor(inp["index"], x.astype(inp["dtype"]))
        net.invoke()
        y: npt.NDArray[Any] = net.get_tensor(out["index"])[0]
        scale, zero = out["quantization"]
        if y.dtype == np.uint8 and scale:
            y = (y.astype(np.float32) - zero) * scale
        return y.astype(np.float32)

    def _interpreter(self, name: str) -> Any:
        if name not in self._nets:
            try:
                from ai_edge_litert.interpreter import Interpreter
            except ImportError as error:
                raise ModelError(
                    "the teachers need the package ai-edge-litert",
                    "install it with: pip install 'use-segments[train]'",
                ) from error
            file = _existing(self._folder / name / "model.tflite")
            net = Interpreter(str(file), num_threads=self._threads)
            net.allocate_tensors()
            self._nets[name] = net
        return self._nets[name]

    def _detector(self) -> tuple[Any, Any]:
        if DETECTOR not in self._nets:
            try:
                import ncnn
            except ImportError as error:
                raise ModelError(
                    "the detector needs the package ncnn",
                    "install it with: pip install 'use-segments[train]'",
                ) from error
            net = ncnn.Net()
            net.opt.use_vulkan_compute = False
            net.opt.num_threads = self._threads
            net.load_param(str(_existing(self._folder / DETECTOR / "model.param")))
            net.load_model(str(_existing(self._folder / DETECTOR / "model.bin")))
            self._nets[DETECTOR] = (net, ncnn)
        pair: tuple[Any, Any] = self._nets[DETECTOR]
        return pair


def decode_nanodet(out: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Class scores [n, 80] and boxes [n, 4] (pixels of the 416 square) of NanoDet-Plus's head.

    Each cell gives 80 scores and, for its four sides, a distribution over 8 distances in
    units of its stride (generalised focal loss, Li et al. 2020).
    """
    bins = _NANODET_BINS
    classes, sides = out[:, : -4 * bins], out[:, -4 * bins :].reshape(-1, 4, bins)
    weights = np.exp(sides - sides.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    distance = weights @ np.arange(bins, dtype=np.float32)
    centres, strides = [], []
    for stride in _NANODET_STRIDES:
        n = -(-_NANODET_SIDE // stride)
        y, x = np.divmod(np.arange(n * n), n)
        centres.append(np.stack([x, y], 1) * stride)
        strides.append(np.full(n * n, stride))
    centre = np.concatenate(centres).astype(np.float32)
    distance = distance * np.concatenate(strides)[:, None].astype(np.float32)
    boxes = np.hstack([centre - distance[:, :2], centre + distance[:, 2:]])
    return classes, np.clip(boxes, 0, _NANODET_SIDE).astype(np.float32)


def non_maximum_suppression(
    boxes: FloatArray, scores: FloatArray, max_iou: float
) -> npt.NDArray[np.int64]:
    """Rows of boxes [n, 4] that no better-scored kept box overlaps by `max_iou`, best first."""
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    keep = []
    while len(order):
        i, order = order[0], order[1:]
        keep.append(i)
        low = np.maximum(boxes[i, :2], boxes[order, :2])
        high = np.minimum(boxes[i, 2:], boxes[order, 2:])
        inter = np.prod(np.clip(high - low, 0, None), axis=1)
        union = areas[i] + areas[order] - inter
        order = order[inter < max_iou * np.maximum(union, 1e-9)]
    return np.array(keep, np.int64)


def centre_square(image: Image, size: int) -> Image:
    """The centre square of a photo: short side to size / 0.875, then `size` cut out."""
    height, width = image.shape[:2]
    scale = size / _CENTRE / min(height, width)
    grown = _resized(image, (max(size, round(width * scale)), max(size, round(height * scale))))
    y, x = (grown.shape[0] - size) // 2, (grown.shape[1] - size) // 2
    return grown[y : y + size, x : x + size]


def _resized(image: Image, size: tuple[int, int]) -> Image:
    resized = PilImage.fromarray(image).resize(size, PilImage.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8)


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise ModelError(f"no teacher network at {file}", "give the folder with --teachers")
    return file


def _labels(folder: Path, name: str) -> list[str]:
    file = _existing(folder / name / "labels.txt")
    return file.read_text(encoding="utf-8").splitlines()
