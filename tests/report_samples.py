"""Small evaluation reports with known figures."""

from __future__ import annotations

import numpy as np

from eval.datasets import NO_LABEL
from eval.metrics import MapTally
from eval.page_photos import Shown
from eval.report import EvalReport, with_maps

CLASSES = ("sky", "road", "a <b>tall</b> tree", "cat")
"""The last one occurs nowhere."""


def photo_maps(n: int, wrong: float, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and predictions: the labels depend on the seed alone, errors grow with the photo."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        truth = np.repeat(rng.integers(0, 3, (3, 4)), 10, axis=0).repeat(10, axis=1)
        truth = truth.astype(np.uint16)
        noise = rng.random(truth.shape)
        guess = np.where(noise < wrong * (i + 1) / n, (truth + 1) % 3, truth).astype(np.uint8)
        guess[noise > 0.97] = 255
        truth[0] = NO_LABEL
        out.append((truth, guess))
    return out


def names_of(n: int) -> list[str]:
    return [f"val/{i:03}.jpg" for i in range(n)]


def blank(n: int, **changes) -> EvalReport:
    values = {
        "data_set": "toy",
        "list_id": "toy/first",
        "system": "tree+toy",
        "command": "usearch eval toy --root photos",
        "n_photos": n,
        "n_classes": len(CLASSES),
    }
    return EvalReport(**{**values, **changes})


def tally_of(maps) -> MapTally:
    tally = MapTally(len(CLASSES))
    for truth, guess in maps:
        tally.add(truth, guess)
    return tally


def toy_report(n: int = 12, wrong: float = 0.5, **changes) -> EvalReport:
    """Scores of class maps over photos; the last photo is the worst."""
    maps = photo_maps(n, wrong)
    return with_maps(blank(n, **changes), tally_of(maps), names_of(n), CLASSES)


def reader(n: int = 12, wrong: float = 0.5):
    """Gives the photos of `toy_report` and remembers which were asked for."""
    maps = dict(zip(names_of(n), photo_maps(n, wrong), strict=True))
    asked: list[str] = []

    def read(name: str) -> Shown:
        asked.append(name)
        truth, guess = maps[name]
        image = np.full((*truth.shape, 3), 200, np.uint8)
        return Shown(image, truth, guess)

    return read, asked
