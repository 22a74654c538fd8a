"""The symmetric contrastive loss over the segments of a batch (USE, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def segment_text_loss(
    vectors: Tensor,
    text_vectors: Tensor,
    logit_scale: Tensor | float,
    same: Tensor | None = None,
    negatives: Tensor | None = None,
    true_negatives: Tensor | None = None,
) -> Tensor:
    """Mean of segment-to-text and text-to-segment cross entropy; text i belongs to segment i.

    Args:
        vectors: float32 [k, D], unit length, all segments of the batch.
        text_vectors: float32 [k, D], unit length, one text a segment.
        logit_scale: Multiplier of the cosines; the paper's 30.
        same: bool [k, k]; where set, text j is also true of segment i, and the pair is left
            out of the denominators. The diagonal is ignored: a pair is always its own positive.
        negatives: float32 [m, D], unit length, further texts that compete for the segments.
        true_negatives: bool [k, m]; where not set, a further text is left out for that segment.

    Returns:
        The loss, a scalar.
    """
    logits = logit_scale * vectors @ text_vectors.T
    targets = torch.arange(len(vectors), device=vectors.device)
    if same is not None:
        own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        logits = logits.masked_fill(same & ~own, -torch.inf)
    to_text = logits
    if negatives is not None:
        further = logit_scale * vectors @ negatives.T
        if true_negatives is not None:
            further = further.masked_fill(~true_negatives, -torch.inf)
        to_text = torch.cat([logits, further], dim=1)
    return (
        functional.cross_entropy(to_text, targets) + functional.cross_entropy(logits.T, targets)
    ) / 2
