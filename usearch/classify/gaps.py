"""Pixels that no segment covers, as pieces that are embedded like segments.

A grid of cells lies over the photo at several scales; what a cell has of the uncovered pixels
is a piece. A pixel lies in one piece of each scale, so the sum over pieces mixes what is just
there with what is around it, as nested segments do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from usearch import masks
from usearch.classify.bank import Voters
from usearch.classify.ensemble import SecondModel
from usearch.classify.regions import find_regions, paint
from usearch.classify.rule import Classified, Rule, classify_segments
from usearch.classify.texts import ClassTexts
from usearch.masks import Counts, Mask
from usearch.records import FloatArray, Image, Segments

SCALES = (16, 8, 4, 2, 1)
"""Cells along the longest side. All five name more pixels rightly than any alone: docs/segment.md
has the figures."""


def classify_picture(
    image: Image,
    segments: Segments,
    embed: Callable[[Image, Segments], FloatArray],
    texts: ClassTexts,
    rule: Rule,
    *,
    fill: bool = True,
    vectors: FloatArray | None = None,
    voters: Voters | None = None,
    second: SecondModel | None = None,
) -> Classified:
    """The classes of a picture that was cut now, and not of one that is stored.

    Args:
        image: uint8 [H, W, 3].
        segments: Of the picture.
        embed: Gives vectors, float32 [n, D], unit length; see `indexer.embedders.Embedder`.
        texts: The classes.
        rule: What of the rule is chosen.
        fill: Embed what no segment covers too, in pieces.
        vectors: float32 [n, D], of the segments, where they are known already.
        voters: Neighbours of the segments in a bank.
        second: A second model, whose probabilities count too.

    Raises:
        UsageError: More classes than a map can number.
    """
    if vectors is None:
        vectors = embed(image, segments)
    pieces = gap_pieces(segments) if fill else None
    seen = None
    if second is not None and second.weight > 0.0:
        seen = second.look(image, segments, pieces)
    if not pieces:
        return classify_segments(segments, vectors, texts, rule, voters=voters, second=seen)
    return classify_segments(
        segments,
        vectors,
        texts,
        rule,
        pieces=pieces,
        piece_vectors=embed(image, pieces),
        voters=voters,
        second=seen,
    )


def uncovered(segments: Segments) -> Mask:
    """Pixels that no segment covers, bool [H, W]."""
    regions = find_regions(segments)
    empty = ~regions.members.any(1)
    return paint(regions, np.asarray(empty, np.uint8)) > 0


def gap_pieces(segments: Segments, scales: tuple[int, ...] = SCALES) -> Segments:
    """Pieces of what no segment covers, the finest first; none when all is covered.

    Returns:
        m segments on the same grid, without parents, with score 0.
    """
    mask = uncovered(segments)
    counts = [piece for scale in scales for piece in _cells(mask, scale)] if mask.any() else []
    return masks.segments_from_counts(counts, segments.size, np.zeros(len(counts)))


def _cells(mask: Mask, scale: int) -> Iterator[Counts]:
    """Run lengths of what each cell has of the mask."""
    height, width = mask.shape
    cell = max(height, width) / scale
    rows, columns = (max(1, round(side / cell)) for side in (height, width))
    ys = np.linspace(0, height, rows + 1).round().astype(int)
    xs = np.linspace(0, width, columns + 1).round().astype(int)
    for y0, y1 in pairwise(ys):
        for x0, x1 in pairwise(xs):
            inside = mask[y0:y1, x0:x1]
            if inside.any():
                yield _counts_of_crop(inside, int(y0), int(x0), mask.shape)


def _counts_of_crop(inside: Mask, y0: int, x0: int, size: tuple[int, int]) -> Counts:
    """Run lengths on the whole grid of a mask that is empty outside of a crop."""
    height, total = size[0], size[0] * size[1]
    padded = np.zeros((inside.shape[0] + 2, inside.shape[1]), np.int8)
    padded[1:-1] = inside
    steps = np.diff(padded, axis=0).T
    column, row = np.nonzero(steps)
    bounds = (x0 + column) * height + y0 + row
    # A run to the end of a column and one from the start of the next are one run.
    kept = np.ones(len(bounds), bool)
    touch = np.flatnonzero(bounds[1:-1:2] == bounds[2::2])
    kept[2 * touch + 1] = kept[2 * touch + 2] = False
    bounds = bounds[kept]
    if bounds[-1] == total:
        bounds = bounds[:-1]
    return np.diff(bounds, prepend=0, append=total).astype(np.int64)
