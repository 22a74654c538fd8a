"""The whole answer to a question: the hits, where the line was drawn, what was searched."""

from __future__ import annotations

from dataclasses import dataclass

from usearch.hits import Hit, Hits


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for one question.

    Attributes:
        question: Readable, as typed: 'red car', 'red car -toy', 'img.jpg@10,20'.
        hits: Above the cut-off, in their order; all near ones where everything was asked for.
        cutoff: The score below which a segment does not count as a match.
        below: How many near hits were left out because they score below the cut-off.
        best: The one with the highest score of all near ones, even when it is below; None
            where nothing was there to search.
        photos: How many photos were searched, after the filter.
        segments: How many segments were searched, after the filter.
    """

    question: str
    hits: Hits
    cutoff: float
    below: int
    best: Hit | None
    photos: int
    segments: int
