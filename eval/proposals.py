"""How well a segmenter's masks cover labelled regions, names left aside.

For each labelled region the best of the first k masks counts: mean best IoU, and the share
of the regions with one of IoU 0.5 or more. Masks stay run lengths; a region's cumulative
sum answers each run with two look-ups, so memory does not grow with the number of masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.metrics import Counts, Doubles, Interval, bootstrap_interval, hit_sums, share_of
from usearch import masks


@dataclass(frozen=True, slots=True)
class ProposalReport:
    """Cover of labelled regions by the first k masks of each photo.

    Attributes:
        mean_best_iou: Mean over regions of the best IoU.
        recall_50: Share of the regions with a mask of IoU 0.5 or more.
        intervals: 95 % bootstrap intervals over photos of the two.
        k: Masks of a photo that count.
        n_regions: Regions.
        n_photos: Photos they lie in.
    """

    mean_best_iou: float
    recall_50: float
    intervals: dict[str, Interval]
    k: int
    n_regions: int
    n_photos: int

    def to_json(self) -> dict[str, object]:
        """Plain values under the keys of the metrics."""
        return {
            "mean_best_iou": self.mean_best_iou,
            "recall_50": self.recall_50,
            "intervals": {key: [i.low, i.high] for key, i in self.intervals.items()},
            "k": self.k,
            "n_regions": self.n_regions,
            "n_photos": self.n_photos,
        }


def iou_matrix(
    regions: Sequence[bytes], proposals: Sequence[bytes], size: tuple[int, int]
) -> Doubles:
    """IoU of every region with every proposal, by RLE.

    Args:
        regions: COCO compressed RLE counts on the grid `size`.
        proposals: The same; both on one grid.
        size: (height, width).

    Returns:
        float64 [regions, proposals]; 0 where both are empty.

    Raises:
        InputError: A value is no RLE of this size.
    """
    truths = [masks.decode(rle, size) for rle in regions]
    shared, areas = shared_areas(truths, proposals, size)
    own = np.array([truth.sum() for truth in truths], np.int64)
    union = areas + own[:, None] - shared
    ious: Doubles = np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)
    return ious


def shared_areas(
    truths: Sequence[masks.Mask], proposals: Sequence[bytes], size: tuple[int, int]
) -> tuple[Counts, Counts]:
    """Pixels that masks share with run lengths, which are never decoded.

    Args:
        truths: m masks, bool [H, W].
        proposals: n COCO compressed RLE counts on the same grid.
        size: (H, W).

    Returns:
        int64 [m, n] shared pixels, and int64 [n] pixels of each proposal.

    Raises:
        InputError: A value is no RLE of this size.
    """
    runs = [_runs(masks.rle_to_counts(rle, size)) for rle in proposals]
    starts = np.concatenate([run[0] for run in runs] or [np.zeros(0, np.int64)])
    stops = np.concatenate([run[1] for run in runs] or [np.zeros(0, np.int64)])
    owner = np.repeat(np.arange(len(runs)), [len(run[0]) for run in runs])
    areas = np.bincount(owner, stops - starts, len(runs)).astype(np.int64)
    shared = np.zeros((len(truths), len(runs)), np.int64)
    for i, truth in enumerate(truths):
        before = np.concatenate(([0], np.cumsum(truth.ravel(order="F"), dtype=np.int64)))
        shared[i] = np.bincount(owner, before[stops] - before[starts], len(runs))
    return shared, areas


def _runs(counts: Counts) -> tuple[Counts, Counts]:
    """Start and stop of each run of set pixels, column-major."""
    ends = np.cumsum(counts)
    n = len(counts) // 2
    return ends[0::2][:n], ends[1::2]


def best_iou(ious: Doubles, k: int) -> Doubles:
    """Best IoU of each region over the first k proposals: [regions] of [regions, n]."""
    best: Doubles = ious[:, :k].max(axis=1, initial=0.0)
    return best


def proposal_report(best: npt.ArrayLike, photos: npt.NDArray[np.integer], k: int) -> ProposalReport:
    """Sum up the best IoU of each region.

    Args:
        best: [n], best IoU of each region of all photos.
        photos: [n], number of the region's photo, from 0.
        k: Masks of a photo that counted.

    Raises:
        ValueError: There is no region.
    """
    values = np.asarray(best, float)
    if len(values) == 0:
        raise ValueError("no region to cover")
    number = np.unique(photos, return_inverse=True)[1]
    iou, hit = hit_sums(values, number), hit_sums(values >= 0.5, number)
    return ProposalReport(
        mean_best_iou=float(values.mean()),
        recall_50=float((values >= 0.5).mean()),
        intervals={
            "mean_best_iou": bootstrap_interval(iou, share_of),
            "recall_50": bootstrap_interval(hit, share_of),
        },
        k=k,
        n_regions=len(values),
        n_photos=int(number.max()) + 1,
    )
