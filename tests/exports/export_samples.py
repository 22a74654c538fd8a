"""Sources of random masks for tests of exports, and what their masks must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from usearch import masks
from usearch.exports.sources import ExportedPhoto, ExportedSegment


@dataclass
class Photos:
    """A source that is a list."""

    content: list[tuple[ExportedPhoto, list[ExportedSegment]]]
    labels: tuple[str, ...] = ("segment",)

    def photos(self):
        return (photo for photo, _ in self.content)

    def segments(self):
        return iter(self.content)


def exported_photo(number: int = 1, name: str = "a.jpg", size=(479, 641)) -> ExportedPhoto:
    return ExportedPhoto(number, f"/photos/{name}", name, size[1], size[0], None)


def exported_segment(mask: np.ndarray, number: int = 65536, **changes) -> ExportedSegment:
    facts = {
        "segment": number,
        "label": 0,
        "score": 0.5,
        "segmenter_score": 0.5,
        "cosine": None,
        "parent": None,
        "depth": 0,
        "mask_size": mask.shape,
        "rle": masks.encode(mask),
    }
    return ExportedSegment(**{**facts, **changes})


def on_photo(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask on the pixels of a photo of (height, width): the value at each centre."""
    rows = (2 * np.arange(size[0]) + 1) * mask.shape[0] // (2 * size[0])
    columns = (2 * np.arange(size[1]) + 1) * mask.shape[1] // (2 * size[1])
    return mask[rows[:, None], columns[None]]


def blobs(height: int, width: int, n: int, seed: int) -> list[np.ndarray]:
    """Masks with holes, parts and parts that touch at a corner; none is empty."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        mask = rng.random((height, width)) < rng.choice([0.03, 0.4, 0.97])
        y, x = rng.integers(0, height), rng.integers(0, width)
        mask[y : y + height // 3 + 1, x : x + width // 3 + 1] = True
        found.append(mask)
    return found


@st.composite
def random_photos(draw, most: int = 3):
    """Photos at least as large as their mask grid, of its shape, and their masks on the grid."""
    content = []
    for number in range(draw(st.integers(1, 2))):
        grid = draw(st.integers(2, 30)), draw(st.integers(2, 30))
        up = draw(st.sampled_from([1, 1.37, 2, 3.5]))
        size = round(grid[0] * up), round(grid[1] * up)
        found = blobs(*grid, draw(st.integers(1, most)), draw(st.integers(0, 2**32)))
        # One mask twice is one segment: a store has none, so the sample has none.
        found = list({masks.encode(mask): mask for mask in found}.values())
        scores = draw(st.lists(st.floats(0, 1, width=32), min_size=most, max_size=most))
        photo = exported_photo(number, f"{number}/a.jpg", size)
        content.append((photo, found, scores[: len(found)]))
    return content


def as_source(content) -> Photos:
    """What `random_photos` draws, as a source."""
    return Photos(
        [
            (
                photo,
                [
                    exported_segment(m, photo.photo * 65536 + i, score=s, segmenter_score=s)
                    for i, (m, s) in enumerate(zip(found, scores, strict=True))
                ],
            )
            for photo, found, scores in content
        ]
    )
