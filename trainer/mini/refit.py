"""Fit the head again on pooled tokens kept from one pass: python -m trainer.mini.refit RUN ...

Only pooled normalised tokens enter the head, so a frozen tower needs to look at each photo
once; after that an epoch over all segments takes seconds. The cached photos are seen whole,
at the sizes that the runtime uses, which the windows of training are not.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

from indexer.embedders.mini import input_size
from trainer.mini.data import STRIDES, Sample, overlap
from trainer.mini.export import load_run
from trainer.mini.head import StageHead, pool
from trainer.mini.losses import Vocabulary, make_targets, naming_loss
from trainer.mini.tower import MiniTower
from trainer.mini.train import decay_groups, load_samples, load_vocabulary
from trainer.pairs import PairSegment


@dataclass(frozen=True, slots=True)
class CachedSegments:
    """Segments with their pooled tokens.

    Attributes:
        rows: float32 [n, inputs of the head].
        segments: The n segments.
    """

    rows: Tensor
    segments: list[PairSegment]


def area_weights(sample: Sample, size: tuple[int, int]) -> dict[str, Tensor]:
    """Pooling weights of all segments of a photo seen whole, by stage."""
    cover = sample.cover.astype(np.float32)
    out = {}
    for stage, stride in STRIDES.items():
        rows = overlap(size[0] // stride, cover.shape[1], 0.0, 1.0)
        columns = overlap(size[1] // stride, cover.shape[2], 0.0, 1.0)
        area = np.einsum("yh,nhw,xw->nyx", rows, cover, columns, optimize=True)
        area /= np.maximum(area.sum((1, 2), keepdims=True), 1e-6)
        out[stage] = torch.from_numpy(area.astype(np.float32))
    return out


@torch.no_grad()
def cache_segments(
    tower: MiniTower, head: StageHead, samples: list[Sample], side: int, flip: bool
) -> CachedSegments:
    """Pooled tokens of every labelled segment.

    Args:
        tower: In evaluation mode.
        head: For the order of its stages.
        samples: Decoded photos.
        side: Longest side at which the tower sees a photo.
        flip: Mirror every other photo.
    """
    rows: list[Tensor] = []
    segments: list[PairSegment] = []
    for i, sample in enumerate(samples):
        if not sample.segments:
            continue
        size = input_size(sample.pixels.shape[0], sample.pixels.shape[1], side)
        small = PillowImage.fromarray(sample.pixels).resize(
            (size[1], size[0]), PillowImage.Resampling.BILINEAR
        )
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float()
        weights = area_weights(sample, size)
        if flip and i % 2:
            pixels = pixels.flip(3)
            weights = {k: w.flip(2) for k, w in weights.items()}
        maps = tower(pixels.contiguous(memory_format=torch.channels_last)).tokens
        photo = torch.zeros(len(sample.segments), dtype=torch.long)
        rows.append(pool(maps, weights, photo, head.stages))
        segments += sample.segments
    return CachedSegments(torch.cat(rows), segments)


def fit_head(
    head: StageHead,
    cached: CachedSegments,
    vocabulary: Vocabulary,
    *,
    epochs: int,
    rarity: float,
    learning_rate: float = 1e-3,
    batch: int = 512,
    seed: int = 0,
) -> None:
    """Train the head in place on cached segments."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(decay_groups(head, 0.02), lr=learning_rate)
    steps = epochs * (len(cached.segments) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=max(2, steps), pct_start=0.1
    )
    for _ in range(epochs):
        order = rng.permutation(len(cached.segments))
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            targets = make_targets(
                [cached.segments[i] for i in chosen], vocabulary, rng, rarity=rarity
            )
            vectors = head(cached.rows[torch.from_numpy(chosen)])
            loss = naming_loss(vectors, targets, vocabulary)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()


@torch.no_grad()
def held_out_scores(
    head: StageHead, cached: CachedSegments, vocabulary: Vocabulary
) -> dict[str, float]:
    """Naming of held-out training segments among all plain names: top-1, top-5, class mean."""
    rows = [
        (i, vocabulary.row[s.texts[0]])
        for i, s in enumerate(cached.segments)
        if s.texts and s.texts[0] in vocabulary.row
    ]
    vectors = head(cached.rows[torch.tensor([i for i, _ in rows])])
    truth = torch.tensor([t for _, t in rows])
    scores = vectors @ vocabulary.vectors[vocabulary.names].T
    own = (vectors * vocabulary.vectors[truth]).sum(1, keepdim=True)
    rank = (scores > own + 1e-6).sum(1)
    classes = sorted(set(truth.tolist()))
    per_class = [(rank[truth == c] == 0).float().mean() for c in classes]
    return {
        "n": float(len(rows)),
        "top1": float((rank == 0).float().mean()),
        "top5": float((rank < 5).float().mean()),
        "class_mean": float(torch.stack(per_class).mean()),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of trainer.mini.train")
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--sides", type=int, nargs="+", default=[288, 416])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rarity", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the new run")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_run(options.run)
    parts: dict[str, list[CachedSegments]] = {"train": [], "held": []}
    samples = {split: load_samples(options.pairs, split) for split in parts}
    vocabulary = load_vocabulary(options.texts, samples["train"])
    for split, some in samples.items():
        for side in options.sides:
            parts[split].append(
                cache_segments(model.tower, model.head, some, side, flip=split == "train")
            )
    joined = {
        k: CachedSegments(torch.cat([p.rows for p in v]), [s for p in v for s in p.segments])
        for k, v in parts.items()
    }
    print(json.dumps({"before": held_out_scores(model.head, joined["held"], vocabulary)}))  # noqa: T201
    fit_head(model.head, joined["train"], vocabulary, epochs=options.epochs, rarity=options.rarity)
    print(json.dumps({"after": held_out_scores(model.head, joined["held"], vocabulary)}))  # noqa: T201
    options.output.mkdir(parents=True, exist_ok=True)
    recipe = json.loads((options.run / "recipe.json").read_text(encoding="utf-8"))
    (options.output / "recipe.json").write_text(json.dumps(recipe, indent=1))
    torch.save({"average": model.state_dict(), "step": 0}, options.output / "last.pt")


if __name__ == "__main__":
    main()
