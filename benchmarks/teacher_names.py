"""Namings by small public networks on a region's crop: the rivals of benchmarks/naming.py.

Nothing is fitted. `imagenet` is a MobileNetV2: its probabilities times text vectors of its
labels give a point in the text space, the nearest name is the answer. `coco-det` is a
NanoDet: the names of the boxes that overlap the region's box.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
from PIL import Image

from eval.datasets import read_image
from eval.naming import PhotoRegions

CONTEXT = 1.2
"""Side of the square crop as a multiple of the longer side of the region's box."""

CENTRE_SHARE = 0.875
"""The share of a picture that the teacher's own centre cut keeps."""


def load_runner(teachers: Path):
    """The module `run.py` beside the networks."""
    spec = importlib.util.spec_from_file_location("teacher_run", teachers / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ClipNames:
    """Rows of the CLIP text vectors by name, minus their mean row, unit length."""

    def __init__(self, data: Path) -> None:
        with np.load(data / "clip-text" / "clip-text.npz") as file:
            vectors = file["vectors"].astype(np.float32)
            names = file["names"].tolist()
        vectors -= vectors.mean(0)
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.row = {name: i for i, name in enumerate(names)}
        self.words = json.loads((data / "words" / "words.json").read_text())

    def find(self, name: str) -> np.ndarray | None:
        """Vector of a name, else of a synonym, else of the nearest broader word, else None."""
        # ImageNet writes its labels with synonyms: "tench, Tinca tinca".
        spelled = [part.strip().lower() for part in name.split(",")]
        entries = [self.words.get(word, {}) for word in spelled]
        near = [word for entry in entries for word in entry.get("synonyms", ())]
        far = [word for entry in entries for word in entry.get("broader", ())]
        for word in (*spelled, *near, *far):
            if word in self.row:
                return self.vectors[self.row[word]]
        return None


def square_crop(image: np.ndarray, box: np.ndarray) -> Image.Image:
    """Square around a box such that the teacher's centre cut keeps `CONTEXT` times the box.

    Beyond the photo the nearest pixels are repeated.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    side = CONTEXT * max(x1 - x0, y1 - y0) / CENTRE_SHARE
    half = max(int(np.ceil(side / 2)), 4)
    rows = np.arange(-half, half) + round((y0 + y1) / 2)
    columns = np.arange(-half, half) + round((x0 + x1) / 2)
    height, width = image.shape[:2]
    inside = image[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)[None]]
    return Image.fromarray(inside)


def imagenet_scores(
    teachers: Path, clip: ClipNames, names: list[str], regions: list[PhotoRegions]
) -> np.ndarray:
    """float64 [n, C]: cosine of each region's mixed label vector and each name.

    Names that have no CLIP row, not even by a broader word, get -1.
    """
    teacher = load_runner(teachers).Teacher("imagenet")
    labels = [clip.find(label) for label in teacher.names]
    known = np.array([vector is not None for vector in labels])
    label_vectors = np.stack([vector for vector in labels if vector is not None])
    found = [clip.find(name) for name in names]
    out = []
    for photo in regions:
        image = read_image(photo.path)
        for box in photo.segments.boxes:
            share = teacher(square_crop(image, box))["scores"][: len(known)][known]
            mixed = share @ label_vectors
            mixed /= max(np.linalg.norm(mixed), 1e-9)
            out.append([-1.0 if v is None else float(mixed @ v) for v in found])
    return np.array(out)


def detector_scores(
    teachers: Path, names: list[str], regions: list[PhotoRegions], lowest: float = 0.05
) -> np.ndarray:
    """float64 [n, C]: best product of box score and box IoU over the boxes of each name."""
    teacher = load_runner(teachers).Teacher("coco-det")
    column = {name: i for i, name in enumerate(names)}
    out = []
    for photo in regions:
        found = teacher(Image.fromarray(read_image(photo.path)), score=lowest)
        scores = np.zeros((len(photo.names), len(names)))
        for box, score, row in zip(found["boxes"], found["scores"], found["classes"], strict=True):
            name = teacher.names[int(row)]
            if name in column:
                value = score * box_iou(photo.segments.boxes, box)
                scores[:, column[name]] = np.maximum(scores[:, column[name]], value)
        out.append(scores)
    return np.concatenate(out)


def box_iou(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """IoU of boxes [n, 4] with one box, x0 y0 x1 y1."""
    side = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.prod(np.clip(side, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (areas + np.prod(box[2:] - box[:2]) - shared + 1e-9)


def joined_scores(imagenet: np.ndarray, detector: np.ndarray) -> np.ndarray:
    """The detector's scores; where it is silent, a softmax of the cosines decides (untuned)."""
    share = np.exp(20.0 * (imagenet - imagenet.max(1, keepdims=True)))
    return detector + 0.1 * share / share.sum(1, keepdims=True)
