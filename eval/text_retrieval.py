"""Search measured on labelled photos: text to segment, and text to photo.

Each name that is labelled somewhere is asked once. A segment is right when it overlaps a labelled
region of the name with a stated IoU; of several segments on one region the best-ranked is right,
the others neither help nor harm, and neither does what lies on a crowd or on a region too small
to count. A photo is right when the name is labelled in it, and ranks by its best segment.

    recall@k   share of the names with a right answer among the first k
    mAP        mean over names of the precision at each right answer, summed and divided by all
               there is to find: a region that no segment reaches is a miss

Answers are ranked by counting how many score higher, block by block, so that a gallery of any size
costs no memory: neither the photos' own segments nor distractors, those of another store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.metrics import Doubles
from eval.photo_sums import sparse_of
from eval.report import EvalReport, Sample, with_sample, with_values
from eval.retrieval import random_hit
from usearch.records import FloatArray

KS = (1, 5, 10)
_SAME = np.float32(1e-6)
"""Cosines that differ less are one: a product is rounded otherwise in a block of another size."""

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One photo's part of the gallery, with what is labelled in it.

    Attributes:
        vectors: float32 [n, D], unit length: its segments.
        names: int64 [m], number of the name of each labelled region.
        wanted: bool [m], whether the region is to be found; the others are ignored.
        ious: float64 [m, n], of each region with each segment.
    """

    vectors: FloatArray
    names: Places
    wanted: Flags
    ious: Doubles


Block = tuple[FloatArray, Places]
"""Vectors float32 [n, D] of whole photos, and the first row of each photo, ascending from 0."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """How the names that were asked fared.

    Attributes:
        precision: float64 [q], average precision of each name.
        first: float64 [q], rank of its best right answer from 1; inf when there is none.
        to_find: int64 [q], regions (or photos) to find.
        right: int64 [q], right answers in the gallery, those that count.
        gallery: Answers to choose from.
    """

    precision: Doubles
    first: Doubles
    to_find: Places
    right: Places
    gallery: int


@dataclass(frozen=True, slots=True)
class TextRetrieval:
    """Both directions for the names that are labelled somewhere.

    Attributes:
        asked: int64 [q], numbers of the names.
        segments: Text to segment.
        photos: Text to photo.
    """

    asked: Places
    segments: Ranked
    photos: Ranked


@dataclass(slots=True)
class Query:
    """What is known of one name before it is ranked.

    Attributes:
        scores: Of its right and its ignored segments.
        regions: The region that each lies on; -1 = ignored.
        photo_scores: Of the photos that show it.
        n_regions: Regions to find.
    """

    scores: list[float]
    regions: list[int]
    photo_scores: list[float]
    n_regions: int = 0
    n_photos: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """The names that are labelled somewhere, with what is right for each.

    Attributes:
        names: int64 [q], their numbers.
        texts: For each, float32 [m, D].
        queries: For each, the scores of its right answers.
    """

    names: Places
    texts: list[FloatArray]
    queries: list[Query]


def asked_names(
    photos: Iterable[LabelledPhoto], text_vectors: Sequence[FloatArray], least: float = 0.5
) -> Asked:
    """What is right for each name.

    Args:
        photos: The labelled photos.
        text_vectors: For each of C names float32 [m, D]: the texts that mean it; the nearest
            counts.
        least: IoU from which on a segment lies on a region.

    Raises:
        ValueError: No name is labelled in any photo.
    """
    queries = [Query([], [], []) for _ in text_vectors]
    region = 0
    for photo in photos:
        scores = np.zeros((0, len(text_vectors)), np.float32)
        if len(photo.vectors):
            scores = _scores(photo.vectors, text_vectors)
        for name in np.unique(photo.names).tolist():
            _add(queries[name], photo, scores[:, name], name, least, region)
        region += len(photo.names)
    names = [i for i, one in enumerate(queries) if one.n_photos]
    if not names:
        raise ValueError("no name is labelled in any photo")
    return Asked(
        np.array(names, np.int64), [text_vectors[i] for i in names], [queries[i] for i in names]
    )


def text_retrieval(asked: Asked, gallery: Iterable[Block]) -> TextRetrieval:
    """Rank the answers to each name.

    Args:
        asked: The names.
        gallery: All that can be answered: the segments of the labelled photos, and of others,
            all of which are wrong.
    """
    counted = _Above(asked.queries)
    for vectors, starts in gallery:
        counted.add(_scores(vectors, asked.texts), starts)
    return TextRetrieval(
        asked=asked.names,
        segments=_ranked_segments(asked.queries, counted),
        photos=_ranked_photos(asked.queries, counted),
    )


def _scores(vectors: FloatArray, texts: Sequence[FloatArray]) -> FloatArray:
    """Cosine of each segment with the nearest text of each name, float32 [n, C]."""
    starts = np.cumsum([0] + [len(one) for one in texts])[:-1]
    best: FloatArray = np.maximum.reduceat(vectors @ np.concatenate(texts).T, starts, axis=1)
    return best


def _add(
    query: Query,
    photo: LabelledPhoto,
    scores: FloatArray,
    name: int,
    least: float,
    first_region: int,
) -> None:
    mine = np.flatnonzero(photo.names == name)
    wanted = mine[photo.wanted[mine]]
    query.n_regions += len(wanted)
    query.n_photos += 1
    if not len(scores):
        return
    query.photo_scores.append(float(scores.max()))
    on_wanted = photo.ious[wanted].max(0, initial=0.0) >= least
    near = photo.ious[wanted].argmax(0) if len(wanted) else np.zeros(len(scores), int)
    ignored = (photo.ious[mine].max(0, initial=0.0) >= least) & ~on_wanted
    for row in np.flatnonzero(on_wanted | ignored).tolist():
        query.scores.append(float(scores[row]))
        query.regions.append(first_region + int(wanted[near[row]]) if on_wanted[row] else -1)


class _Above:
    """Counts, over blocks of the gallery, how many answers score higher than those that matter.

    Args:
        queries: Of the names that are asked.
    """

    def __init__(self, queries: Sequence[Query]) -> None:
        self.n_segments = self.n_photos = 0
        self._segments = [np.sort(np.array(one.scores, np.float32)) for one in queries]
        self._photos = [np.sort(np.array(one.photo_scores, np.float32)) for one in queries]
        self._above = [np.zeros(len(one), np.int64) for one in self._segments]
        self._photos_above = [np.zeros(len(one), np.int64) for one in self._photos]

    def add(self, scores: FloatArray, starts: Places) -> None:
        """Counts a block.

        Args:
            scores: float32 [n, q].
            starts: First row of each photo.
        """
        self.n_photos += len(starts)
        if not len(scores):
            return
        self.n_segments += len(scores)
        best = np.maximum.reduceat(scores, starts, axis=0)
        for q in range(scores.shape[1]):
            _count(scores[:, q], self._segments[q], self._above[q])
            _count(best[:, q], self._photos[q], self._photos_above[q])

    def of_segments(self, q: int, scores: FloatArray) -> Places:
        """How many segments score higher, int64, for scores among those given at the start."""
        return self._above[q][np.searchsorted(self._segments[q], scores)]

    def of_photos(self, q: int) -> Places:
        """How many photos score higher than each right one, the best first."""
        return self._photos_above[q][::-1]


def _count(scores: FloatArray, marks: FloatArray, above: Places) -> None:
    """Adds to each mark (ascending) the number of scores that are higher."""
    if len(marks):
        # A score lies above the marks before the place where it would be put in.
        places = np.searchsorted(marks + _SAME, scores, side="left")
        below = np.bincount(places, minlength=len(marks) + 1)
        above += np.cumsum(below[::-1])[::-1][1:]


def _ranked_segments(queries: Sequence[Query], counted: _Above) -> Ranked:
    precision, first, right = [], [], []
    for q, one in enumerate(queries):
        scores, regions = np.array(one.scores, np.float32), np.array(one.regions, np.int64)
        order = np.argsort(-scores, kind="stable")
        ranks = _tied(counted.of_segments(q, scores[order]))
        counts, seen = np.zeros(len(order), bool), set()
        for place, region in enumerate(regions[order].tolist()):
            counts[place] = region >= 0 and region not in seen
            seen.add(region)
        # What is ignored before an answer does not push it down.
        ranks = ranks - np.cumsum(~counts)
        mine = ranks[counts] + 1
        precision.append(_average_precision(mine, one.n_regions))
        first.append(float(mine[0]) if len(mine) else np.inf)
        right.append(len(mine))
    to_find = np.array([one.n_regions for one in queries], np.int64)
    return Ranked(
        np.array(precision), np.array(first), to_find, np.array(right), counted.n_segments
    )


def _ranked_photos(queries: Sequence[Query], counted: _Above) -> Ranked:
    precision, first, right = [], [], []
    for q, one in enumerate(queries):
        ranks = _tied(counted.of_photos(q)) + 1
        precision.append(_average_precision(ranks, one.n_photos))
        first.append(float(ranks[0]) if len(ranks) else np.inf)
        right.append(len(ranks))
    to_find = np.array([one.n_photos for one in queries], np.int64)
    return Ranked(np.array(precision), np.array(first), to_find, np.array(right), counted.n_photos)


def _tied(above: Places) -> Places:
    """Ranks from 0 of marked answers in order: of equal ones, one stands behind the other."""
    ranks = above.copy()
    for i in range(1, len(ranks)):
        ranks[i] = max(ranks[i], ranks[i - 1] + 1)
    return ranks


def _average_precision(ranks: Places, to_find: int) -> float:
    """Sum over right answers of the precision at their rank (from 1), over all to find."""
    if to_find == 0:
        return float("nan")
    return float((np.arange(1, len(ranks) + 1) / ranks).sum() / to_find)


def with_retrieval(
    report: EvalReport,
    found: TextRetrieval,
    names: Sequence[str],
    prefix: str = "retrieval.",
) -> EvalReport:
    """A report with `retrieval.text_to_segment.recall@1`, `.map`, ... and text to photo.

    Intervals draw the names again.

    Args:
        report: The report so far.
        found: Of the run.
        names: All C names.
        prefix: Of the keys, ends in a dot.
    """
    for direction, ranked in (("text_to_segment", found.segments), ("text_to_image", found.photos)):
        rows = np.flatnonzero(ranked.to_find > 0)
        asked = tuple(names[i] for i in found.asked[rows])
        columns: dict[str, Doubles] = {
            f"recall@{k}": (ranked.first[rows] <= k).astype(float) for k in KS
        }
        columns["map"] = ranked.precision[rows]
        for measure, values in columns.items():
            key = f"{prefix}{direction}.{measure}"
            sums = np.stack([values, np.ones(len(rows))], 1)
            report = with_sample(report, key, Sample("query", asked, sparse_of(sums)), [key])
        chance = {
            f"{prefix}{direction}.chance@{k}": float(
                random_hit(ranked.right[rows], ranked.gallery, k).mean()
            )
            for k in KS
        }
        report = with_values(report, {**chance, f"{prefix}{direction}.queries": len(rows)})
    return with_values(report, {f"{prefix}text_to_segment.segments": found.segments.gallery})


def photo_blocks(
    vectors: Iterable[tuple[FloatArray, Places]], at_once: int = 16_384
) -> Iterator[Block]:
    """Photos joined into blocks, so that each product with the texts is worth its while.

    Args:
        vectors: Of single photos, or of blocks of them.
        at_once: Rows of a block, about.
    """
    held: list[FloatArray] = []
    starts: list[Places] = []
    rows = 0
    for one, first in vectors:
        if not len(one):
            continue
        held.append(one)
        starts.append(first + rows)
        rows += len(one)
        if rows >= at_once:
            yield np.concatenate(held), np.concatenate(starts)
            held, starts, rows = [], [], 0
    if held:
        yield np.concatenate(held), np.concatenate(starts)
