"""The collection as memory: the class scores of a segment, mixed with those of its neighbours.

A stored segment has, beside its vector in the space of texts, a *visual key*: what the backbone
saw of it before the head that was trained on texts. Segments that look alike have near keys, even
where their vectors do not agree on a name; so the neighbours of a segment in a store, found by
key, vote on its class with their own vectors (CorrCLIPv2 keeps such a bank of unlabelled regions,
kNN-CLIP one of labelled ones). No neighbour needs a label, and no class needs to be known before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from usearch.records import FloatArray

NEIGHBOURS = 16
"""Neighbours that vote; docs/memory.md has the figures of others."""

SHARPNESS = 20.0
"""How much more a nearer neighbour counts: at similarity s its vote is exp(SHARPNESS * s)."""


@dataclass(frozen=True, slots=True)
class Voters:
    """The neighbours of a photo's segments in a bank.

    Attributes:
        rows: int64 [n, k], places in `vectors`, the nearest first; -1 where there is none.
        similarities: float32 [n, k], cosines of the keys.
        vectors: float32 [m, D], unit length, in the space of the segments' own vectors.
        weight: Share of the neighbours in the mixed scores, 0..1.
        sources: int64 [m], row of each vector in the bank's snapshot.
    """

    rows: npt.NDArray[np.int64]
    similarities: FloatArray
    vectors: FloatArray
    weight: float
    sources: npt.NDArray[np.int64]


def vote_weights(neighbour_rows: npt.NDArray[np.int64], similarities: FloatArray) -> FloatArray:
    """How much each neighbour counts, float32 [n, k].

    Rows sum to 1, or to 0 where a segment has no neighbour.

    Args:
        neighbour_rows: int64 [n, k]; -1 where there is none.
        similarities: float32 [n, k].
    """
    there = neighbour_rows >= 0
    best = np.where(there, similarities, -np.inf).max(1, initial=-1.0, keepdims=True)
    votes = np.where(there, np.exp(SHARPNESS * (similarities - best)), 0.0)
    weights: FloatArray = np.asarray(
        votes / np.maximum(votes.sum(1, keepdims=True), 1e-12), np.float32
    )
    return weights


def mixed_scores(
    probabilities: FloatArray,
    neighbour_rows: npt.NDArray[np.int64],
    similarities: FloatArray,
    bank_probabilities: FloatArray,
    weight: float,
) -> FloatArray:
    """Class scores of segments, mixed with those of their neighbours.

    Args:
        probabilities: float32 [n, C], rows sum to 1: the segments' own.
        neighbour_rows: int64 [n, k], rows of `bank_probabilities`; -1 where there is none.
        similarities: float32 [n, k], cosines of the keys.
        bank_probabilities: float32 [m, C], rows sum to 1: of the bank's segments.
        weight: Share of the neighbours, 0..1; 0 gives `probabilities`.

    Returns:
        float32 [n, C], rows sum to 1. A segment without neighbour keeps its own scores.

    Raises:
        ValueError: The weight is not in 0..1.
    """
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"a weight of {weight} is not in 0..1")
    votes = vote_weights(neighbour_rows, similarities)
    some = (neighbour_rows >= 0).any(1)
    if weight == 0.0 or not some.any():
        return probabilities
    theirs = np.zeros_like(probabilities)
    for column in range(neighbour_rows.shape[1]):  # one neighbour at a time: n x k x C is too much
        rows = np.maximum(neighbour_rows[:, column], 0)
        theirs += votes[:, column, None] * bank_probabilities[rows]
    share = np.where(some, np.float32(weight), np.float32(0.0))[:, None]
    mixed: FloatArray = np.asarray((1.0 - share) * probabilities + share * theirs, np.float32)
    return mixed
