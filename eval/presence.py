"""Is there one at all? Questions put to collections of photos with known content.

Collections of several sizes are drawn from the photos. For every name and collection the
answer is known: the name is there, or it is nowhere (the others are left out). What is
counted is how often a question for what is absent returns something, how often one for what
is there returns nothing, and what is right among the first hits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.calibration import even_cutoff
from eval.evidence import Evidence
from eval.metrics import Interval

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

SIZES = (1, 10, 50)
"""Photos of the collections that figures are given for."""

TOP = 10
"""Hits that are shown of a question."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Hits that a person would see; n of them.

    Attributes:
        row: int64 [n], segment of the evidence.
        name: int64 [n], the name asked for.
        size: int64 [n], photos of the collection.
        present: bool [n], the name is in the collection.
        weight: float64 [n]; each size of collections weighs the same, all together 1.
    """

    row: Numbers
    name: Numbers
    size: Numbers
    present: Flags
    weight: Doubles


@dataclass(frozen=True, slots=True)
class Decisions:
    """Questions to collections of one size, and whether anything is returned.

    Attributes:
        absent: Questions for what is nowhere.
        returned: How many of them return something.
        present: Questions for what is there.
        missed: How many of them return nothing.
    """

    absent: int
    returned: int
    present: int
    missed: int

    @property
    def false_alarms(self) -> float:
        """Share of the questions for what is absent that return something."""
        return self.returned / max(1, self.absent)

    @property
    def misses(self) -> float:
        """Share of the questions for what is there that return nothing."""
        return self.missed / max(1, self.present)


def collections(photos: npt.ArrayLike, size: int, count: int, seed: int = 0) -> list[Numbers]:
    """Collections of `size` photos: each photo once for 1, else `count` random draws.

    Args:
        photos: Numbers of the photos to draw from.
        size: Photos of a collection, at most all of them.
        count: Collections, unless `size` is 1.
        seed: Of the draws.
    """
    pool = np.asarray(photos)
    if size == 1:
        return [pool[i : i + 1] for i in range(len(pool))]
    rng = np.random.default_rng([seed, size])
    return [rng.choice(pool, size, replace=False) for _ in range(count)]


def best_of_photos(values: Doubles, photo: Numbers, n_photos: int) -> Doubles:
    """Highest value of each photo, float64 [P, C]; -inf for a photo without segments."""
    best = np.full((n_photos, values.shape[1]), -np.inf)
    np.maximum.at(best, photo, values)
    return best


def best_of_collections(
    best: Doubles, evidence: Evidence, some: Iterable[Numbers]
) -> tuple[Doubles, Doubles]:
    """Best values where a name is there, and where it is nowhere, over collections and names."""
    present, absent = [], []
    for photos in some:
        top = best[photos].max(0)
        present.append(top[evidence.shows[photos].any(0)])
        absent.append(top[evidence.lacks[photos].all(0)])
    return np.concatenate(present), np.concatenate(absent)


def shown_hits(evidence: Evidence, sizes: Sequence[int] = SIZES, count: int = 40) -> Shown:
    """The nearest hits of every name in collections of all sizes, whatever they score."""
    parts: list[tuple[npt.NDArray[Any], ...]] = []
    rows_of = _rows_of_photos(evidence)
    for size in (size for size in sizes if size <= len(rows_of)):
        for photos in collections(np.arange(len(rows_of)), size, count):
            rows = np.concatenate([rows_of[i] for i in photos])
            first = min(TOP, len(rows))
            if not first:
                continue
            near = np.argpartition(-evidence.cosines[rows], first - 1, axis=0)[:first]
            there: Flags = np.asarray(evidence.shows[photos].any(0))
            known = there | evidence.lacks[photos].all(0)
            names = np.flatnonzero(known)
            found = rows[near[:, names]].T.ravel()
            parts.append(
                (found, names.repeat(first), np.full(len(found), size), there[names].repeat(first))
            )
    row, name, of_size, present = (np.concatenate(column) for column in zip(*parts, strict=True))
    sums = np.bincount(of_size, minlength=max(sizes) + 1)
    return Shown(row, name, of_size, present.astype(bool), 1.0 / sums[of_size] / len(set(of_size)))


def fit_cutoff(
    best: Doubles,
    evidence: Evidence,
    segments_of_photo: float,
    usual: int,
    sizes: Sequence[int] = (1, 2, 5, 10, 20, 50),
    count: int = 200,
) -> tuple[float, float]:
    """Logit of the cut-off among `usual` segments, and its growth for e times as many.

    For each size of collections the cut-off is where false alarms and misses are equally
    frequent; a line over the logarithm of the number of segments is fitted through these. The
    best of n wrong segments rises with log n where their tail is exponential, as that of log
    odds is. A cut-off that falls makes no sense: the growth is at least 0.

    Args:
        best: Calibrated log odds of each photo's best segment, float64 [P, C].
        evidence: Says which names the photos show and lack.
        segments_of_photo: Mean segments of a photo.
        usual: Segments at which the cut-off is stated.
        sizes: Photos of the collections that are drawn; without absent names there is none.
        count: Collections of each size.

    Raises:
        ValueError: No size has questions with and without an answer.
    """
    x, y = [], []
    for size in (size for size in sizes if size <= len(best)):
        some = collections(np.arange(len(best)), size, count)
        present, absent = best_of_collections(best, evidence, some)
        if len(present) and len(absent):
            y.append(even_cutoff(present, absent))
            x.append(np.log(size * segments_of_photo / usual))
    if not x:
        raise ValueError("no size of collections has names both there and absent")
    if len(x) == 1:
        return y[0], 0.0
    growth, level = np.polyfit(x, y, 1)
    return (float(level), float(growth)) if growth > 0 else (float(np.mean(y)), 0.0)


def decisions(
    best: Doubles,
    evidence: Evidence,
    size: int,
    cutoff: float,
    photos: npt.ArrayLike | None = None,
    count: int = 200,
) -> Decisions:
    """What is decided for all names and collections of one size.

    Args:
        best: Score (or its logit) of each photo's best segment, float64 [P, C].
        evidence: Says which names the photos show and lack.
        size: Photos of a collection.
        cutoff: In the unit of `best`.
        photos: Photos to draw from; all when None.
        count: Collections.
    """
    some = collections(np.arange(len(best)) if photos is None else photos, size, count)
    present, absent = best_of_collections(best, evidence, some)
    return Decisions(
        absent=len(absent),
        returned=int((absent >= cutoff).sum()),
        present=len(present),
        missed=int((present < cutoff).sum()),
    )


def decision_intervals(
    decide: Callable[[Numbers], Decisions], n_photos: int, size: int, rounds: int = 100
) -> tuple[Interval, Interval] | None:
    """95 % intervals of false alarms and misses over the choice of photos.

    Drawing photos with replacement would fill collections with copies, which changes what is
    measured. A random half of the photos varies about as much around all of them as all of
    them vary around the truth.

    Args:
        decide: Numbers of some photos to decisions.
        n_photos: Photos there are.
        size: Photos of a collection.
        rounds: Halves that are drawn.

    Returns:
        Those of false alarms and of misses; None where half of the photos are not two
        collections.
    """
    if 2 * size > n_photos // 2:
        return None
    rng = np.random.default_rng(0)
    drawn = [
        decide(np.sort(rng.choice(n_photos, n_photos // 2, replace=False))) for _ in range(rounds)
    ]
    alarms = np.quantile([one.false_alarms for one in drawn], [0.025, 0.975]).tolist()
    misses = np.quantile([one.misses for one in drawn], [0.025, 0.975]).tolist()
    return Interval(*alarms), Interval(*misses)


def returned_hits(
    evidence: Evidence, scores: Doubles, size: int, cutoff: float, count: int = 40
) -> Shown:
    """What a person gets: the first hits by cosine of those that score at least the cut-off."""
    rows_of = _rows_of_photos(evidence)
    row, name, there = [], [], []
    for photos in collections(np.arange(len(rows_of)), size, count):
        rows = np.concatenate([rows_of[i] for i in photos])
        enough = scores[rows] >= cutoff
        present: Flags = np.asarray(evidence.shows[photos].any(0))
        known = present | evidence.lacks[photos].all(0)
        for c in np.flatnonzero(known & enough.any(0)).tolist():
            kept = rows[enough[:, c]]
            first = kept[np.argsort(-evidence.cosines[kept, c], kind="stable")[:TOP]]
            row.append(first)
            name.append(np.full(len(first), c))
            there.append(np.full(len(first), present[c]))
    empty = [np.zeros(0, np.int64)]
    rows, names = np.concatenate(row or empty), np.concatenate(name or empty)
    n = len(rows)
    flags = np.concatenate(there or empty).astype(bool)
    return Shown(rows, names, np.full(n, size), flags, np.full(n, 1.0 / max(1, n)))


def _rows_of_photos(evidence: Evidence) -> list[Numbers]:
    ends = np.searchsorted(evidence.photo, np.arange(len(evidence.shows) + 1))
    return [np.arange(a, b) for a, b in pairwise(ends.tolist())]
