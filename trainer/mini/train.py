"""Train the tower of `mini` as a whole: python -m trainer.mini.train --pairs F... --texts F -o RUN.

The parts were fitted one by one, each on the detector's own maps (`trainer.mini.units`); here each
gets what the parts before it really give, and all learn to end at the detector's maps. Texts of
segments can pull at the tower too. Everything that shapes the run is written beside the checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from trainer.mini.data import Batch, Sample, load_sample, make_batch, shuffled_batches
from trainer.mini.head import pool
from trainer.mini.losses import Vocabulary, make_targets, map_losses, naming_loss
from trainer.mini.model import MiniModel
from trainer.mini.teacher import DetectorTeacher, Teacher
from trainer.mini.tower import HANDED, TowerMaps
from trainer.mini.units import assemble
from trainer.pairs import PairSegment, read_pairs


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a run.

    Names shape the tower where `naming_weight` is above zero.
    """

    steps: int = 4000
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 200
    average: float = 0.998
    zoom: tuple[float, float] = (0.75, 1.6)
    map_weight: float = 0.25
    naming_weight: float = 0.0
    head_width: int = 384
    seed: int = 0


GROUPS = {
    "trunk8": ("stem", *(n for n in HANDED if n.startswith("s8."))),
    "trunk16": tuple(n for n in HANDED if n.startswith("s16.")),
    "trunk32": tuple(n for n in HANDED if n.startswith("s32.")),
    "pyramid": tuple(n for n in HANDED if n[0] in "etlp"),
    "readers": ("h8", "h16", "h32"),
}
"""Losses of the detector's maps as they are reported."""


def load_tower(model: MiniModel, run: Path) -> None:
    """Tower and scales of a run of this module, or of parts that `trainer.mini.units` fitted."""
    if (run / "scales.pt").exists():
        model.load_state_dict(torch.load(run / "scales.pt", weights_only=True), strict=False)
        assemble(model.tower, run)
        return
    state = torch.load(run / "last.pt", weights_only=True)["average"]
    kept = {k: v for k, v in state.items() if not k.startswith("head.")}
    model.load_state_dict(kept, strict=False)


def vocabulary_of(texts_file: Path, segments: Iterable[PairSegment]) -> Vocabulary:
    """Vocabulary of the texts that occur in segments, from an npz of `names` and `vectors`."""
    data = np.load(texts_file)
    known = {str(n): i for i, n in enumerate(data["names"])}
    count: dict[str, float] = {}
    used: set[str] = set()
    for segment in segments:
        if segment.texts:
            count[segment.texts[0]] = count.get(segment.texts[0], 0.0) + 1.0
        used.update(segment.texts, (t for t, _ in segment.soft))
    texts = sorted(used & known.keys())
    row = {t: i for i, t in enumerate(texts)}
    vectors = data["vectors"][[known[t] for t in texts]].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = torch.tensor([row[t] for t in texts if t in count], dtype=torch.long)
    prior = np.array([max(1.0, count.get(t, 1.0)) for t in texts], np.float32)
    return Vocabulary(row, torch.from_numpy(vectors), names, prior)


def load_samples(pairs: Iterable[Path], split: str) -> list[Sample]:
    """Photos of one split, decoded; of a photo in several files the first one counts."""
    samples: dict[str, Sample] = {}
    for path in pairs:
        for image in read_pairs(path):
            if image.split == split and image.id not in samples:
                samples[image.id] = load_sample(image)
    return list(samples.values())


def epoch_of_batches(
    samples: list[Sample], recipe: Recipe, rng: np.random.Generator, teacher: Teacher | None
) -> Iterator[Batch]:
    """Batches of one pass over the photos."""
    for window, rows in shuffled_batches(samples, recipe.batch, rng):
        yield make_batch([samples[i] for i in rows], window, rng, teacher, recipe.zoom)


def prefetched(batches: Iterator[Batch], ahead: int = 3) -> Iterator[Batch]:
    """The same batches, made by a thread while the network works."""
    with ThreadPoolExecutor(1) as pool_of_one:
        waiting = deque(pool_of_one.submit(next, batches, None) for _ in range(ahead))
        while (batch := waiting.popleft().result()) is not None:
            waiting.append(pool_of_one.submit(next, batches, None))
            yield batch


def teaching_losses(
    maps: TowerMaps, given: Mapping[str, Tensor], recipe: Recipe
) -> dict[str, Tensor]:
    """What the maps lack against the detector's: sums over parts, in the recipe's weights."""
    each = map_losses(maps.handed, given)
    return {
        group: recipe.map_weight * torch.stack([each[n] for n in members]).sum()
        for group, members in GROUPS.items()
        if each
    }


def learning_rate_at(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then half a cosine to 2 % of the peak."""
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    share = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1.0 + float(np.cos(np.pi * share))))


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels only."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of weights; statistics of batch norm are averaged alike."""
    for old, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.mul_(decay).add_(new, alpha=1.0 - decay)
        else:
            old.copy_(new)


def train(
    samples: list[Sample],
    vocabulary: Vocabulary,
    recipe: Recipe,
    run: Path,
    teacher: Teacher | None = None,
    start_from: Path | None = None,
    save_every: int = 200,
) -> MiniModel:
    """Train and return the averaged model; checkpoints and `metrics.jsonl` go into `run`.

    A run continues from its own last checkpoint when there is one.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    dim = vocabulary.vectors.shape[1]
    model = MiniModel(recipe.head_width, dim).to(memory_format=torch.channels_last)
    if start_from:
        load_tower(model, start_from)
    elif teacher:
        model.measure(
            b.teacher for b in islice(epoch_of_batches(samples, recipe, rng, teacher), 20)
        )
    average = copy.deepcopy(model).eval()
    optimiser = torch.optim.AdamW(
        decay_groups(model, recipe.weight_decay),
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    run.mkdir(parents=True, exist_ok=True)
    (run / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1))
    step = 0
    last = run / "last.pt"
    if last.exists():
        saved = torch.load(last, weights_only=True)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        step = int(saved["step"])
        rng = np.random.default_rng([recipe.seed, step])
    sums: dict[str, float] = {}
    since = time.monotonic()
    parameters = list(model.parameters())
    while step < recipe.steps:
        for batch in prefetched(epoch_of_batches(samples, recipe, rng, teacher)):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate_at(step, recipe)
            given = model.standardised(batch.teacher)
            maps = model.tower(batch.pixels)
            losses = teaching_losses(maps, given, recipe)
            if recipe.naming_weight > 0 and len(batch.segments):
                targets = make_targets(batch.segments, vocabulary, rng)
                rows = pool(maps.tokens, batch.weights, batch.photo, model.head.stages, cls=False)
                loss = naming_loss(model.head(rows), targets, vocabulary)
                losses["naming"] = recipe.naming_weight * loss
            total = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(total):
                raise RuntimeError(f"the loss is {float(total)} at step {step}; go on from {last}")
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(total)
            nn.utils.clip_grad_norm_(parameters, 3.0)
            optimiser.step()
            step += 1
            update_average(average, model, min(recipe.average, step / (step + 20)))
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if step % 50 == 0:
                elapsed = time.monotonic() - since
                row = {"step": step, "photos_per_second": round(50 * recipe.batch / elapsed, 2)}
                row |= {k: round(v / 50, 4) for k, v in sums.items()}
                with (run / "metrics.jsonl").open("a") as log:
                    log.write(json.dumps(row) + "\n")
                sums, since = {}, time.monotonic()
            if step % save_every == 0 or step == recipe.steps:
                state = {
                    "model": model.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step,
                }
                torch.save(state, last.with_suffix(".partial"))
                last.with_suffix(".partial").replace(last)
            if step >= recipe.steps:
                break
    return average


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--texts", type=Path, required=True, help="npz: names, vectors")
    parser.add_argument("--detector", type=Path, help="folder of the detector teacher (ncnn)")
    parser.add_argument("--start-from", type=Path)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--batch", type=int, default=Recipe().batch)
    parser.add_argument("--learning-rate", type=float, default=Recipe().learning_rate)
    parser.add_argument("--warm-up", type=int, default=Recipe().warm_up)
    parser.add_argument("--map-weight", type=float, default=Recipe().map_weight)
    parser.add_argument("--zoom", type=float, nargs=2, default=Recipe().zoom)
    parser.add_argument("--naming-weight", type=float, default=Recipe().naming_weight)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--run", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    samples = load_samples(options.pairs, "train")
    vocabulary = vocabulary_of(options.texts, (g for s in samples for g in s.segments))
    teacher = DetectorTeacher(options.detector) if options.detector else None
    recipe = Recipe(
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        warm_up=options.warm_up,
        map_weight=options.map_weight,
        naming_weight=options.naming_weight,
        zoom=tuple(options.zoom),
    )
    train(samples, vocabulary, recipe, options.run, teacher, options.start_from)


if __name__ == "__main__":
    main()
