"""The rule that gives pixels their classes, the same for a new photo and for a stored one.

1. Each segment gets a softmax over the classes and the contrast classes; a class is as near
   as the nearest of its names. With a bank, the softmax of its neighbours there is mixed in
   (`usearch.classify.bank`).
2. Each pixel sums these over the segments that cover it and takes the largest (USE, section
   4.3). Pixels that no segment covers take the same sum over pieces of them, where there are
   any; else they have no class.
3. A pixel that a contrast class wins is background.
4. A pixel is unknown where the mean score of its class, over the same segments, is below a
   threshold. Scores do not depend on what else is on the list.
5. Parts divide the pixels of their wholes (`usearch.classify.parts`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from usearch.classify.bank import Voters, mixed_scores
from usearch.classify.ensemble import Second, combine_logits
from usearch.classify.parts import Named, holders, seek_parts
from usearch.classify.probabilities import class_logits, class_scores, softmax
from usearch.classify.regions import Places, Regions, find_regions, paint, region_areas
from usearch.classify.texts import ClassTexts
from usearch.classify.values import ClassMap, MapValues, map_values
from usearch.records import FloatArray, IntArray, Segments

_BLOCK = 1 << 22
"""Values of regions x classes that are summed at once."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What of the rule can be chosen.

    Attributes:
        unknown: Mean score, 0..1, below which a pixel is unknown; 0 = no pixel is.
        parts: Whether parts are sought; without it pixels keep the class of the whole.
    """

    unknown: float = 0.0
    parts: bool = True


PAPERS_RULE = Rule()
"""Every pixel gets a class."""


@dataclass(frozen=True, slots=True)
class Classified:
    """The classes of one photo.

    Attributes:
        regions: Pixels that the same segments cover.
        labels: uint8 or uint16 [k], the value of each region; see `MapValues`.
        covered: bool [k], whether a segment covers the region (and not only a piece).
        segment_labels: int64 [n], the value of each segment by itself.
        probabilities: float32 [n], the share of the softmax that it took.
        scores: float32 [n], how well its class explains the segment; None without a contrast.
        n_classes: Classes of the list.
    """

    regions: Regions
    labels: ClassMap
    covered: npt.NDArray[np.bool_]
    segment_labels: Places
    probabilities: FloatArray
    scores: FloatArray | None
    n_classes: int

    def map(self, size: tuple[int, int] | None = None) -> ClassMap:
        """The value of every pixel, [H, W]; of the mask grid when no size is given."""
        return paint(self.regions, self.labels, size)


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the pixels of a photo; they sum to 1 with `none`.

    Attributes:
        classes: float64 [C]. A whole counts without its parts.
        background: What contrast classes won.
        unknown: What no class explains well enough.
        none: Of which nothing is known.
        covered: What segments cover, whatever became of it.
        filled: What pieces cover where no segment does.
    """

    classes: npt.NDArray[np.float64]
    background: float
    unknown: float
    none: float
    covered: float
    filled: float


def classify_segments(
    segments: Segments,
    vectors: FloatArray,
    classes: ClassTexts,
    rule: Rule = PAPERS_RULE,
    *,
    pieces: Segments | None = None,
    piece_vectors: FloatArray | None = None,
    voters: Voters | None = None,
    second: Second | None = None,
) -> Classified:
    """The classes of a photo's segments and pixels.

    Args:
        segments: n segments of one photo.
        vectors: float32 [n, D], unit length.
        classes: What they are compared with.
        rule: What of the rule is chosen.
        pieces: m pieces of what no segment covers, on the same grid; see
            `usearch.classify.gaps`.
        piece_vectors: float32 [m, D].
        voters: Neighbours of the n segments in a bank, whose scores are mixed with theirs
            before pixels sum them; parts, scores and pieces are told without them.
        second: What a second model says of segments and pieces: the softmax is of both
            (`usearch.classify.ensemble`); scores are told without it.

    Raises:
        UsageError: More classes than a map can number.
        InputError: Run lengths that are none.
    """
    values, n, c = map_values(len(classes)), len(segments), len(classes)
    joined = segments
    if pieces is not None and piece_vectors is not None and len(pieces):
        joined = _joined(segments, pieces)
        vectors = np.concatenate((vectors, piece_vectors))
    regions = find_regions(joined)
    logits = combine_logits(_logits(vectors, classes), *_second_logits(second, joined))
    wholes = classes.listed.wholes or [-1] * c
    top = np.array([v for v in range(logits.shape[1]) if v >= c or wholes[v] < 0])
    shares = softmax(logits[:, top])
    if voters is not None:
        theirs = softmax(_logits(voters.vectors, classes)[:, top])
        shares[:n] = mixed_scores(
            shares[:n], voters.rows, voters.similarities, theirs, voters.weight
        )
    winner = top[_winners(regions, shares)]
    best = shares.argmax(1) if len(shares) else np.zeros(0, np.int64)
    named = Named(winner, top[best], shares[np.arange(len(best)), best])
    if rule.parts and classes.listed.has_parts and len(joined):
        held = holders(joined.parents, regions.members, region_areas(regions))
        named = seek_parts(named, wholes, logits, regions.members, held)
    scores = _scores(vectors, classes)
    if scores is None and rule.unknown > 0:
        raise ValueError("what is unknown is told by scores: these class texts have none")
    labels = _values(named.regions, c, values)
    own = _values(named.segments[:n], c, values)
    if scores is not None and rule.unknown > 0:
        labels[_weak(regions, winner, scores, rule.unknown) & (labels < c)] = values.unknown
        weak = scores[np.arange(n), named.segments[:n]] < rule.unknown
        own[weak & (own < c)] = values.unknown
    labels[~regions.members.any(1)] = values.none
    return Classified(
        regions=regions,
        labels=labels,
        covered=np.asarray(regions.members[:, :n].any(1)),
        segment_labels=own.astype(np.int64),
        probabilities=named.probabilities[:n],
        scores=None if scores is None else scores[np.arange(n), named.segments[:n]],
        n_classes=c,
    )


def class_map(
    segments: Segments, probabilities: FloatArray, size: tuple[int, int] | None = None
) -> ClassMap:
    """The class of every pixel by the sum alone: step 2 of the rule.

    Args:
        segments: n segments of one photo.
        probabilities: float32 [n, C], of `segment_probabilities`.
        size: (height, width) of the map; that of the mask grid when None. Another size
            takes the value of the nearest point of the grid.

    Returns:
        uint8 [H, W] for at most 253 classes, else uint16; pixels without a segment hold
        `no_class_value`. The lower class wins a tie.
    """
    values = map_values(probabilities.shape[1])
    regions = find_regions(segments)
    labels = _winners(regions, probabilities).astype(values.dtype)
    labels[~regions.members.any(1)] = values.none
    return paint(regions, labels, size)


def class_shares(labels: ClassMap, n_classes: int) -> npt.NDArray[np.float64]:
    """Share of the pixels that each class takes, float64 [C]; the rest has no class."""
    counts = np.bincount(labels.ravel(), minlength=n_classes)[:n_classes]
    return counts / max(1, labels.size)


def shares_of(found: Classified, size: tuple[int, int] | None = None) -> Shares:
    """Shares of the map of that size, exactly, without painting it."""
    areas = region_areas(found.regions, size)
    total = max(1, int(areas.sum()))
    values = map_values(found.n_classes)
    counts = np.bincount(found.labels, weights=areas, minlength=values.none + 1) / total
    some = found.regions.members.any(1)
    return Shares(
        classes=counts[: found.n_classes],
        background=float(counts[values.background]),
        unknown=float(counts[values.unknown]),
        none=float(counts[values.none]),
        covered=float(areas[found.covered].sum() / total),
        filled=float(areas[some & ~found.covered].sum() / total),
    )


def _logits(vectors: FloatArray, classes: ClassTexts) -> FloatArray:
    return class_logits(vectors, [*classes.vectors, *classes.background], classes.logit_scale)


def _second_logits(second: Second | None, joined: Segments) -> tuple[FloatArray | None, float]:
    """Logits of a second model over segments and pieces, and its weight."""
    if second is None or second.weight == 0.0:
        return None, 0.0
    vectors = second.vectors
    if second.piece_vectors is not None and len(vectors) < len(joined):
        vectors = np.concatenate((vectors, second.piece_vectors))
    if len(vectors) != len(joined):
        raise ValueError(f"{len(vectors)} vectors of a second model for {len(joined)} segments")
    return _logits(vectors, second.texts), second.weight


def _joined(segments: Segments, pieces: Segments) -> Segments:
    if segments.size != pieces.size:
        raise ValueError(f"segments on {segments.size}, pieces on {pieces.size}")
    roots: IntArray = np.full(len(pieces), -1, np.int32)
    return Segments(
        size=segments.size,
        rles=segments.rles + pieces.rles,
        boxes=np.concatenate((segments.boxes, pieces.boxes)),
        areas=np.concatenate((segments.areas, pieces.areas)),
        scores=np.concatenate((segments.scores, pieces.scores)),
        parents=np.concatenate((segments.parents, roots)),
        depths=np.concatenate((segments.depths, np.zeros_like(roots))),
    )


def _winners(regions: Regions, shares: FloatArray) -> Places:
    """Column with the largest sum in each region, int64 [k]; the lower one wins a tie."""
    winner = np.zeros(len(regions.members), np.int64)
    step = max(1, _BLOCK // max(1, shares.shape[1]))
    for start in range(0, len(winner), step):
        block = regions.members[start : start + step].astype(np.float32)
        winner[start : start + step] = (block @ shares).argmax(1)
    return winner


def _scores(vectors: FloatArray, classes: ClassTexts) -> FloatArray | None:
    """Scores of each class, float32 [n, C + B]; contrast classes, never unknown, score 1."""
    if classes.contrast is None:
        return None
    scores = class_scores(vectors, classes.vectors, classes.contrast)
    return np.pad(scores, ((0, 0), (0, len(classes.background))), constant_values=1.0)


def _weak(
    regions: Regions, winner: Places, scores: FloatArray, least: float
) -> npt.NDArray[np.bool_]:
    """Regions whose winner scores less than `least` in the mean over their segments."""
    weak = np.zeros(len(winner), bool)
    for value in np.unique(winner):
        mine = np.flatnonzero(winner == value)
        members = regions.members[mine]
        sums = members @ scores[:, value].astype(np.float64)
        weak[mine] = sums < least * np.maximum(1, members.sum(1))
    return weak


def _values(found: Places, n_classes: int, values: MapValues) -> ClassMap:
    """Values of a map: columns behind the classes are contrast classes, which is background."""
    labels: ClassMap = np.where(found < n_classes, found, values.background).astype(values.dtype)
    return labels
