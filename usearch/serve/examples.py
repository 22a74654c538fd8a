"""Words that are worth a click: everyday names that the store has good matches of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from usearch.scores import match_scores, text_cutoff
from usearch.text.embed import embed_names

if TYPE_CHECKING:
    from usearch.hits import Hit
    from usearch.opened import OpenStore

NAMES = (
    "dog", "cat", "bird", "horse", "sheep", "cow", "elephant", "zebra", "giraffe", "bear",
    "person", "child", "face", "hand", "hat", "umbrella", "backpack", "bicycle", "car", "bus",
    "truck", "motorcycle", "train", "boat", "airplane", "traffic light", "street sign", "bench",
    "tree", "flower", "grass", "leaf", "sky", "cloud", "sea", "beach", "mountain", "river",
    "snow", "road", "building", "bridge", "tower", "church", "window", "door", "stairs", "fence",
    "chair", "table", "couch", "bed", "lamp", "book", "laptop", "keyboard", "clock", "cup",
    "bottle", "plate", "fork", "pizza", "cake", "bread", "apple", "banana", "orange", "broccoli",
    "kite", "surfboard", "skateboard", "tennis racket", "ball", "teddy bear", "guitar", "statue",
    "water", "rock", "sign", "plant", "kitchen", "sink", "toilet", "mirror", "carpet", "curtain",
)  # fmt: skip
"""What people try first. Fixed, so that the vectors are made once a store."""

SHOWN = 14
_LOOKED_AT = 8


def example_answers(opened: OpenStore) -> list[tuple[str, Hit]]:
    """Names that match well in a store with their best segments; no photo twice, often fewer.

    All names are searched in one matrix product; what is worth showing is then asked as a
    person would ask it.
    """
    snapshot = opened.snapshot
    if not snapshot.n_segments:
        return []
    vectors = embed_names(opened.encoder, list(NAMES), opened.templates, opened.cache_dir)
    _, rows = snapshot.search(vectors, min(_LOOKED_AT, snapshot.n_segments))
    best = [
        float(match_scores(vector, snapshot.vectors(near), opened.contrast).max())
        for vector, near in zip(vectors, rows, strict=True)
    ]
    cutoff = text_cutoff(opened.calibration, snapshot.n_segments)
    found: list[tuple[str, Hit]] = []
    photos = set()
    for at in np.argsort(best)[::-1]:
        if len(found) == SHOWN or best[at] < cutoff:
            break
        hits = opened.ask(NAMES[at], 1).hits
        if hits and hits[0].photo not in photos:
            found.append((NAMES[at], hits[0]))
            photos.add(hits[0].photo)
    return found
