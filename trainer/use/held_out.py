"""Figures on held-out photos while a head is trained: does it find and name what it never saw?"""

from __future__ import annotations

import torch
from torch import Tensor

from indexer.embedders.head import FoldedHead, USEHead
from trainer.use.batches import equal_texts
from trainer.use.features import SegmentFeatures, segment_vectors
from trainer.use.loss import segment_text_loss
from trainer.use.texts import TextBank

MAX_SEGMENTS = 2000
"""Held-out segments that are kept in memory, 123 kB each with the paper's backbones."""

_NEAREST = (1, 10)


@torch.no_grad()
def held_out_figures(
    head: USEHead | FoldedHead, features: SegmentFeatures, bank: TextBank, logit_scale: float
) -> dict[str, float]:
    """Loss, naming and retrieval of held-out segments.

    Args:
        head: The head as it is.
        features: Of the held-out segments, whole photos; at least one segment.
        bank: Has their texts.
        logit_scale: Multiplier of the cosine.

    Returns:
        "loss": of each segment's first text against the others', equal texts left out.
        "naming": share of segments whose nearest text among all first texts is true of them.
        "recall@1", "recall@10": share of first texts with a segment they are true of among the
        nearest 1 and 10. "segments" and "texts": how many.
    """
    vectors = segment_vectors(head, features)
    firsts = [bank.row[own[0]] for own in features.texts]
    names = sorted(set(firsts))
    true_of = equal_texts(features.texts, names, bank).to(vectors.device)
    text_vectors = bank.vectors(names, vectors.device)
    cosines = vectors @ text_vectors.T
    figures = {
        "loss": float(_loss(vectors, features, firsts, bank, logit_scale)),
        "naming": float(true_of.gather(1, cosines.argmax(1, keepdim=True)).float().mean()),
    }
    for k in _NEAREST:
        nearest = cosines.topk(min(k, len(vectors)), dim=0).indices
        found = true_of.gather(0, nearest).any(0)
        figures[f"recall@{k}"] = float(found.float().mean())
    return {**figures, "segments": len(features), "texts": len(names)}


def _loss(
    vectors: Tensor,
    features: SegmentFeatures,
    firsts: list[int],
    bank: TextBank,
    logit_scale: float,
) -> Tensor:
    same = equal_texts(features.texts, firsts, bank).to(vectors.device)
    return segment_text_loss(vectors, bank.vectors(firsts, vectors.device), logit_scale, same)
