"""Text to segment: does the segment that a name finds lie on a thing of that name?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.metrics import Doubles
from eval.naming import PhotoRegions, recall_at
from eval.proposals import iou_matrix
from usearch.errors import InputError
from usearch.records import FloatArray, Segments


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Result of asking for each name that has a right segment in the labels.

    Attributes:
        recall: k -> share of the names with a right segment among their first k.
        chance: k -> the same for a gallery in random order.
        found: k -> names that succeeded.
        n_names: Names asked for: those with a labelled region.
        n_reachable: Names with at least one right segment in the gallery.
        n_segments: Segments of the gallery.
        n_photos: Photos they lie in.
    """

    recall: dict[int, float]
    chance: dict[int, float]
    found: dict[int, tuple[str, ...]]
    n_names: int
    n_reachable: int
    n_segments: int
    n_photos: int

    def to_json(self) -> dict[str, Any]:
        """Plain values under the keys of the metrics."""
        return {
            **{f"recall@{k}": share for k, share in self.recall.items()},
            **{f"chance@{k}": share for k, share in self.chance.items()},
            "n_names": self.n_names,
            "n_reachable": self.n_reachable,
            "n_segments": self.n_segments,
            "n_photos": self.n_photos,
        }


def region_ious(regions: PhotoRegions, segments: Segments) -> Doubles:
    """IoU of each labelled region with each segment of the same photo, float64 [m, n].

    Raises:
        InputError: Their grids differ; masks are never scaled silently here.
    """
    if regions.segments.size != segments.size:
        raise InputError(
            f"{regions.path}: labels of {regions.segments.size} and segments of "
            f"{segments.size} (height, width) cannot be compared"
        )
    return iou_matrix(regions.segments.rles, segments.rles, segments.size)


def right_segments(
    ious: Doubles, region_names: Sequence[str], names: Sequence[str], least: float = 0.5
) -> npt.NDArray[np.bool_]:
    """Which segments of a photo overlap a region of each name well enough.

    Args:
        ious: float64 [m, n], as `region_ious`.
        region_names: m names of the regions.
        names: C names.
        least: The IoU that counts.

    Returns:
        bool [C, n].
    """
    right = np.zeros((len(names), ious.shape[1]), bool)
    column = {name: i for i, name in enumerate(names)}
    for name, row in zip(region_names, ious, strict=True):
        if name in column:
            right[column[name]] |= row >= least
    return right


def retrieval_report(
    vectors: FloatArray,
    relevant: npt.NDArray[np.bool_],
    text_vectors: FloatArray,
    names: Sequence[str],
    asked: npt.NDArray[np.bool_],
    n_photos: int,
    ks: Sequence[int] = (1, 10),
) -> RetrievalReport:
    """Search a gallery for each name that occurs in the labels.

    A name that occurs but that no segment of the gallery overlaps well enough counts as
    not found: the segments are part of what is measured.

    Args:
        vectors: float32 [n, D], unit length: the gallery.
        relevant: bool [C, n], right segments of each name.
        text_vectors: float32 [C, D], unit length.
        names: C names.
        asked: bool [C], the names that occur in the labels.
        n_photos: Photos of the gallery, for the report.
        ks: How many of the first segments count.

    Raises:
        ValueError: No name occurs.
    """
    if not asked.any():
        raise ValueError("no name occurs in the labels")
    rows = np.flatnonzero(asked)
    hits = recall_at(text_vectors[rows] @ vectors.T, relevant[rows], ks)
    n_right = relevant[rows].sum(1)
    return RetrievalReport(
        recall={k: float(hit.mean()) for k, hit in hits.items()},
        chance={k: float(random_hit(n_right, len(vectors), k).mean()) for k in ks},
        found={k: tuple(names[i] for i in rows[hit].tolist()) for k, hit in hits.items()},
        n_names=len(rows),
        n_reachable=int((n_right > 0).sum()),
        n_segments=len(vectors),
        n_photos=n_photos,
    )


def random_hit(n_right: npt.NDArray[np.integer], n: int, k: int) -> Doubles:
    """Probability that k of n segments drawn at random hold one of the right ones.

    Args:
        n_right: int [q], right segments of each query.
        n: Segments.
        k: Segments drawn; more than n draw all.
    """
    left = n - n_right.astype(float)
    drawn = np.arange(min(k, n))
    misses = np.clip(left[:, None] - drawn, 0.0, None) / (n - drawn)
    hit: Doubles = 1.0 - misses.prod(1)
    return hit
