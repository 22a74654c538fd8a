"""Parts inside their wholes: `cup > handle`, sought with the nesting of the segments.

A segment lies inside a class when an ancestor of it, or a larger segment that covers at least
nine tenths of it, is of that class. For such a segment the class's parts join the whole list
in a softmax of their own. A pixel of the class takes the part with the largest sum over these
segments, where that is more than the sum of the class itself; so parts divide the pixels of
their whole and change nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from usearch.classify.probabilities import softmax
from usearch.classify.regions import Places
from usearch.records import FloatArray

_INSIDE = 0.9
"""Share of a segment that a larger one must cover to hold it."""


@dataclass(frozen=True, slots=True)
class Named:
    """Classes of segments and of regions while parts are sought.

    Attributes:
        regions: int64 [k], value of each region.
        segments: int64 [n], value of each segment.
        probabilities: float32 [n], the share of the softmax that the segment's value took.
    """

    regions: Places
    segments: Places
    probabilities: FloatArray


def holders(
    parents: npt.NDArray[np.int32], members: npt.NDArray[np.bool_], areas: Places
) -> npt.NDArray[np.bool_]:
    """Which segments hold which.

    Args:
        parents: int32 [n], row of the parent or -1.
        members: bool [k, n], segments that cover each region.
        areas: int64 [k], pixels of each region.

    Returns:
        bool [n, n]: whether segment j holds segment i, at [i, j].
    """
    n = len(parents)
    pixels = areas.astype(np.float64)
    both = (members * pixels[:, None]).T @ members.astype(np.float64)
    own = np.diag(both)
    held: npt.NDArray[np.bool_] = (both >= _INSIDE * own[:, None]) & (own[None] > own[:, None])
    rows, above = np.arange(n), parents.astype(np.int64)
    for _ in range(n):
        there = above >= 0
        if not there.any():
            break
        held[rows[there], above[there]] = True
        above = np.where(there, parents[above], -1)
    return held


def seek_parts(
    named: Named,
    wholes: list[int],
    logits: FloatArray,
    members: npt.NDArray[np.bool_],
    held: npt.NDArray[np.bool_],
) -> Named:
    """Classes with parts put into their wholes.

    Args:
        named: With the wholes alone.
        wholes: For each of C classes the value of its whole, or -1.
        logits: float32 [n, C + B], of classes and contrast classes.
        members: bool [k, n], segments that cover each region.
        held: bool [n, n], of `holders`.
    """
    regions, segments = named.regions.copy(), named.segments.copy()
    probabilities = named.probabilities.copy()
    parts_of: dict[int, list[int]] = {}
    for value, whole in enumerate(wholes):
        if whole >= 0:
            parts_of.setdefault(whole, []).append(value)
    top = [v for v in range(logits.shape[1]) if v >= len(wholes) or wholes[v] < 0]
    waiting = [(v, top) for v in top if v in parts_of]
    while waiting:
        whole, known = waiting.pop(0)
        parts = parts_of[whole]
        options = np.array([*known, *parts])
        inside = np.flatnonzero((held & (segments == whole)[None]).any(1))
        if len(inside):
            shares = softmax(logits[inside][:, options])
            best = shares.argmax(1)
            won = np.isin(options[best], parts)
            segments[inside[won]] = options[best][won]
            probabilities[inside[won]] = shares[won, best[won]]
            rivals = np.flatnonzero(np.isin(options, [whole, *parts]))
            rivals = rivals[np.argsort(options[rivals] != whole, kind="stable")]
            here = np.flatnonzero((regions == whole) & members[:, inside].any(1))
            sums = members[np.ix_(here, inside)].astype(np.float32) @ shares[:, rivals]
            regions[here] = options[rivals][sums.argmax(1)]
        waiting += [(part, list(options)) for part in parts if part in parts_of]
    return Named(regions, segments, probabilities)
