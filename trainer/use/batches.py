"""Which photos make a step, which text each segment gets, and which pairs are no negatives.

All of it is a function of the seed and of the step, photo and segment alone: no generator runs
along, so a resumed run, and a run on several processes, draw what one whole run draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainer.use.features import SegmentFeatures
from trainer.use.photos import epoch_order
from trainer.use.recipe import Recipe
from trainer.use.texts import TextBank
from usearch.errors import InputError
from usearch.records import IntArray

POOL = 4096
"""Texts among which a step looks for hard negatives."""

SAME_MEANING = 0.9
"""Texts with a greater cosine are no negatives of each other."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps a run has.

    Attributes:
        batch: Photos a step; never more than there are.
        per_epoch: Steps an epoch. The photos that do not fill a last batch sit out; which ones
            they are changes with every epoch.
        total: Steps of the run.
    """

    batch: int
    per_epoch: int
    total: int


def plan_of(photos: int, recipe: Recipe) -> Plan:
    """The plan for a number of photos to train on."""
    batch = min(recipe.batch, photos)
    per_epoch = photos // batch
    return Plan(batch, per_epoch, recipe.steps or max(1, round(recipe.epochs * per_epoch)))


@dataclass(frozen=True, slots=True)
class StepPhotos:
    """The photos of one step.

    Attributes:
        step: From 0.
        epoch: From 0; also the number of the view that is made of each photo.
        rows: int32 [batch], rows of `Collection.train`.
    """

    step: int
    epoch: int
    rows: IntArray


def steps_of(places: IntArray, recipe: Recipe, plan: Plan, start: int = 0) -> Iterator[StepPhotos]:
    """The photos of each step from `start` on."""
    ordered = (-1, np.zeros(0, np.int32))
    for step in range(start, plan.total):
        epoch, place = divmod(step, plan.per_epoch)
        if ordered[0] != epoch:
            ordered = epoch, epoch_order(places, recipe.seed, epoch)
        yield StepPhotos(step, epoch, ordered[1][place * plan.batch : (place + 1) * plan.batch])


def draw_texts(features: SegmentFeatures, epoch: int, recipe: Recipe, bank: TextBank) -> list[int]:
    """One text for each segment, as rows of the bank.

    Raises:
        InputError: A segment has a text that was not there when the run began.
    """
    drawn: list[int] = []
    for photo, row, texts in zip(features.photos, features.rows, features.texts, strict=True):
        try:
            rows = [bank.row[text] for text in texts]
        except KeyError as error:
            raise InputError(
                f"photo {photo}, segments[{row}].texts: {error.args[0]!r} was not there when the "
                "pairs were looked through",
                "the pairs changed while the run went on: begin a new one",
            ) from error
        share = _uniform(recipe.seed, epoch, photo, row)
        if recipe.rarity > 0:
            weights = np.cumsum(bank.counts[rows] ** -recipe.rarity)
            drawn.append(rows[int(np.searchsorted(weights, share * weights[-1], side="right"))])
        else:
            drawn.append(rows[int(share * len(rows))])
    return drawn


def _uniform(seed: int, epoch: int, photo: str, row: int) -> float:
    """A number in [0, 1) that belongs to a segment in an epoch."""
    key = f"{seed}\0{epoch}\0{row}\0{photo}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def equal_texts(texts: Sequence[Sequence[str]], drawn: Sequence[int], bank: TextBank) -> Tensor:
    """Whether the text drawn for segment j is true of segment i, bool [k, k]."""
    columns: dict[int, list[int]] = {}
    for j, row in enumerate(drawn):
        columns.setdefault(row, []).append(j)
    same = torch.zeros(len(texts), len(drawn), dtype=torch.bool)
    for i, own in enumerate(texts):
        for text in own:
            same[i, columns.get(bank.row[text], [])] = True
    return same


def hard_negatives(
    texts: Sequence[Sequence[str]],
    drawn: Sequence[int],
    step: int,
    recipe: Recipe,
    bank: TextBank,
    device: str | torch.device = "cpu",
) -> tuple[Tensor, Tensor]:
    """Texts from elsewhere that are near those of the batch, yet do not mean the same.

    For each drawn text the nearest ones of a random part of all texts are taken; those of all
    segments together compete for each segment, but for its own texts and their like.

    Returns:
        Vectors float32 [m, D], and bool [k, m]: where a text is a negative of a segment.
    """
    rng = np.random.default_rng([recipe.seed, step])
    everything = len(bank.texts)
    pool = rng.choice(everything, min(POOL, everything), replace=False)
    near = bank.vectors(drawn, device) @ bank.vectors(pool.tolist(), device).T
    allowed = near < SAME_MEANING
    place = {int(row): column for column, row in enumerate(pool)}
    for i, own in enumerate(texts):
        for text in own:
            column = place.get(bank.row[text])
            if column is not None:
                allowed[i, column] = False
    count = min(recipe.hard_negatives, len(pool))
    nearest = near.masked_fill(~allowed, -torch.inf).topk(count, dim=1).indices
    columns = torch.unique(nearest)
    return bank.vectors(pool[columns.cpu().numpy()].tolist(), device), allowed[:, columns]
