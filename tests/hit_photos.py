"""Photos with known segments, for tests of pictures of hits: no store and no model needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from usearch.answers import Answer
from usearch.errors import InputError
from usearch.hits import Hit, Hits
from usearch.masks import box_of, encode, mask_to_counts

RED = (220, 30, 40)


def disc(height: int, width: int, centre: tuple[float, float], radius: float) -> np.ndarray:
    """Bool [height, width]: a disc around (x, y)."""
    y, x = np.mgrid[:height, :width] + 0.5
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


def disc_photo(
    path: Path, size: tuple[int, int] = (200, 300), centre=(100, 80), radius=30
) -> np.ndarray:
    """Write a photo (lossless where its ending is) of a red disc on noise; the disc's mask."""
    height, width = size
    rng = np.random.default_rng(len(path.name))
    image = rng.integers(60, 200, (height, width, 3)).astype(np.uint8)
    mask = disc(height, width, centre, radius)
    image[mask] = RED
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return mask


def hit_of(path: Path, mask: np.ndarray, rank: int = 1, grid: int = 1, **changes: object) -> Hit:
    """A hit on a photo as large as the mask; the store's mask is `grid` times coarser."""
    coarse = mask[::grid, ::grid]
    height, width = mask.shape
    scale_x, scale_y = width / coarse.shape[1], height / coarse.shape[0]
    x0, y0, x1, y1 = box_of(mask_to_counts(coarse), coarse.shape[0])
    facts: dict[str, object] = {
        "rank": rank,
        "cosine": 0.3,
        "score": 0.93,
        "root": str(path.parent),
        "path": path.name,
        "width": width,
        "height": height,
        "box": (x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y),
        "area_share": float(coarse.mean()),
        "segment": 65536 * rank + 5,
        "photo": rank,
        "mask_size": coarse.shape,
        "rle": encode(coarse),
    }
    return Hit(**{**facts, **changes})  # type: ignore[arg-type]


def read_photo(path: str, max_side: int) -> np.ndarray:
    """What the store's reader does, without a store."""
    try:
        with Image.open(path) as picture:
            picture.thumbnail((max_side, max_side))
            return np.array(picture.convert("RGB"))
    except FileNotFoundError:
        raise InputError(f"{path} is gone since it was indexed") from None


def answer_of(question: str, hits: list[Hit], **changes: object) -> Answer:
    """An answer over three photos and 40 segments, cut off at 0.5."""
    facts: dict[str, object] = {
        "question": question,
        "hits": Hits(hits),
        "cutoff": 0.5,
        "below": 0,
        "best": hits[0] if hits else None,
        "photos": 3,
        "segments": 40,
    }
    return Answer(**{**facts, **changes})  # type: ignore[arg-type]
