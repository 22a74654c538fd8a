"""Boundary maps to learn from: photos with what people drew, and a loss.

Two kinds of truth: maps of several annotators (BSDS), known at every pixel; and the contours
of labelled masks, known where a label reaches. Between a mask and what nobody labelled there
is a boundary, but what lies inside the unlabelled part is unknown and weighs nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image as PillowImage

from usearch import masks
from usearch.errors import InputError
from usearch.records import FloatArray, Image

if TYPE_CHECKING:
    from torch import Tensor

_COLUMNS = ["id", "source", "jpeg", "width", "height", "regions", "boundary"]
_LEAST_LABELLED = 0.2
"""Photos with a smaller labelled share teach little and are left out."""


@dataclass(frozen=True, slots=True)
class BoundaryPair:
    """A photo and its boundaries, all on the photo's grid.

    Attributes:
        id: Of the photo, as in its Parquet.
        source: Where it comes from.
        image: uint8 [h, w, 3].
        target: float32 [h, w] in 0..1, share of people who see a boundary at the pixel.
        weight: float32 [h, w] in 0..1, 0 where nothing is known.
    """

    id: str
    source: str
    image: Image
    target: FloatArray
    weight: FloatArray


def boundary_pairs(paths: Sequence[Path], sources: Sequence[str] = ()) -> Iterator[BoundaryPair]:
    """Photos with boundaries from training Parquets, in the order of the files.

    Args:
        paths: Parquets with the columns of the training core.
        sources: Only photos of these sources; all when empty.

    Raises:
        InputError: A file cannot be read, lacks a column, or holds a broken photo or mask.
    """
    for path in paths:
        try:
            file = pq.ParquetFile(path)
            for batch in file.iter_batches(batch_size=32, columns=_COLUMNS):
                for row in batch.to_pylist():
                    pair = None if sources and row["source"] not in sources else _pair(row)
                    if pair is not None:
                        yield pair
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{path}: no training photos ({error})") from error


def _pair(row: dict[str, Any]) -> BoundaryPair | None:
    """The pair of one row, or None where it has no boundary to learn from."""
    size = row["height"], row["width"]
    if row["boundary"] is not None:
        shares = np.asarray(PillowImage.open(io.BytesIO(row["boundary"])).convert("L"))
        target: FloatArray = shares.astype(np.float32) / np.float32(255)
        weight: FloatArray = np.ones(size, np.float32)
    else:
        rles = [region["rle"] for region in row["regions"] or [] if region["rle"]]
        if not rles:
            return None
        labelled = [masks.decode(rle.encode("ascii"), size) for rle in rles]
        target, weight = contour_target(labelled)
        if weight.mean() < _LEAST_LABELLED:
            return None
    image = np.asarray(PillowImage.open(io.BytesIO(row["jpeg"])).convert("RGB"))
    if image.shape[:2] != size or target.shape != size:
        raise InputError(f"photo {row['id']}: photo, boundary map and stated size differ")
    return BoundaryPair(row["id"], row["source"], image, target, weight)


def contour_target(labelled: Sequence[masks.Mask]) -> tuple[FloatArray, FloatArray]:
    """Boundaries of at least one mask, bool [h, w] each.

    Returns:
        target: float32 [h, w], 1 on both sides of every contour.
        weight: float32 [h, w], 1 on labelled pixels and on contours, else 0.
    """
    contour = np.zeros(labelled[0].shape, bool)
    known = np.zeros(labelled[0].shape, bool)
    for mask in labelled:
        across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
        contour[:, 1:] |= across
        contour[:, :-1] |= across
        contour[1:] |= down
        contour[:-1] |= down
        known |= mask
    return contour.astype(np.float32), (known | contour).astype(np.float32)


def to_stride(pair: BoundaryPair, stride: int) -> tuple[FloatArray, FloatArray]:
    """Target and weight on a grid `stride` times as coarse: a cell has its strongest boundary.

    Rows and columns that do not fill a cell count as unknown. A cell weighs what its known
    share says, and all where a boundary runs through it.
    """
    height, width = pair.target.shape
    rows, columns = -(-height // stride), -(-width // stride)
    edges = ((0, rows * stride - height), (0, columns * stride - width))
    cells = (rows, stride, columns, stride)
    weight = np.pad(pair.weight, edges).reshape(cells)
    target = np.pad(pair.target * (pair.weight > 0), edges).reshape(cells).max((1, 3))
    return target, np.maximum(weight.mean((1, 3)), (target > 0).astype(np.float32))


def boundary_loss(logits: Tensor, target: Tensor, weight: Tensor, dice: float = 0.5) -> Tensor:
    """Class-balanced cross entropy plus a Dice term, a scalar.

    Boundaries are a few per cent of the pixels: both sides get the same total weight over
    the batch (Xie and Tu, HED, ICCV 2015, eq. 2; soft targets count in both sides). Dice
    keeps lines thin, which cross entropy alone does not (Deng et al., ECCV 2018).

    Args:
        logits: [B, 1, h, w].
        target: [B, 1, h, w] in 0..1.
        weight: [B, 1, h, w], 0 where the target is unknown.
        dice: Share of the Dice term.
    """
    import torch
    from torch.nn import functional as F

    present = (weight * target).sum()
    absent = (weight * (1 - target)).sum()
    total = (present + absent).clamp_min(1e-6)
    # Half of the loss for each side; logits may be half precision, sums are not.
    logits = logits.float()
    entropy = (
        absent / total * (weight * target * F.softplus(-logits)).sum()
        + present / total * (weight * (1 - target) * F.softplus(logits)).sum()
    ) / (2 * present * absent / total).clamp_min(1e-6)
    shape = weight.flatten(1)
    probability = torch.sigmoid(logits).flatten(1)
    truth = target.flatten(1)
    shared = (shape * probability * truth).sum(1)
    both = (shape * (probability.square() + truth.square())).sum(1)
    overlap = 1 - (2 * shared + 1) / (both + 1)
    return entropy + dice * overlap.mean()
