"""Class texts without an encoder, photos of random masks, and the rule written pixel by pixel."""

from __future__ import annotations

import numpy as np

from usearch.classify import ClassTexts
from usearch.masks import segments_from_masks
from usearch.models.presets import Calibration
from usearch.records import Segments
from usearch.scores import Contrast, match_scores
from usearch.text.class_lists import parse_classes

DIM = 8


def unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def texts(rng, lines, n_background=0, scale=10.0, contrast=5) -> ClassTexts:
    """A class list whose names have random vectors."""
    listed = parse_classes(lines, "list")

    def draw(n):
        return unit(rng.normal(size=(n, DIM)))

    return ClassTexts(
        listed=listed,
        vectors=[draw(len(names)) for names in listed.names],
        background=[draw(1) for _ in range(n_background)],
        logit_scale=scale,
        contrast=Contrast(draw(contrast), Calibration(scale, 1.1, -0.3, 0.5, ())),
    )  # fmt: skip


def masks_of(rng, n, height, width) -> list[np.ndarray]:
    """Boxes and speckles, some inside others."""
    found = []
    for i in range(n):
        mask = np.zeros((height, width), bool)
        y, x = rng.integers(height), rng.integers(width)
        mask[y : y + rng.integers(1, height + 1), x : x + rng.integers(1, width + 1)] = True
        if i % 3 == 2:
            mask &= rng.random((height, width)) < 0.6
        mask[y, x] = True
        found.append(mask)
    return found


def photo(rng, n, height=9, width=11, parents=None) -> tuple[Segments, list, np.ndarray]:
    """Segments of a random photo, their masks and vectors."""
    masks = masks_of(rng, n, height, width)
    return (
        segments_from_masks(masks, np.ones(n), parents),
        masks,
        unit(rng.normal(size=(n, DIM))),
    )


def slow_rule(masks, vectors, classes, unknown=0.0):
    """Values of a map without parts, by the text of the rule: one pixel after the other."""
    n_classes = len(classes)
    names = [*classes.vectors, *classes.background]
    cosines = np.array(
        [[max(vector @ name for name in one) for one in names] for vector in vectors]
    )
    odds = np.exp(classes.logit_scale * cosines.astype(np.float64))
    shares = odds / odds.sum(1, keepdims=True)
    scores = np.stack(
        [
            np.max([match_scores(name, vectors, classes.contrast) for name in one], axis=0)
            for one in classes.vectors
        ],
        axis=1,
    )
    height, width = masks[0].shape
    out = np.full((height, width), 255)
    for y in range(height):
        for x in range(width):
            over = [i for i, mask in enumerate(masks) if mask[y, x]]
            if not over:
                continue
            best = int(np.argmax(shares[over].sum(0)))
            if best >= n_classes:
                out[y, x] = 253
            elif scores[over, best].mean() < unknown:
                out[y, x] = 254
            else:
                out[y, x] = best
    return out
