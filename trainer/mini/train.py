"""Train the image side of `mini`: python -m trainer.mini.train --pairs F... --texts F -o RUN.

The tower learns from the image teachers' maps (dense, at every unit, from the first step) and
from the texts of segments through the text encoder's vectors. At first most units start from
the detector's map in place of the unit before them, so that all learn at once; the share of
that falls to nothing. Everything that shapes the run is written beside the checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from trainer.mini.data import Batch, Sample, load_sample, make_batch, shuffled_batches
from trainer.mini.head import StageHead, pool
from trainer.mini.losses import Vocabulary, make_targets, map_losses, naming_loss
from trainer.mini.teacher import DetectorTeacher, MapTeacher
from trainer.mini.tower import AUX, HANDED, PYRAMID, STEM, TOKENS, TRUNK, MiniTower, TowerMaps
from trainer.pairs import read_pairs
from usearch.records import FloatArray, Image


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a run.

    `forced_start` is the share of units that start from the teacher's map at the first step;
    it falls to nothing over the first `forced_share` of the steps. `enlarge` is added to both
    sides of a window, in pixels, a multiple of 32. `apart` keeps the gradient of names out of
    all that the detector teaches.
    """

    steps: int = 4000
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 200
    average: float = 0.998
    enlarge: int = 0
    zoom: tuple[float, float] = (0.75, 2.0)
    map_weight: float = 0.25
    aux_weight: float = 0.3
    forced_start: float = 1.0
    forced_share: float = 0.4
    naming_weight: float = 0.3
    apart: bool = False
    head_width: int = 384
    seed: int = 0


GROUPS = {
    "trunk8": ("stem", *(n for n in HANDED if n.startswith("s8."))),
    "trunk16": tuple(n for n in HANDED if n.startswith("s16.")),
    "trunk32": tuple(n for n in HANDED if n.startswith("s32.")),
    "pyramid": ("t16", "p8", "p16", "p32"),
    "readers": ("h8", "h16", "h32"),
}
"""Losses of the detector's maps as they are reported."""

Teacher = Callable[[Image], dict[str, FloatArray]]


class MiniModel(nn.Module):
    """Tower and head.

    The teachers' maps are brought to unit spread by the numbers kept here. The detector's are
    only scaled: the tower's units live in those units, and a positive scale passes through
    their activation. The second teacher's lose their mean as well.
    """

    def __init__(self, head_width: int, dim: int) -> None:
        super().__init__()
        self.tower = MiniTower()
        self.head = StageHead(TOKENS, head_width, dim)
        for name, channels in (_channels() | AUX).items():
            self.register_buffer(_buffer("mean", name), torch.zeros(channels))
            self.register_buffer(_buffer("scale", name), torch.ones(channels))

    def standardised(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The teachers' maps [B, C, h, w] in the units of the tower's."""
        return {
            name: (m - self.get_buffer(_buffer("mean", name)).view(1, -1, 1, 1))
            * self.get_buffer(_buffer("scale", name)).view(1, -1, 1, 1)
            for name, m in maps.items()
        }

    @torch.no_grad()
    def measure(self, batches: Iterable[Batch], only_new: bool = False) -> None:
        """Set mean and scale from the teachers' maps of some batches.

        Each unit starts with the mean of its map: the means are several times the spread, and
        small steps would take long to get there. With `only_new`, maps that were measured
        before keep their numbers.
        """
        sums: dict[str, Tensor] = {}
        count: dict[str, int] = {}
        for batch in batches:
            for name, m in batch.teacher.items():
                flat = m.double().transpose(0, 1).flatten(1)
                both = torch.stack([flat.sum(1), flat.square().sum(1)])
                sums[name] = sums[name] + both if name in sums else both
                count[name] = count.get(name, 0) + flat.shape[1]
        for name, (first, square) in sums.items():
            if only_new and not bool((self.get_buffer(_buffer("scale", name)) == 1.0).all()):
                continue
            mean = first / count[name]
            spread = (square / count[name] - mean**2).clamp_min(0.0).sqrt()
            self.get_buffer(_buffer("scale", name)).copy_(1.0 / spread.clamp_min(1e-3))
            if name in AUX:
                self.get_buffer(_buffer("mean", name)).copy_(mean)
            else:
                self.tower.start_at(name, (mean / spread.clamp_min(1e-3)).float())
        if "stem" in sums and not only_new:
            target = self.standardised(batch.teacher)["stem"].mean((0, 2, 3))
            for _ in range(10):
                self.tower.start_at("stem", target, batch.pixels)


def _buffer(kind: str, name: str) -> str:
    return f"{kind}_{name.replace('.', '_')}"


def _channels() -> dict[str, int]:
    """Channels of each map that the tower hands on."""
    widths = {stage: width for stage, width, _ in TRUNK} | {"stem": STEM}
    return {name: widths.get(name.split(".")[0], PYRAMID) for name in HANDED}


def load_vocabulary(texts_file: Path, samples: list[Sample]) -> Vocabulary:
    """Vocabulary of the texts that occur, from an npz of `names` and `vectors`."""
    data = np.load(texts_file)
    known = {str(n): i for i, n in enumerate(data["names"])}
    count: dict[str, float] = {}
    for sample in samples:
        for segment in sample.segments:
            if segment.texts:
                count[segment.texts[0]] = count.get(segment.texts[0], 0.0) + 1.0
    used = {t for s in samples for g in s.segments for t in g.texts}
    used |= {t for s in samples for g in s.segments for t, _ in g.soft}
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
        size = window[0] + recipe.enlarge, window[1] + recipe.enlarge
        yield make_batch([samples[i] for i in rows], size, rng, teacher, recipe.zoom)


def joined_teacher(teachers: list[Teacher]) -> Teacher:
    """The maps of several teachers as those of one."""

    def maps(pixels: Image) -> dict[str, FloatArray]:
        return {name: m for teacher in teachers for name, m in teacher(pixels).items()}

    return maps


def prefetched(batches: Iterator[Batch], ahead: int = 3) -> Iterator[Batch]:
    """The same batches, made by a thread while the network works."""
    with ThreadPoolExecutor(1) as pool_of_one:
        waiting = deque(pool_of_one.submit(next, batches, None) for _ in range(ahead))
        while (batch := waiting.popleft().result()) is not None:
            waiting.append(pool_of_one.submit(next, batches, None))
            yield batch


def forward(
    model: MiniModel, pixels: Tensor, given: Mapping[str, Tensor], share: float, apart: bool
) -> TowerMaps:
    """The tower's maps; with the probability `share` a unit starts from the detector's map."""
    if share <= 0.0 or HANDED[0] not in given:
        out: TowerMaps = model.tower(pixels, apart=apart)
        return out
    forced = {name: torch.rand(len(pixels)) < share for name in HANDED}
    out = model.tower(pixels, given, forced, apart)
    return out


def teaching_losses(
    model: MiniModel, maps: TowerMaps, given: Mapping[str, Tensor], recipe: Recipe
) -> dict[str, Tensor]:
    """What the maps lack against the teachers': sums over units, in the recipe's weights."""
    losses: dict[str, Tensor] = {}
    detector = map_losses(maps.handed, {k: v for k, v in given.items() if k in maps.handed})
    for group, members in GROUPS.items():
        found = [detector[k] for k in members if k in detector]
        if found:
            losses[group] = recipe.map_weight * torch.stack(found).sum()
    second = {k: v for k, v in given.items() if k in AUX}
    if second:
        errors = map_losses(model.tower.second(maps), second)
        losses |= {k: recipe.aux_weight * v for k, v in errors.items()}
    return losses


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
    state = torch.load(start_from, weights_only=True)["average"] if start_from else None
    if state:
        model.load_state_dict(state)
    if teacher:
        model.measure(
            islice(epoch_of_batches(samples, recipe, rng, teacher), 20), only_new=state is not None
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
    log = (run / "metrics.jsonl").open("a")
    sums: dict[str, float] = {}
    since = time.monotonic()
    parameters = list(model.parameters())
    while step < recipe.steps:
        for batch in prefetched(epoch_of_batches(samples, recipe, rng, teacher)):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate_at(step, recipe)
            given = model.standardised(batch.teacher)
            passed = step / max(1.0, recipe.forced_share * recipe.steps)
            share = recipe.forced_start * max(0.0, 1.0 - passed)
            maps = forward(model, batch.pixels, given, share, recipe.apart)
            losses = teaching_losses(model, maps, given, recipe)
            if len(batch.segments):
                targets = make_targets(batch.segments, vocabulary, rng)
                rows = pool(maps.tokens, batch.weights, batch.photo, model.head.stages)
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
                log.write(json.dumps(row) + "\n")
                log.flush()
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
    parser.add_argument("--teacher", type=Path, help=".tflite of the second image teacher")
    parser.add_argument("--start-from", type=Path)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--batch", type=int, default=Recipe().batch)
    parser.add_argument("--learning-rate", type=float, default=Recipe().learning_rate)
    parser.add_argument("--warm-up", type=int, default=Recipe().warm_up)
    parser.add_argument("--map-weight", type=float, default=Recipe().map_weight)
    parser.add_argument("--forced-start", type=float, default=Recipe().forced_start)
    parser.add_argument("--forced-share", type=float, default=Recipe().forced_share)
    parser.add_argument("--aux-weight", type=float, default=Recipe().aux_weight)
    parser.add_argument("--enlarge", type=int, default=Recipe().enlarge)
    parser.add_argument("--zoom", type=float, nargs=2, default=Recipe().zoom)
    parser.add_argument("--apart", action="store_true", help="names do not shape the tower")
    parser.add_argument("--naming-weight", type=float, default=Recipe().naming_weight)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--run", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    samples = load_samples(options.pairs, "train")
    vocabulary = load_vocabulary(options.texts, samples)
    teachers: list[Teacher] = []
    if options.detector:
        teachers.append(DetectorTeacher(options.detector))
    if options.teacher:
        teachers.append(MapTeacher(options.teacher))
    recipe = Recipe(
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        warm_up=options.warm_up,
        map_weight=options.map_weight,
        naming_weight=options.naming_weight,
        forced_start=options.forced_start,
        forced_share=options.forced_share,
        aux_weight=options.aux_weight,
        enlarge=options.enlarge,
        zoom=tuple(options.zoom),
        apart=options.apart,
    )
    joined = joined_teacher(teachers) if teachers else None
    train(samples, vocabulary, recipe, options.run, joined, options.start_from)


if __name__ == "__main__":
    main()
