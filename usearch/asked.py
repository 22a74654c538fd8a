"""A question with its vectors, and how well segments answer it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from usearch.errors import UsageError
from usearch.questions import Content, Question, Term, Text
from usearch.scores import Contrast, match_scores, text_cutoff, visual_cutoff, visual_scores

if TYPE_CHECKING:
    from usearch.models.presets import Calibration
    from usearch.records import FloatArray

CLEARLY = 4.0
"""How much likelier what was asked for must be than what was not wanted."""

EncodeTexts: TypeAlias = "Callable[[list[str]], FloatArray]"
"""Texts to float32 [n, D], unit length."""

Look: TypeAlias = "Callable[[Term], FloatArray]"
"""A term that is no text to float32 [D], unit length."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question whose terms have vectors.

    Attributes:
        question: What was asked, t terms.
        vectors: float32 [t, D], unit length, one a term.
        vector: float32 [D], unit length: the weighted sum of the wanted terms.
    """

    question: Question
    vectors: FloatArray
    vector: FloatArray


def ask_questions(questions: Sequence[Question], encode: EncodeTexts, look: Look) -> list[Asked]:
    """Gives every term of the questions its vector.

    All texts are encoded in one call, and no term twice.

    Raises:
        UsageError: The wanted terms of a question cancel each other out.
    """
    terms = {term.content: term for question in questions for term in question.terms}
    texts = [content.words for content in terms if isinstance(content, Text)]
    encoded = iter(encode(texts)) if texts else iter(())
    known = {
        content: next(encoded) if isinstance(content, Text) else look(term)
        for content, term in terms.items()
    }
    return [_asked(question, known) for question in questions]


def _asked(question: Question, known: Mapping[Content, FloatArray]) -> Asked:
    vectors = np.stack([known[term.content] for term in question.terms]).astype(np.float32)
    weights = np.array([max(term.weight, 0.0) for term in question.terms], np.float64)
    total = (weights / weights.max()) @ vectors
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise UsageError(f"the parts of {question.label!r} cancel each other out")
    return Asked(question, vectors, (total / length).astype(np.float32))


def question_scores(
    asked: Asked, vectors: FloatArray, contrast: Contrast
) -> npt.NDArray[np.float64]:
    """How likely each segment is what was asked for.

    Each wanted term is scored by its kind, and a question of several is the weighted geometric
    mean of its terms: all of them have to hold.

    Args:
        asked: The question.
        vectors: float32 [n, D] of segments, unit length.
        contrast: What scores are measured against.

    Returns:
        float64 [n] in 0..1.
    """
    total = np.zeros(len(vectors))
    weight = 0.0
    for term, vector in zip(asked.question.terms, asked.vectors, strict=True):
        if term.weight > 0:
            scores = term_scores(term, vector, vectors, contrast)
            total += term.weight * np.log(np.maximum(scores, 1e-300))
            weight += term.weight
    return np.exp(total / weight)


def term_scores(
    term: Term, vector: FloatArray, vectors: FloatArray, contrast: Contrast
) -> npt.NDArray[np.float64]:
    """How likely each segment shows one term, by the kind of the term: float64 [n] in 0..1."""
    if isinstance(term.content, Text):
        return match_scores(vector, vectors, contrast)
    return visual_scores(vector, vectors, contrast.calibration)


def question_cutoff(question: Question, calibration: Calibration, segments: int) -> float:
    """Score below which a segment is no match, made from those of the terms as the score is.

    Args:
        question: What was asked.
        calibration: Of the preset.
        segments: How many there are to choose from.
    """
    total = weight = 0.0
    for term in question.terms:
        if term.weight > 0:
            of_kind = text_cutoff if isinstance(term.content, Text) else visual_cutoff
            total += term.weight * math.log(max(of_kind(calibration, segments), 1e-300))
            weight += term.weight
    cutoff = math.exp(total / weight)
    return cutoff if cutoff > 1e-6 else 0.0


def unwanted(asked: Asked, vectors: FloatArray, contrast: Contrast) -> npt.NDArray[np.bool_]:
    """Which segments are rather what was not wanted, bool [n].

    A segment stays where the odds that it is what was asked for are `CLEARLY` times those
    that it is what was not wanted, times the weight of that term. A rule of odds and not a
    difference of vectors: the ranking stays that of what was asked for, nothing that is
    likelier unwanted ever comes back, and terms of different kinds can be set off against
    each other. docs/queries.md has the figures.
    """
    dropped = np.zeros(len(vectors), bool)
    if all(term.weight > 0 for term in asked.question.terms):
        return dropped
    own = _odds(question_scores(asked, vectors, contrast))
    for term, vector in zip(asked.question.terms, asked.vectors, strict=True):
        if term.weight < 0:
            rival = _odds(term_scores(term, vector, vectors, contrast))
            dropped |= own < CLEARLY * -term.weight * rival
    return dropped


def _odds(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    odds: npt.NDArray[np.float64] = scores / np.maximum(1.0 - scores, 1e-12)
    return odds
