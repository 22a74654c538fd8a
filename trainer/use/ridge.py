"""The best affine head in closed form: a ridge regression of features to text vectors.

Folded, a USE head is one affine map of a segment's features (`indexer.embedders.head`), so the
map with the least squared distance to the text vectors can be solved for. It says what a model
is worth without any steps of training, and a head can start from it:

    M = argmin sum_i |M (x_i - mean x) - (t_i - mean t)|^2 + lambda |M|^2

Text vectors share a large mean that tells no text from another, and cosines are taken after, so
the mean is left out of the map and of the vectors (the class means of Socher et al. and others
do the same); what remains is scaled to unit length like any head's output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from indexer.embedders.head import LLN, BranchHead, FoldedHead, HeadShape, USEHead
from trainer.use.cache import FeatureCache
from trainer.use.cached import train_parts
from trainer.use.distributed import Processes, gather_objects
from trainer.use.features import SegmentFeatures, join_features
from trainer.use.held_out import MAX_SEGMENTS, held_out_figures
from trainer.use.photos import Collection
from trainer.use.texts import TextBank
from usearch.errors import InputError

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Ridges tried, each times the mean variance of a feature."""


def feature_rows(shape: HeadShape, features: SegmentFeatures) -> Tensor:
    """Features as rows in the order of a folded head's columns, float32 [n, columns]."""
    parts: list[Tensor] = []
    for branch in shape.branches:
        parts += features.pooled[branch.name]
        if branch.cls:
            parts.append(features.cls[branch.name])
    return torch.cat(parts, 1).float()


@dataclass(slots=True)
class Moments:
    """Sums over segments that a ridge needs, float64; independent of the number of segments.

    Attributes:
        n: Segments.
        x: Sum of features [columns].
        t: Sum of targets [D].
        xx: Sum of outer products of features [columns, columns].
        xt: Sum of outer products of features and targets [columns, D].
    """

    n: int
    x: Tensor
    t: Tensor
    xx: Tensor
    xt: Tensor

    @staticmethod
    def empty(columns: int, dim: int) -> Moments:
        """Sums of nothing."""
        zeros = torch.zeros(columns, dtype=torch.float64)
        return Moments(
            0,
            zeros,
            torch.zeros(dim, dtype=torch.float64),
            torch.zeros(columns, columns, dtype=torch.float64),
            torch.zeros(columns, dim, dtype=torch.float64),
        )

    def add(self, rows: Tensor, targets: Tensor) -> None:
        """Take in some segments: features [n, columns] and targets [n, D]."""
        # One row of float64 products loses nothing; float32 would lose the small eigenvalues.
        x, t = rows.double().cpu(), targets.double().cpu()
        self.n += len(x)
        self.x += x.sum(0)
        self.t += t.sum(0)
        self.xx += x.T @ x
        self.xt += x.T @ t


def collect_moments(shape: HeadShape, parts: Iterable[SegmentFeatures], bank: TextBank) -> Moments:
    """Moments over segments, each with the mean of its texts' vectors.

    One text is drawn at random in training, so their mean is what the squared loss sees.

    Args:
        shape: Which features are used.
        parts: The segments.
        bank: Vectors of their texts.
    """
    moments = Moments.empty(shape.columns(), shape.dim)
    for features in parts:
        moments.add(feature_rows(shape, features), mean_texts(features, bank))
    return moments


def mean_texts(features: SegmentFeatures, bank: TextBank) -> Tensor:
    """Mean of the vectors of each segment's texts, float32 [n, D]."""
    rows = [bank.row[text] for own in features.texts for text in own]
    counts = torch.tensor([len(own) for own in features.texts])
    owner = torch.repeat_interleave(torch.arange(len(counts)), counts)
    vectors = bank.vectors(rows)
    sums = vectors.new_zeros(len(counts), vectors.shape[1]).index_add_(0, owner, vectors)
    return sums / counts[:, None]


def solve_ridge(
    shape: HeadShape, moments: Moments, strengths: Sequence[float] = STRENGTHS
) -> list[FoldedHead]:
    """The ridge regression for each strength.

    Args:
        shape: Architecture whose folded form is solved for.
        moments: Sums over the segments to fit.
        strengths: lambda of each, times the mean over the features of their sum of squares.

    Raises:
        InputError: There is no segment, or no feature that varies.
    """
    if moments.n < 2 or not bool(moments.xx.diagonal().any()):
        raise InputError(
            f"a ridge cannot be fitted to {moments.n} segments", "give more pairs to train on"
        )
    n = moments.n
    mean_x, mean_t = moments.x / n, moments.t / n
    xx = moments.xx - n * torch.outer(mean_x, mean_x)
    xt = moments.xt - n * torch.outer(mean_x, mean_t)
    variance = float(xx.diagonal().mean())
    heads: list[FoldedHead] = []
    for strength in strengths:
        ridged = xx.clone()
        ridged.diagonal().add_(strength * variance)
        matrix = torch.cholesky_solve(xt, torch.linalg.cholesky(ridged)).T
        offset = -(matrix @ mean_x)
        heads.append(FoldedHead(shape, matrix.float().contiguous(), offset.float()))
    return heads


def fit_ridge(
    cache: FeatureCache,
    collection: Collection,
    shape: HeadShape,
    bank: TextBank,
    logit_scale: float,
) -> tuple[FoldedHead, Moments]:
    """A ridge regression over all cached views to train on, its strength chosen on a tenth.

    The strength with the lowest loss on one photo in ten, fitted on the others, is used for all;
    held-out photos have no part in it.

    Args:
        cache: Filled from the collection.
        collection: The photos.
        shape: Architecture whose folded form is solved for.
        bank: Vectors of the texts.
        logit_scale: Of the loss that chooses.

    Returns:
        The head, and the moments of everything it was fitted on.
    """
    tenth = range(0, len(collection.train), 10)
    rest = [row for row in range(len(collection.train)) if row % 10]
    moments = collect_moments(shape, train_parts(cache, collection, rest), bank)
    judged = list(train_parts(cache, collection, tenth))
    best = 0
    if judged and rest:
        seen = join_features(judged)
        seen = seen.take(range(min(len(seen), MAX_SEGMENTS)))
        losses = [
            held_out_figures(head, seen, bank, logit_scale)["loss"]
            for head in solve_ridge(shape, moments)
        ]
        best = losses.index(min(losses))
    for part in judged:
        moments.add(feature_rows(shape, part), mean_texts(part, bank))
    (head,) = solve_ridge(shape, moments, STRENGTHS[best : best + 1])
    return head, moments


@torch.no_grad()
def start_from(head: USEHead, folded: FoldedHead, moments: Moments) -> None:
    """Give a head the parameters of a folded one, as far as its width allows.

    A branch's LLNs meet in `out` channels. Where these are fewer than the rank of the branch's
    part of the matrix, the directions that carry most of its output over `moments` are kept
    (reduced-rank regression); where they are more, the rest keeps its random start and adds
    nothing yet.

    Args:
        head: Takes the parameters; of the shape of `folded`.
        folded: What it computes afterwards.
        moments: Over the segments to fit.
    """
    mean = moments.x / moments.n
    xx = moments.xx / moments.n - torch.outer(mean, mean)
    offset = folded.offset.double()
    start = column = 0
    for branch in head.shape.branches:
        part = head.branches[branch.name]
        assert isinstance(part, BranchHead)
        blocks, cls = folded.parts(branch.name)
        matrix = torch.cat(blocks, 1).double()
        end = column + matrix.shape[1]
        # Its output's covariance: its largest eigenvectors are the directions to keep.
        spread = matrix @ xx[column:end, column:end] @ matrix.T
        rank = min(branch.out, head.shape.dim)
        basis = torch.linalg.eigh(spread).eigenvectors.flip(1)[:, :rank]
        inner = (basis.T @ matrix).split(branch.widths, 1)
        # What is cut off keeps its mean: the offset was made for the whole matrix.
        offset = offset + (matrix - basis @ (basis.T @ matrix)) @ mean[column:end]
        head.linear.weight[:, start : start + rank] = basis.float()
        for block, scale, own in zip(part.blocks, part.scales, inner, strict=True):
            assert isinstance(block, LLN)
            block.norm.weight.fill_(1.0)
            block.norm.bias.zero_()
            block.linear.weight.zero_()
            block.linear.weight[:rank] = (own / scale.double()).float()
            block.linear.bias.zero_()
        start += branch.out
        column = end
        if cls is not None:
            head.linear.weight[:, start : start + branch.cls] = cls
            start += branch.cls
            column += branch.cls
    head.linear.bias.copy_(offset)


def warm_start(
    head: USEHead,
    cache: FeatureCache,
    collection: Collection,
    bank: TextBank,
    logit_scale: float,
    processes: Processes,
) -> None:
    """Let a head begin as the ridge regression, the same one in all processes."""
    if processes.first:
        ridge, moments = fit_ridge(cache, collection, head.shape, bank, logit_scale)
        start_from(head, ridge, moments)
    head.load_state_dict(gather_objects(head.state_dict(), processes)[0])
