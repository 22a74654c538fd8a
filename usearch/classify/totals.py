"""A collection's classes summed up while its photos pass by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.classify.stored import PhotoShares
from usearch.classify.values import map_values


@dataclass(slots=True)
class Totals:
    """Sums over photos; photos count the same, whatever their size.

    Attributes:
        min_share: Share of a photo from which on it counts as one with the class.
        photos: Photos so far.
        shares: float64 [C], sum of the shares of each class.
        others: float64 [3], the same of background, unknown and no class.
        photos_with: int64 [C], photos with at least `min_share` of the class.
        segments: int64 [C], segments of each class.
    """

    min_share: float
    photos: int
    shares: npt.NDArray[np.float64]
    others: npt.NDArray[np.float64]
    photos_with: npt.NDArray[np.int64]
    segments: npt.NDArray[np.int64]


def new_totals(n_classes: int, min_share: float) -> Totals:
    """Totals of no photo."""
    zeros = np.zeros(n_classes, np.int64)
    return Totals(min_share, 0, np.zeros(n_classes), np.zeros(3), zeros, zeros.copy())


def add_photo(totals: Totals, photo: PhotoShares) -> None:
    """Count a photo."""
    own = photo.shares
    totals.photos += 1
    totals.shares += own.classes
    totals.others += (own.background, own.unknown, own.none)
    totals.photos_with += (own.classes > 0) & (own.classes >= totals.min_share)
    totals.segments += photo.counts


def total_values(totals: Totals, titles: Sequence[str]) -> dict[str, Any]:
    """As plain JSON values: every class, the largest mean share first, then what is no class."""
    n = max(1, totals.photos)
    values = map_values(len(titles))
    rows: list[dict[str, Any]] = [
        {
            "value": value,
            "name": titles[value],
            "share": round(float(totals.shares[value]) / n, 6),
            "photos": int(totals.photos_with[value]),
            "segments": int(totals.segments[value]),
        }
        for value in sorted(range(len(titles)), key=lambda c: (-totals.shares[c], c))
    ]
    others = {"background": values.background, "unknown": values.unknown, "no class": values.none}
    shares = {
        name.replace(" ", "_") + "_share": round(float(share) / n, 6)
        for name, share in zip(others, totals.others, strict=True)
    }
    return {"photos": totals.photos, "min_share": totals.min_share, "classes": rows, **shares}
