"""A store whose photos differ in everything that filters ask about."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
import store_samples

from usearch.store import IndexedPhoto

CAMERAS = (None, "Canon EOS 5D", "Apple iPhone 12", 'it\'s "one"', "Ünïcode カメラ")
DATES = (
    None,
    "2023-12-31T23:59:59",
    "2024-01-01T00:00:00",
    "2024-02-29T12:00:00",
    "2024-05-06T00:00:00",
    "2024-05-06T23:59:59",
    "2024-05-07T00:00:00",
    "9999-12-31T23:59:59",
)
NAMES = (
    "2024/05/IMG_1.jpg",
    "2024/06/img_2.JPG",
    "a b/c'd.jpg",
    'quo"te.png',
    "日本/写真.jpg",
    "bytes \udcff\udcfe.jpg",
    "line\nbreak.jpg",
    "[set].jpg",
    "back\\slash.jpg",
    "plain.jpg",
)
SIZES = ((640, 480), (480, 640), (4000, 3000), (31, 17))


def make_store(path: Path, photos: int = 60) -> None:
    """Photos in several parts, some removed, some moved, some without segments."""
    rng = np.random.default_rng(7)
    with store_samples.writer(path) as writer:
        for first in range(0, photos, 5):
            writer.add([_photo(rng, n) for n in range(first, first + 5)])
        writer.remove([13, 17, 18, 40] if photos > 40 else [])
        moved = {r.photo_id: r for r in writer.snapshot.photo_records() if r.photo_id in (15, 21)}
        writer.rename({i: replace(r, path=f"moved/{i}.jpg") for i, r in moved.items()})


def _photo(rng: np.random.Generator, number: int) -> IndexedPhoto:
    width, height = SIZES[rng.integers(len(SIZES))]
    n = int(rng.integers(number < len(NAMES), 7))
    row = store_samples.row(
        f"{NAMES[number % len(NAMES)]}"
        if number < len(NAMES)
        else f"{number}/{NAMES[number % 10]}",
        root="/photos" if number % 3 else "/other place",
        width=width,
        height=height,
        bytes=int(rng.integers(1, 5_000_000)),
        taken_at=DATES[rng.integers(len(DATES))],
        camera=CAMERAS[rng.integers(len(CAMERAS))],
    )
    if n == 0:
        return IndexedPhoto(replace(row, status="truncated", detail="ends early"), None, None)
    segments = store_samples.segments(rng, n)
    return IndexedPhoto(row, segments, store_samples.unit(rng, n))
