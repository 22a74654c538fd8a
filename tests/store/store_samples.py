"""Small stores for tests: photos of random rectangles with random vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usearch.masks import segments_from_masks
from usearch.records import EmbeddingSpace, Segments
from usearch.store import IndexedPhoto, PhotoRow, Writer, open_writer

DIM = 8
SPACE = EmbeddingSpace(id="toy-1", dim=DIM, name="toy 1", made_by={"seed": 1})
SETTINGS: dict[str, object] = {"granularity": 3}


def writer(path: Path, space: EmbeddingSpace = SPACE) -> Writer:
    return open_writer(
        path, space=space, preset="toy", segmenter="boxes", segmenter_settings=SETTINGS
    )


def unit(rng: np.random.Generator, n: int, dim: int = DIM) -> np.ndarray:
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def segments(rng: np.random.Generator, n: int, size: tuple[int, int] = (24, 32)) -> Segments:
    """The whole picture, then rectangles in it whose parent is the whole picture."""
    masks = []
    for i in range(n):
        mask = np.zeros(size, bool)
        y, x = rng.integers(0, size[0] - 4), rng.integers(0, size[1] - 4)
        mask[y : y + rng.integers(2, 9), x : x + rng.integers(2, 9)] = True
        masks.append(mask if i else np.ones(size, bool))
    return segments_from_masks(masks, rng.uniform(0, 1, n), [-1] + [0] * (n - 1))


def row(name: str, **changes: object) -> PhotoRow:
    facts: dict[str, object] = {
        "path": name,
        "root": "/photos",
        "bytes": 1000,
        "mtime_ns": 1_700_000_000_123_456_789,
        "hash": "00ff",
        "width": 640,
        "height": 480,
        "taken_at": "2024-05-06T07:08:09",
        "camera": "Toy 1",
        "status": "ok",
        "detail": "",
    }
    return PhotoRow(**{**facts, **changes})  # type: ignore[arg-type]


def photo(rng: np.random.Generator, name: str, n: int = 4, dim: int = DIM) -> IndexedPhoto:
    if n == 0:
        failed = row(name, status="truncated", detail="ends early", width=0, height=0)
        return IndexedPhoto(failed, None, None)
    return IndexedPhoto(row(name), segments(rng, n), unit(rng, n, dim))


def sample_store(path: Path, batches: int = 3, seed: int = 0) -> None:
    """A store of three photos a batch: five segments, two segments, one that failed."""
    rng = np.random.default_rng(seed)
    with writer(path) as w:
        for b in range(batches):
            w.add([photo(rng, f"{b}/{n}.jpg", n) for n in (5, 2, 0)])


def content(path: Path) -> dict[str, object]:
    """What a store holds, for comparison: everything but names of parts."""
    from usearch.store import open_snapshot

    snapshot = open_snapshot(path)
    rows = snapshot.live_rows()
    return {
        "photos": snapshot.photos().to_pylist(),
        "segments": snapshot.segments(rows).to_pylist(),
        "vectors": snapshot.vectors(rows).tobytes(),
    }
