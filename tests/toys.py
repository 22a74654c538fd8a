"""A segmenter and an embedder small enough to see through, for tests of what is around them.

Worker processes load them by name: functions of this module can be sent to a spawned process.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usearch import masks
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments

SPACE = EmbeddingSpace(id="toy-colour-1", dim=4, name="toy colours", made_by={"toy": "colour"})


@dataclass
class GridSegmenter:
    """Cuts a photo into equal tiles."""

    tiles: int = 2
    name: str = "grid"

    @property
    def settings(self) -> dict[str, object]:
        return {"tiles": self.tiles}

    def segment(self, image: Image) -> Segments:
        height, width = image.shape[:2]
        rows = np.arange(height) * self.tiles // height
        columns = np.arange(width) * self.tiles // width
        tile = rows[:, None] * self.tiles + columns[None]
        found = [tile == number for number in np.unique(tile)]
        return masks.segments_from_masks(found, np.ones(len(found)))


@dataclass
class ColourEmbedder:
    """A segment's vector is its mean colour and a constant, scaled to unit length."""

    space: EmbeddingSpace = SPACE

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        vectors = np.ones((len(segments), 4), np.float32)
        for row, rle in enumerate(segments.rles):
            inside = masks.decode(rle, segments.size)
            vectors[row, :3] = image[inside].mean(0) / 255.0
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass
class Mine:
    """A segmenter that does harm when a photo's first pixel has a certain colour.

    Red 255 with green 0 kills the process (every time, or once when `once` names a file
    that does not exist yet), blue 255 with green 0 raises a plain exception.
    """

    inner: GridSegmenter
    once: str = ""
    pause: float = 0.0

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def settings(self) -> dict[str, object]:
        return self.inner.settings

    def segment(self, image: Image) -> Segments:
        time.sleep(self.pause)
        red, green, blue = (int(value) for value in image[0, 0])
        if red > 250 and green < 5 and blue < 5 and not (self.once and Path(self.once).exists()):
            if self.once:
                Path(self.once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if blue > 250 and green < 5 and red < 5:
            raise ValueError("a blue photo")
        return self.inner.segment(image)


def load_toys(*, threads: int = 1) -> tuple[GridSegmenter, ColourEmbedder]:
    return GridSegmenter(), ColourEmbedder()


def load_mined(
    *, threads: int = 1, once: str = "", pause: float = 0.0
) -> tuple[Mine, ColourEmbedder]:
    return Mine(GridSegmenter(), once, pause), ColourEmbedder()
