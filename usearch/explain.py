"""Why a segment is a hit: the share of each term, and the words it competes with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from usearch.asked import Asked, question_scores, term_scores
from usearch.questions import Text
from usearch.scores import SAME_MEANING, Contrast

if TYPE_CHECKING:
    from usearch.hits import Hit
    from usearch.store import Snapshot

RIVALS = 5
"""Background words that are named, the strongest first."""


@dataclass(frozen=True, slots=True)
class TermShare:
    """One term of a question at one hit.

    Attributes:
        term: As typed.
        weight: As given; negative = not wanted.
        cosine: Of the term and the segment.
        score: Of the term alone, 0..1.
        part: What it adds to the cosine of the question; 0 for what is not wanted.
    """

    term: str
    weight: float
    cosine: float
    score: float
    part: float


@dataclass(frozen=True, slots=True)
class Rival:
    """A word of the background at one hit.

    Attributes:
        word: The word.
        cosine: Of the word and the segment.
        share: Of the softmax over the question and the background, 0..1.
    """

    word: str
    cosine: float
    share: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a segment is a hit.

    Attributes:
        segment: Its id.
        cosine: Of the whole question.
        score: Of the whole question.
        share: Of the softmax that the question takes against the background, uncalibrated; 1 for
            one with a picture, which has no rivals.
        terms: One for each term of the question.
        rivals: The strongest words of the background.
    """

    segment: int
    cosine: float
    score: float
    share: float
    terms: tuple[TermShare, ...]
    rivals: tuple[Rival, ...]

    def values(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "share": round(self.share, 6),
            "terms": [
                {
                    "term": term.term,
                    "weight": term.weight,
                    "cosine": round(term.cosine, 6),
                    "score": round(term.score, 6),
                    "part": round(term.part, 6),
                }
                for term in self.terms
            ],
            "rivals": [
                {"word": r.word, "cosine": round(r.cosine, 6), "share": round(r.share, 6)}
                for r in self.rivals
            ],
        }

    def lines(self) -> list[str]:
        """For people: a line a term, and one with the rivals."""
        lines = [
            f"    {'not ' if term.weight < 0 else ''}{term.term}: cosine {term.cosine:.3f}, "
            f"score {term.score:.2f}"
            + (f", {term.part:.3f} of {self.cosine:.3f}" if several else "")
            for several in [sum(term.weight > 0 for term in self.terms) > 1]
            for term in self.terms
        ]
        if self.rivals:
            words = ", ".join(f"{r.word} {r.share:.0%}" for r in self.rivals)
            lines.append(f"    it takes {self.share:.0%} against: {words}")
        return lines


def explain_hits(
    snapshot: Snapshot, hits: Sequence[Hit], asked: Sequence[Asked], contrast: Contrast
) -> list[Explanation]:
    """Why each hit is one, by the question of several that it matches.

    Args:
        snapshot: The store the hits are of.
        hits: Hits of `asked`.
        asked: The questions.
        contrast: What scores are measured against.
    """
    from usearch.picture_terms import segment_row

    rows = np.array([segment_row(snapshot, hit.segment) for hit in hits], np.int64)
    vectors = snapshot.vectors(rows)
    by_label = {one.question.label: one for one in asked}
    return [
        _explained(hit, vectors[i : i + 1], by_label.get(hit.matched, asked[0]), contrast)
        for i, hit in enumerate(hits)
    ]


def _explained(hit: Hit, vector: Any, asked: Asked, contrast: Contrast) -> Explanation:
    wanted = [max(term.weight, 0.0) for term in asked.question.terms]
    length = float(np.linalg.norm(np.array(wanted) @ asked.vectors))
    terms = []
    for term, own, weight in zip(asked.question.terms, asked.vectors, wanted, strict=True):
        cosine = float(vector[0] @ own)
        score = float(term_scores(term, own, vector, contrast)[0])
        terms.append(TermShare(term.label, term.weight, cosine, score, weight * cosine / length))
    share, rivals = _rivals(vector[0], asked, contrast)
    return Explanation(
        segment=hit.segment,
        cosine=hit.cosine,
        score=float(question_scores(asked, vector, contrast)[0]),
        share=share,
        terms=tuple(terms),
        rivals=rivals,
    )


def _rivals(vector: Any, asked: Asked, contrast: Contrast) -> tuple[float, tuple[Rival, ...]]:
    """Share of the question, and the strongest rivals; none where a picture is asked for."""
    if not all(isinstance(t.content, Text) for t in asked.question.terms if t.weight > 0):
        return 1.0, ()
    there = np.flatnonzero(contrast.vectors @ asked.vector < SAME_MEANING)
    cosines = np.concatenate([[asked.vector @ vector], contrast.vectors[there] @ vector])
    odds = np.exp(contrast.calibration.logit_scale * (cosines - cosines.max()).astype(np.float64))
    shares = odds / odds.sum()
    names = contrast.calibration.background
    strongest = np.argsort(-cosines[1:], kind="stable")[:RIVALS]
    return float(shares[0]), tuple(
        Rival(names[there[i]], float(cosines[1 + i]), float(shares[1 + i])) for i in strongest
    )
