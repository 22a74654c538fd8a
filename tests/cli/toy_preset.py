"""A preset of colours for tests of commands: texts are colours, segments are tiles.

`install` puts it in the place of `mini`, in this process. What the commands load by name is
real otherwise: stores, class files, maps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from usearch.models.presets import Calibration
from usearch.records import EmbeddingSpace, FloatArray

SPACE = EmbeddingSpace(id="toy-colour-1", dim=4, name="toy colours", made_by={"toy": "colour"})

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
CALIBRATION = Calibration(60.0, 1.0, 0.0, 0.5, ("green", "blue", "white", "black"))


@dataclass
class ColourWords:
    """The vector of a text is that of the last colour it names; grey when it names none."""

    space: EmbeddingSpace = SPACE

    def encode(self, texts: list[str]) -> FloatArray:
        rows = []
        for text in texts:
            named = [COLOURS[word] for word in re.findall("[a-z]+", text) if word in COLOURS]
            rows.append([*(np.array(named[-1] if named else (128, 128, 128)) / 255), 1.0])
        vectors = np.array(rows, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def install(monkeypatch=None) -> None:
    """Load colours where `mini` would be loaded."""
    from toys import load_toys

    import indexer.presets
    from usearch.models import presets

    def put(module, name, value):
        if monkeypatch is None:
            setattr(module, name, value)
        else:
            monkeypatch.setattr(module, name, value)

    put(presets, "load_text_encoder", lambda preset: ColourWords())
    put(presets, "preset_calibration", lambda preset: CALIBRATION)
    put(presets, "preset_templates", lambda preset: "single")
    put(indexer.presets, "load_indexer", lambda *_, threads=1, **__: load_toys(threads=threads))


def quarters(path: Path, *names: str, side: int = 40) -> Path:
    """A photo of four tiles of the colours named: top left, top right, bottom left and right."""
    tile = np.array([COLOURS[name] for name in names], np.uint8).reshape(2, 2, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(tile.repeat(side // 2, 0).repeat(side // 2, 1)).save(path, quality=95)
    return path
