"""Fit the head on kept tokens: python -m trainer.mini.refit RUN --tokens DIR ... -o RUN2.

See `trainer.mini.tokens`. The head is USE's (`trainer.mini.head`), the loss that of the pairs: one
random text of each segment against all plain names.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainer.mini.export import load_run
from trainer.mini.head import StageHead
from trainer.mini.losses import Vocabulary, make_targets, naming_loss
from trainer.mini.train import decay_groups, vocabulary_of
from trainer.pairs import PairSegment, read_pairs


@dataclass(frozen=True, slots=True)
class HeadFit:
    """Settings of a fit."""

    epochs: int = 12
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    rarity: float = 0.5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CachedSegments:
    """Segments with their pooled tokens.

    Attributes:
        rows: float16 [n, inputs of the head].
        segments: The n segments.
    """

    rows: Tensor
    segments: list[PairSegment]

    def chosen(self, keep: Callable[[PairSegment], bool]) -> CachedSegments:
        """The segments that `keep` says."""
        rows = [i for i, s in enumerate(self.segments) if keep(s)]
        return CachedSegments(self.rows[rows], [self.segments[i] for i in rows])


def load_cached(
    folders: Iterable[Path], pairs: Iterable[Path]
) -> tuple[CachedSegments, CachedSegments]:
    """Segments of the photos for training, and of those held out."""
    known: dict[str, tuple[str, tuple[PairSegment, ...]]] = {}
    for path in pairs:
        for image in read_pairs(path):
            known.setdefault(image.id, (image.split, image.segments))
    rows: dict[str, list[Tensor]] = {"train": [], "held": []}
    segments: dict[str, list[PairSegment]] = {"train": [], "held": []}
    for file in sorted(f for folder in folders for f in folder.glob("tokens-*.npz")):
        with np.load(file) as kept:
            splits = np.array([known[p][0] for p in kept["photo"]])
            own = [known[p][1][s] for p, s in zip(kept["photo"], kept["segment"], strict=True)]
            for split, some in rows.items():
                chosen = np.flatnonzero(splits == split)
                some.append(torch.from_numpy(kept["rows"][chosen]))
                segments[split] += [own[i] for i in chosen]
    train, held = (CachedSegments(torch.cat(rows[k]), segments[k]) for k in ("train", "held"))
    return train, held


def standardise_inputs(head: StageHead, rows: Tensor) -> None:
    """Let the head begin with inputs of mean 0 and spread 1: it folds away afterwards."""
    start = 0
    with torch.no_grad():
        for stage in head.stages:
            part = rows[:, start : start + head.token_dims[stage]].float()
            spread = part.std(0).clamp_min(1e-2)
            head.norm_scale[stage].copy_(1.0 / spread)
            head.norm_shift[stage].copy_(-part.mean(0) / spread)
            start += part.shape[1]


def fit_head(
    head: StageHead, cached: CachedSegments, vocabulary: Vocabulary, how: HeadFit
) -> list[float]:
    """Train the head in place; the mean loss of each epoch."""
    torch.manual_seed(how.seed)
    rng = np.random.default_rng(how.seed)
    optimiser = torch.optim.AdamW(decay_groups(head, how.weight_decay), lr=how.learning_rate)
    a_pass = len(cached.segments) // how.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, how.learning_rate, total_steps=max(2, how.epochs * a_pass), pct_start=0.1
    )
    losses: list[float] = []
    for _ in range(how.epochs):
        order = rng.permutation(len(cached.segments))
        total = 0.0
        for start in range(0, a_pass * how.batch, how.batch):
            chosen = order[start : start + how.batch]
            targets = make_targets(
                [cached.segments[i] for i in chosen], vocabulary, rng, rarity=how.rarity
            )
            vectors = head(cached.rows[torch.from_numpy(chosen), : head.inputs].float())
            loss = naming_loss(vectors, targets, vocabulary)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        losses.append(round(total / max(1, a_pass), 4))
    return losses


@torch.no_grad()
def naming_scores(
    head: StageHead, cached: CachedSegments, vocabulary: Vocabulary, names: frozenset[str]
) -> dict[str, float]:
    """Naming of segments among all plain names: top-1, top-5, class mean, in %.

    Args:
        head: The head.
        cached: Segments; those whose plain name is in `names` count.
        vocabulary: Its `names` are the candidates.
        names: Which segments count.
    """
    rows = [
        (i, vocabulary.row[s.texts[0]])
        for i, s in enumerate(cached.segments)
        if s.texts and s.texts[0] in names
    ]
    if not rows:
        return {"segments": 0.0}
    vectors = head(cached.rows[torch.tensor([i for i, _ in rows]), : head.inputs].float())
    truth = torch.tensor([t for _, t in rows])
    scores = vectors @ vocabulary.vectors[vocabulary.names].T
    own = (vectors * vocabulary.vectors[truth]).sum(1, keepdim=True)
    rank = (scores > own + 1e-6).sum(1)
    classes = sorted(set(truth.tolist()))

    def mean(k: int) -> float:
        each = [(rank[truth == c] < k).float().mean() for c in classes]
        return round(100.0 * float(torch.stack(each).mean()), 1)

    return {
        "segments": float(len(rows)),
        "names": float(len(classes)),
        "top1": round(100.0 * float((rank == 0).float().mean()), 1),
        "top5": round(100.0 * float((rank < 5).float().mean()), 1),
        "class_mean": mean(1),
        "class_mean_top5": mean(5),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of trainer.mini.train")
    parser.add_argument("--tokens", type=Path, nargs="+", required=True)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--texts", type=Path, required=True, help="npz: names, vectors")
    parser.add_argument("--hold-out", type=Path, help="names, one a line, to leave out of training")
    parser.add_argument("--cls", action="store_true", help="append the photo's mean tokens (USE)")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--epochs", type=int, default=HeadFit().epochs)
    parser.add_argument("--weight-decay", type=float, default=HeadFit().weight_decay)
    parser.add_argument("--learning-rate", type=float, default=HeadFit().learning_rate)
    parser.add_argument("--rarity", type=float, default=HeadFit().rarity)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the new run")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train, held = load_cached(options.tokens, options.pairs)
    away = frozenset(options.hold_out.read_text().split("\n") if options.hold_out else ()) - {""}
    vocabulary = vocabulary_of(options.texts, [*train.segments, *held.segments])
    plain = frozenset(s.texts[0] for s in train.segments if s.texts) & vocabulary.row.keys()
    seen = train.chosen(lambda s: not away.intersection((*s.texts, *(t for t, _ in s.soft))))
    hidden = torch.tensor([vocabulary.row[t] for t in away & vocabulary.row.keys()])
    known = replace(
        vocabulary, names=vocabulary.names[~torch.isin(vocabulary.names, hidden)]
    )  # a name that is held out is no wrong answer either
    model = load_run(options.run)
    torch.manual_seed(0)
    dim = vocabulary.vectors.shape[1]
    model.head = StageHead(model.head.token_dims, options.width, dim, cls=options.cls)
    standardise_inputs(model.head, seen.rows[:: max(1, len(seen.rows) // 20000)])
    how = HeadFit(
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        rarity=options.rarity,
    )
    losses = fit_head(model.head, seen, known, how)
    report = {
        "segments": len(seen.segments),
        "names": len(plain - away),
        "losses": losses,
        "held-out photos": naming_scores(model.head, held, vocabulary, plain - away),
    }
    if away:
        both = CachedSegments(
            torch.cat([train.rows, held.rows]), [*train.segments, *held.segments]
        ).chosen(lambda s: bool(s.texts) and s.texts[0] in away)
        report["held-out names"] = naming_scores(model.head, both, vocabulary, away)
    print(json.dumps(report))  # noqa: T201
    options.output.mkdir(parents=True, exist_ok=True)
    recipe = json.loads((options.run / "recipe.json").read_text(encoding="utf-8"))
    recipe["head_width"] = options.width
    (options.output / "recipe.json").write_text(json.dumps(recipe, indent=1))
    torch.save({"average": model.state_dict(), "step": 0}, options.output / "last.pt")


if __name__ == "__main__":
    main()
