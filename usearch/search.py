"""Questions with vectors to hits: the store's nearest segments, ranked and scored.

Hits are ranked by cosine alone. The score, 0..1, is what a person reads; it decides where
"nothing here matches" begins, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, path
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch.asked import Asked, question_cutoff, question_scores, unwanted
from usearch.errors import SpaceMismatch
from usearch.hits import Hit as Hit
from usearch.ranking import PER_GROUP, Candidates, RowArray, Wanted, walk
from usearch.scores import SAME_MEANING as SAME_MEANING
from usearch.scores import Contrast as Contrast
from usearch.scores import load_contrast as load_contrast
from usearch.scores import match_scores as match_scores

if TYPE_CHECKING:
    from usearch.records import EmbeddingSpace
    from usearch.store import Snapshot
    from usearch.text import TextEncoder

PATIENCE = 1_024
"""So many neighbours in a row that score too little end the search for more matches."""

_FIRST = 64
_GROWTH = 4
_TOGETHER = 64
"""Questions whose neighbours are looked up at once."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        hits: In the order of their ranks.
        below: Of the `k` nearest segments, those that score below the cut-off.
        cutoff: The score that a hit needs; the lowest one where several questions differ.
        best: The segment with the highest score of all that were looked at.
        photos: How many photos were searched.
        segments: How many segments were searched.
    """

    hits: list[Hit]
    below: int
    cutoff: float
    best: Hit | None
    photos: int
    segments: int


def search(
    snapshot: Snapshot,
    asked: Sequence[Asked],
    wanted: Wanted,
    contrast: Contrast,
    allowed: RowArray | None = None,
) -> Found:
    """The segments that answer one of some questions best.

    A segment's cosine is the highest of all questions. There are as many hits as were asked
    for if the store has them: the search is widened until then. Only for matches is there an
    end: behind `PATIENCE` neighbours in a row that score below the cut-off none is expected.

    Args:
        snapshot: What is searched.
        asked: At least one question, with vectors of the snapshot's space.
        wanted: How many hits, and which.
        contrast: What scores are measured against.
        allowed: Rows of the snapshot to search in; None for all.
    """
    if allowed is not None:
        allowed = _distinct(np.asarray(allowed, np.int64))
        allowed = allowed[snapshot.alive[allowed]]
    total = snapshot.n_segments if allowed is None else len(allowed)
    photos = _photo_count(snapshot, allowed)
    cutoffs = _cutoffs(asked, wanted, contrast, total)
    if total == 0:
        return Found([], 0, min(cutoffs), None, photos, 0)
    needed = [0.0] * len(asked) if wanted.everything else cutoffs
    # Whether something matches is told by `PATIENCE` neighbours: one look-up, not several.
    n = _FIRST if wanted.everything else _FIRST + PATIENCE
    n = max(n, _GROWTH * min(wanted.k, total))
    while True:
        near = nearest(snapshot, asked, min(n, total), contrast, needed, allowed)
        places, folded = _picked(snapshot, near, wanted)
        if len(places) >= wanted.k or n >= total or _hopeless(near):
            break
        n *= _GROWTH
    below = int((~near.good)[: wanted.k].sum())
    best = None
    if len(near):
        best = hits_at(snapshot, near.at([int(near.scores.argmax())]), asked)[0]
    chosen = near.at(places)
    if wanted.group and places:
        chosen, folded = _segments_of_photos(
            snapshot, asked, wanted, contrast, needed, chosen, folded, allowed
        )
    hits = hits_at(snapshot, chosen, asked, folded)
    return Found(hits, below, min(cutoffs), best, photos, total)


def nearest(
    snapshot: Snapshot,
    asked: Sequence[Asked],
    n: int,
    contrast: Contrast,
    needed: Sequence[float],
    allowed: RowArray | None = None,
) -> Candidates:
    """The `n` segments nearest to any of some questions, without those that are not wanted.

    `needed` is the score that a hit of each question needs.

    A segment among the first `n` by its best question is among the first `n` of that question,
    so the merged neighbours of each question are exact.
    """
    rows = np.zeros(0, np.int64)
    cosines, which = np.zeros(0, np.float32), np.zeros(0, np.int64)
    for first in range(0, len(asked), _TOGETHER):
        some = asked[first : first + _TOGETHER]
        close, places = snapshot.search(np.stack([one.vector for one in some]), n, allowed)
        numbers = np.broadcast_to(np.arange(len(some))[:, None] + first, places.shape)
        rows = np.concatenate([rows, places.ravel()])
        cosines = np.concatenate([cosines, close.ravel()])
        which = np.concatenate([which, numbers.ravel()])
        order = np.lexsort((which, rows, -cosines))
        order = order[np.sort(np.unique(rows[order], return_index=True)[1])][:n]
        rows, cosines, which = rows[order], cosines[order], which[order]
    vectors = snapshot.vectors(rows)
    scores, dropped = np.zeros(len(rows)), np.zeros(len(rows), bool)
    for number in np.unique(which).tolist():
        mine = which == number
        scores[mine] = question_scores(asked[number], vectors[mine], contrast)
        dropped[mine] = unwanted(asked[number], vectors[mine], contrast)
    good = scores >= np.asarray(needed)[which]
    found = Candidates(rows, cosines, scores, good, which, photo_ids(snapshot, rows))
    return found.at(~dropped) if dropped.any() else found


def photo_ids(snapshot: Snapshot, rows: RowArray) -> RowArray:
    """Ids of the photos that rows belong to, int64 [n], without reading the segments."""
    from usearch.store.parts import numbers

    ids = np.empty(len(rows), np.int64)
    part_of = np.searchsorted(snapshot.offsets, rows, side="right") - 1
    for at in np.unique(part_of).tolist():
        photos, place = snapshot.parts[at].photos, part_of == at
        ends = np.cumsum(numbers(photos["n_segments"]), dtype=np.int64)
        inside = np.searchsorted(ends, rows[place] - snapshot.offsets[at], side="right")
        ids[place] = numbers(photos["photo_id"])[inside]
    return ids


def hits_at(
    snapshot: Snapshot,
    candidates: Candidates,
    asked: Sequence[Asked],
    folded: Sequence[int] = (),
) -> list[Hit]:
    """Hits of candidates, ranked in their order."""
    if not len(candidates):
        return []
    from usearch.store import real_name
    from usearch.store.parts import numbers, take

    table = snapshot.segments(candidates.rows).to_pylist()
    photos = snapshot.photos()
    at = np.searchsorted(numbers(photos["photo_id"]), candidates.photos)
    shot = take(photos.select(["taken_at", "camera"]), at).to_pylist()
    return [
        Hit(
            rank=i + 1,
            cosine=float(candidates.cosines[i]),
            score=float(candidates.scores[i]),
            root=real_name(row["root"]),
            path=real_name(row["path"]),
            width=row["width"],
            height=row["height"],
            box=(row["x0"], row["y0"], row["x1"], row["y1"]),
            area_share=row["area_share"],
            segment=row["segment_id"],
            photo=row["photo_id"],
            mask_size=(row["mask_h"], row["mask_w"]),
            rle=row["rle"],
            matched=asked[candidates.which[i]].question.label if len(asked) > 1 else "",
            folded=folded[i] if folded else 0,
            parent=row["parent"],
            depth=row["depth"],
            segmenter_score=row["score"],
            taken_at=shot[i]["taken_at"],
            camera=shot[i]["camera"],
        )
        for i, row in enumerate(table)
    ]


def require_same_space(snapshot: Snapshot, encoder: TextEncoder) -> None:
    """Refuse to compare vectors of two spaces.

    Raises:
        SpaceMismatch: The store's space is not the encoder's.
    """
    require_space(snapshot, encoder.space)


def require_space(snapshot: Snapshot, given: EmbeddingSpace) -> None:
    """As `require_same_space`, of a model that need not be loaded."""
    held = snapshot.space
    if held.id != given.id:
        raise SpaceMismatch(
            f"the store {snapshot.path} holds vectors of {held.name} ({held.id}), "
            f"the model makes those of {given.name} ({given.id})",
            "ask with the model that made it, or index the photos again: "
            "usearch index FOLDER --store NEW",
        )


def shown_path(image: str | PathLike[str], base: Path | None = None) -> str:
    """Path as a person would type it: relative when the photo lies below `base`.

    Args:
        image: Absolute path.
        base: Absolute folder; the current one when None.
    """
    full, start = path.normpath(image), str(Path.cwd() if base is None else base)
    return path.relpath(full, start) if full.startswith(start.rstrip("/") + "/") else full


def _picked(snapshot: Snapshot, near: Candidates, wanted: Wanted) -> tuple[list[int], list[int]]:
    limit = 1 if wanted.group else wanted.per_image
    return walk(snapshot, near, wanted, limit)


def _cutoffs(asked: Sequence[Asked], wanted: Wanted, contrast: Contrast, total: int) -> list[float]:
    """The score that a hit needs, by question."""
    if wanted.min_score is not None:
        return [wanted.min_score] * len(asked)
    # Each question has all segments to choose from: chance finds more among more of them.
    chances = total * len(asked)
    return [question_cutoff(one.question, contrast.calibration, chances) for one in asked]


def _hopeless(near: Candidates) -> bool:
    """Whether the last neighbours all score so little that no further match is expected."""
    good = np.flatnonzero(near.good)
    return len(near) - (int(good[-1]) + 1 if len(good) else 0) >= PATIENCE


def _segments_of_photos(
    snapshot: Snapshot,
    asked: Sequence[Asked],
    wanted: Wanted,
    contrast: Contrast,
    needed: Sequence[float],
    best: Candidates,
    folded: list[int],
    allowed: RowArray | None,
) -> tuple[Candidates, list[int]]:
    """The best segments of each photo, photo by photo in the order of `best`."""
    rows = np.concatenate([snapshot.rows_of_photo(photo) for photo in best.photos.tolist()])
    if allowed is not None:
        rows = np.intersect1d(rows, allowed)
    near = nearest(snapshot, asked, len(rows), contrast, needed, rows)
    every = Wanted(len(rows), dedupe=wanted.dedupe)
    places: list[int] = []
    counts: list[int] = []
    for row, photo, copies in zip(best.rows, best.photos, folded, strict=True):
        own = np.flatnonzero(near.photos == photo)
        inside, within = walk(snapshot, near.at(own), every, wanted.per_image or PER_GROUP)
        places += own[inside].tolist()
        # Copies in other photos were counted when the photos were ranked.
        counts += [
            n + copies * int(near.rows[own[i]] == row) for i, n in zip(inside, within, strict=True)
        ]
    return near.at(places), counts


def _distinct(values: RowArray) -> RowArray:
    """Ascending, each once. `np.unique` hashes, which costs forty times the sorting here."""
    values = np.sort(values)
    first = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return values[first]


def _photo_count(snapshot: Snapshot, allowed: RowArray | None) -> int:
    """Photos that are searched: those with segments, among the rows allowed."""
    if allowed is not None:
        return len(_distinct(photo_ids(snapshot, allowed)))
    from usearch.store.parts import numbers

    counts: npt.NDArray[Any] = numbers(snapshot.photos()["n_segments"])
    return int((counts > 0).sum())
