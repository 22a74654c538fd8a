"""Losses of `mini`: what a segment is called, and what the teachers see there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainer.pairs import PairSegment
from usearch.records import FloatArray

LOGIT_SCALE = 30.0
"""Multiplies cosines (USE's "temperature 30"; it must multiply, or nothing can be learned)."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Texts of the training pairs and their vectors.

    Attributes:
        row: Row of each text in `vectors`.
        vectors: float32 [T, D], unit length.
        names: Rows that serve as the fixed negatives of every segment: the plain names.
        prior: float32 [T]; how often a text is the plain name of a segment, at least 1.
    """

    row: dict[str, int]
    vectors: Tensor
    names: Tensor
    prior: FloatArray


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch of segments is trained towards.

    Attributes:
        keep: int64 [k], the segments that have a target.
        probabilities: float32 [k, C], rows summing to at most 1.
        excluded: bool [k, C], candidates that are neither right nor wrong.
        candidates: int64 [C], rows of the vocabulary.
        weight: float32 [k].
    """

    keep: Tensor
    probabilities: Tensor
    excluded: Tensor
    candidates: Tensor
    weight: Tensor


def make_targets(
    segments: list[PairSegment],
    vocabulary: Vocabulary,
    rng: np.random.Generator,
    near: float = 0.75,
    rarity: float = 0.5,
) -> Targets:
    """One random text a segment (paper section 3.2) against all plain names.

    A candidate is left out of a segment's softmax when it is another true text of it, or
    when its vector is nearly that of the sampled text: "sofa" is no mistake for "couch".

    Args:
        segments: n segments.
        vocabulary: Known texts; others are passed over.
        rng: Source of randomness.
        near: Cosine from which a candidate counts as the same meaning.
        rarity: Weight of a name falls with its count to this power.
    """
    keep: list[int] = []
    chosen: list[list[tuple[int, float]]] = []
    own: list[list[int]] = []
    weight: list[float] = []
    for i, segment in enumerate(segments):
        known = [
            (vocabulary.row[t], w)
            for t, w in zip(segment.texts, segment.text_weights, strict=True)
            if t in vocabulary.row
        ]
        soft = [(vocabulary.row[t], p) for t, p in segment.soft if t in vocabulary.row]
        if known:
            share = np.array([w for _, w in known])
            pick = known[int(rng.choice(len(known), p=share / share.sum()))]
            right = [(pick[0], 1.0)]
            if soft:
                right = [(pick[0], 0.7), *((t, 0.3 * p) for t, p in soft)]
        elif soft:
            right = soft
        else:
            continue
        keep.append(i)
        chosen.append(right)
        own.append([t for t, _ in known])
        first = known[0][0] if known else soft[0][0]
        weight.append(segment.weight * float(vocabulary.prior[first]) ** -rarity)
    names = vocabulary.names.tolist()
    extra = sorted({t for right in chosen for t, _ in right} - set(names))
    candidates = torch.tensor(names + extra, dtype=torch.long)
    column = {t: c for c, t in enumerate(names + extra)}
    probabilities = torch.zeros(len(keep), len(candidates))
    excluded = torch.zeros(len(keep), len(candidates), dtype=torch.bool)
    for k, right in enumerate(chosen):
        for t, p in right:
            probabilities[k, column[t]] += p
        for t in own[k]:
            if t in column:
                excluded[k, column[t]] = True
    if keep:
        main = torch.tensor([right[0][0] for right in chosen])
        similar = vocabulary.vectors[main] @ vocabulary.vectors[candidates].T
        excluded |= similar > near
    excluded &= probabilities == 0
    weights = torch.tensor(weight)
    return Targets(
        torch.tensor(keep, dtype=torch.long),
        probabilities,
        excluded,
        candidates,
        weights / weights.mean().clamp_min(1e-6) if keep else weights,
    )


def naming_loss(vectors: Tensor, targets: Targets, vocabulary: Vocabulary) -> Tensor:
    """Cross-entropy of segments against texts, weighted by trust and rarity.

    Args:
        vectors: float32 [n, D], unit length, of all segments of the batch.
        targets: Which of them have which text.
        vocabulary: Vectors of the texts.
    """
    if len(targets.keep) == 0:
        return vectors.sum() * 0.0
    logits = LOGIT_SCALE * vectors[targets.keep] @ vocabulary.vectors[targets.candidates].T
    logits = logits.masked_fill(targets.excluded, -1e4)
    each = -(targets.probabilities * functional.log_softmax(logits, 1)).sum(1)
    return (each * targets.weight).mean()


def map_losses(own: Mapping[str, Tensor], teacher: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean squared error of each of the tower's maps against the teacher's standardised one.

    1 is what a constant gets.
    """
    return {name: functional.mse_loss(own[name], target) for name, target in teacher.items()}
