"""Which of the nearest segments become hits: the walk from the nearest one outwards.

The order is that of the cosine. On the way segments are left out that do not match, that a
photo has enough of, or that are near copies; the search is widened until there are as many
as were asked for, or nothing is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch.errors import UsageError
from usearch.picture_terms import box_overlap

if TYPE_CHECKING:
    from usearch.records import FloatArray
    from usearch.store import Snapshot

PER_GROUP = 3
"""Segments shown of a photo when photos are ranked, unless another number is asked for."""

COPY_COSINE = 0.97
"""Segments of different photos nearer than this, at the same place, show the same shot."""

COPY_PLACE = 0.5
"""How much the boxes of copies overlap, each relative to its photo."""

SAME_THING = 0.8
"""How much the boxes of two segments of one photo overlap that are cuts of the same thing."""

RowArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer may hold.

    Attributes:
        k: The most hits; the most photos with `group`.
        min_score: Segments that score less are no hits; None takes the cut-off of the kind of
            question (see `usearch.asked.question_cutoff`).
        per_image: The most hits of one photo; None sets no limit.
        group: Rank photos, each by its best segment.
        dedupe: Fold near copies into the best of them.
        everything: Leave out nothing for its score.
    """

    k: int = 10
    min_score: float | None = None
    per_image: int | None = None
    group: bool = False
    dedupe: bool = False
    everything: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"{self.k} results were asked for; at least 1 is needed")
        if self.min_score is not None and not 0.0 <= self.min_score <= 1.0:
            raise UsageError(f"a minimum score of {self.min_score}; scores lie between 0 and 1")
        if self.per_image is not None and self.per_image < 1:
            raise UsageError(f"{self.per_image} hits a photo were asked for; at least 1 is needed")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Segments near a question, the nearest first; n rows.

    Attributes:
        rows: int64 [n], rows of the snapshot.
        cosines: float32 [n].
        scores: float64 [n] in 0..1.
        good: bool [n], whether each scores enough to be a hit.
        which: int64 [n], the question of several that each is nearest to.
        photos: int64 [n], ids of their photos.
    """

    rows: RowArray
    cosines: FloatArray
    scores: npt.NDArray[np.float64]
    good: npt.NDArray[np.bool_]
    which: RowArray
    photos: RowArray

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: Any) -> Candidates:
        """Some of them, by places or by a mask."""
        return Candidates(
            self.rows[places],
            self.cosines[places],
            self.scores[places],
            self.good[places],
            self.which[places],
            self.photos[places],
        )


def walk(
    snapshot: Snapshot, candidates: Candidates, wanted: Wanted, limit: int | None
) -> tuple[list[int], list[int]]:
    """Goes from the nearest candidate outwards until there are enough.

    Args:
        snapshot: The store.
        candidates: Nearest first.
        wanted: What may become a hit; its `group` and `per_image` are not looked at.
        limit: The most hits of one photo.

    Returns:
        Places of the hits among the candidates, and how many near copies each has folded.
    """
    places: list[int] = []
    folded: list[int] = []
    taken: dict[int, int] = {}
    copies = _Copies(snapshot, candidates) if wanted.dedupe else None
    for place in np.flatnonzero(candidates.good).tolist():
        twin = copies.twin(place, places) if copies is not None else None
        if twin is not None:
            folded[twin] += 1
            continue
        if len(places) == wanted.k:
            if copies is None:
                break
            continue  # of what is left only copies count
        photo = int(candidates.photos[place])
        if limit is not None and taken.get(photo, 0) >= limit:
            continue
        taken[photo] = taken.get(photo, 0) + 1
        places.append(place)
        folded.append(0)
    return places, folded


class _Copies:
    """Tells near copies among candidates."""

    def __init__(self, snapshot: Snapshot, candidates: Candidates) -> None:
        self._vectors = snapshot.vectors(candidates.rows)
        self._photos = candidates.photos
        self._boxes = relative_boxes(snapshot, candidates.rows, candidates.photos)

    def twin(self, place: int, kept: list[int]) -> int | None:
        """Place in `kept` of the hit that a candidate is a near copy of; None for none."""
        if not kept:
            return None
        overlap = box_overlap(self._boxes[kept], self._boxes[place])
        near = self._vectors[kept] @ self._vectors[place] >= COPY_COSINE
        same_photo = self._photos[kept] == self._photos[place]
        copy = np.where(same_photo, overlap >= SAME_THING, near & (overlap >= COPY_PLACE))
        found = np.flatnonzero(copy)
        return int(found[0]) if len(found) else None


def relative_boxes(snapshot: Snapshot, rows: RowArray, photos: RowArray) -> FloatArray:
    """Boxes of rows in shares of their photos' sides, float32 [n, 4]; no mask is read.

    Args:
        snapshot: The store.
        rows: int64 [n].
        photos: int64 [n], ids of their photos.
    """
    from usearch.store.parts import numbers

    boxes = np.empty((len(rows), 4), np.float32)
    order = np.argsort(rows, kind="stable")
    part_of = np.searchsorted(snapshot.offsets, rows[order], side="right") - 1
    for at in np.unique(part_of).tolist():
        place = order[part_of == at]
        inside = rows[place] - snapshot.offsets[at]
        for i, side in enumerate(("x0", "y0", "x1", "y1")):
            boxes[place, i] = snapshot.parts[at].column(side, inside)
    table = snapshot.photos()
    owner = np.searchsorted(numbers(table["photo_id"]), photos)
    width, height = (numbers(table[side])[owner] for side in ("width", "height"))
    relative: FloatArray = boxes / np.stack([width, height, width, height], 1)
    return relative.astype(np.float32, copy=False)
