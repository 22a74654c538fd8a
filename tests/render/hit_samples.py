"""Hits and answers for tests of what is written of them."""

from __future__ import annotations

import numpy as np

from usearch import masks
from usearch.answers import Answer
from usearch.hits import Hit, Hits

GRID = (24, 32)


def disc(y: float, x: float, radius: float, grid: tuple[int, int] = GRID) -> np.ndarray:
    rows, columns = np.mgrid[: grid[0], : grid[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def hit(mask: np.ndarray | None = None, **changes: object) -> Hit:
    """A hit in a photo of 641 x 479 pixels, whose mask grid has 32 x 24."""
    mask = disc(10, 12, 5) if mask is None else mask
    counts = masks.mask_to_counts(mask)
    width, height = changes.get("width", 641), changes.get("height", 479)
    x0, y0, x1, y1 = masks.box_of(counts, mask.shape[0])
    across, down = width / mask.shape[1], height / mask.shape[0]
    facts = {
        "rank": 1,
        "cosine": 0.41,
        "score": 0.87,
        "root": "/photos",
        "path": "street.jpg",
        "width": width,
        "height": height,
        "box": (x0 * across, y0 * down, x1 * across, y1 * down),
        "area_share": float(mask.mean()),
        "segment": 65536 + 3,
        "photo": 1,
        "mask_size": mask.shape,
        "rle": masks.counts_to_rle(counts),
        "parent": 65536,
        "depth": 1,
        "segmenter_score": 0.5,
        "taken_at": "2024-05-06T07:08:09",
        "camera": "Toy 1",
    }
    return Hit(**{**facts, **changes})


def answer(*hits: Hit, question: str = "red car", **changes: object) -> Answer:
    facts = {
        "question": question,
        "hits": Hits(hits),
        "cutoff": 0.5,
        "below": 2,
        "best": hits[0] if hits else None,
        "photos": 3,
        "segments": 40,
    }
    return Answer(**{**facts, **changes})
