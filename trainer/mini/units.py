"""Fit the parts of the tower one by one: python -m trainer.mini.units --pairs F... -o RUN.

Each part gets the detector's maps before it and has to give the one behind it. That is a small
regression with as many examples as windows have cells, so it can be driven much further than the
same part can be inside the whole tower: the maps are kept in memory, a step touches one part
only, and the learning rate is ten times what the whole tower bears. Parts are independent:
`--groups` fits some of them, and several processes can share a run. When all are there, the
tower they make is written as a run that `trainer.mini.train` and `trainer.mini.export` read.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from trainer.mini.data import Sample, make_batch
from trainer.mini.model import MiniModel
from trainer.mini.teacher import DetectorTeacher, Teacher
from trainer.mini.tower import HANDED, SOURCES, UNITS, MiniTower, Stem
from trainer.pairs import read_pairs

WINDOW = 288, 288
ZOOM = 0.75, 1.6
TEST_SHARE = 1 / 16
CELLS = 4000
"""Cells of a part's map that a step looks at, more or less."""

GROUPS: dict[str, tuple[int, tuple[str, ...]]] = {
    "s8": (300, ("stem", *(u for u in UNITS if u.startswith("s8.")))),
    "s16": (1200, tuple(u for u in UNITS if u.startswith("s16."))),
    "s32": (3300, tuple(u for u in UNITS if u.startswith("s32."))),
    "pyramid": (700, tuple(n for n in SOURCES if n not in ("stem", *UNITS))),
}
"""Parts whose maps are kept together, and the number of windows that gives each enough cells."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a part is fitted. `candidates` stems are fitted side by side, channel by channel."""

    steps: int = 1500
    learning_rate: float = 0.02
    candidates: int = 4
    seed: int = 0


class Part(Protocol):
    """A part of the tower that can begin with the mean of its map."""

    def start_at(self, mean: Tensor) -> None:
        """Begin with the given mean [C] of each channel."""


def teacher_maps(
    model: MiniModel | None,
    samples: list[Sample],
    teacher: Teacher,
    names: Iterable[str],
    count: int,
    seed: int,
) -> dict[str, Tensor]:
    """Maps of random windows, float16 [count, C, h, w] by name, scaled as in `model`.

    "pixels" are the windows themselves.
    """
    rng = np.random.default_rng(seed)
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    for _ in range(-(-count // 8)):
        rows = rng.integers(0, len(samples), 8)
        batch = make_batch([samples[i] for i in rows], WINDOW, rng, teacher, ZOOM)
        maps = model.standardised(batch.teacher) if model else batch.teacher
        for name, some in kept.items():
            some.append((batch.pixels if name == "pixels" else maps[name]).half())
    return {
        name: torch.cat(some).contiguous(memory_format=torch.channels_last)
        for name, some in kept.items()
    }


def computed_channels(name: str) -> slice:
    """The channels that a part computes; those between go through a unit as they are."""
    through = name in UNITS and not name.endswith(".0")
    return slice(1, None, 2) if through else slice(None)


def fit_part(name: str, part: nn.Module, inputs: list[Tensor], target: Tensor, how: Fit) -> float:
    """Fit one part in place.

    Args:
        name: Name of its map (`HANDED`).
        part: The module, new or already fitted.
        inputs: The maps it starts from, [n, C, h, w].
        target: The map it has to give, [n, C, h, w].
        how: Steps and learning rate.

    Returns:
        The share of the target's variance that it explains on windows that it was not fitted on.
    """
    torch.manual_seed(how.seed)
    n = len(target) - max(8, round(len(target) * TEST_SHARE))
    channels = computed_channels(name)
    batch = min(40, max(4, CELLS // (target.shape[2] * target.shape[3])))
    optimiser = torch.optim.AdamW(
        part.parameters(), lr=how.learning_rate, betas=(0.9, 0.98), weight_decay=0.0
    )
    part.train()
    for step in range(how.steps):
        cosine = 0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * step / how.steps)))
        for group in optimiser.param_groups:
            group["lr"] = how.learning_rate * cosine * min(1.0, (step + 1) / 20)
        rows = torch.randint(0, n, (batch,))
        out = part(*(x[rows].float() for x in inputs))
        loss = (out - target[rows].float())[:, channels].square().mean()
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
    part.eval()
    return explained(part, [x[n:] for x in inputs], target[n:], channels)


@torch.no_grad()
def explained(
    part: nn.Module, inputs: list[Tensor], target: Tensor, channels: slice = slice(None)
) -> float:
    """Share of the variance of `target` that a part explains."""
    errors = [
        (part(*(x[i : i + 8].float() for x in inputs)) - target[i : i + 8].float())[:, channels]
        .square()
        .mean((2, 3))
        for i in range(0, len(target), 8)
    ]
    spread = target.float()[:, channels].var((0, 2, 3)).mean()
    return float(1.0 - torch.cat(errors).mean() / spread)


def fit_stem(tower: MiniTower, pixels: Tensor, target: Tensor, how: Fit) -> float:
    """Fit the stem: several candidates for each channel, of which the best stays.

    One convolution of 27 numbers a channel ends in a bad place now and then, and everything
    behind it pays for that.
    """
    best: dict[str, Tensor] = {}
    least = torch.full((target.shape[1],), torch.inf)
    n = len(target) - max(8, round(len(target) * TEST_SHARE))
    for seed in range(how.candidates):
        torch.manual_seed(how.seed + seed)
        stem = Stem()
        stem.approach(target[:8].float().mean((0, 2, 3)), pixels[:8].float())
        fit_part("stem", stem, [pixels], target, Fit(how.steps, how.learning_rate, seed=seed))
        with torch.no_grad():
            error = (stem(pixels[n:].float()) - target[n:].float()).square().mean((0, 2, 3))
        better = error < least
        least = torch.where(better, error, least)
        for key, value in stem.state_dict().items():
            if value.ndim == 0:
                best[key] = value
                continue
            shape = (-1, *([1] * (value.ndim - 1)))
            best[key] = torch.where(better.view(shape), value, best.get(key, value))
    tower.part("stem").load_state_dict(best)
    tower.part("stem").eval()
    return explained(tower.part("stem"), [pixels[n:]], target[n:])


def load_windows(pairs: Iterable[Path], count: int, seed: int = 0) -> list[Sample]:
    """Training photos without their segments, `count` of them at random."""
    found = {i.id: i for path in pairs for i in read_pairs(path) if i.split == "train"}
    chosen = np.random.default_rng(seed).permutation(sorted(found))[:count]
    none = np.zeros((0, 1, 1), np.uint8)
    return [Sample(found[k].pixels(), (), none) for k in chosen]


def fit_group(
    model: MiniModel, group: str, samples: list[Sample], teacher: Teacher, run: Path, how: Fit
) -> None:
    """Fit the parts of a group and write each to `run/parts`; what is there already is kept."""
    count, members = GROUPS[group]
    names = [n for n in members if not part_file(run, n).exists()]
    if not names:
        return
    needed = {s for n in names for s in (n, *SOURCES[n])}
    maps = teacher_maps(model, samples, teacher, sorted(needed), count, how.seed)
    for name in names:
        since = time.monotonic()
        part = model.tower.part(name).to(memory_format=torch.channels_last)
        if name == "stem":
            share = fit_stem(model.tower, maps["pixels"], maps[name], how)
        else:
            cast(Part, part).start_at(maps[name].float().mean((0, 2, 3)))
            share = fit_part(name, part, [maps[s] for s in SOURCES[name]], maps[name], how)
        took = round(time.monotonic() - since)
        print(json.dumps({"part": name, "explains": round(share, 4), "s": took}), flush=True)  # noqa: T201
        torch.save({"part": part.state_dict(), "explains": share}, part_file(run, name))


def part_file(run: Path, name: str) -> Path:
    """Where a fitted part lies."""
    return run / "parts" / f"{name}.pt"


def assemble(tower: MiniTower, run: Path) -> dict[str, float]:
    """Put the fitted parts of a run into the tower; what each explains by itself."""
    shares = {}
    for name in HANDED:
        fitted = torch.load(part_file(run, name), weights_only=True)
        tower.part(name).load_state_dict(fitted["part"])
        shares[name] = float(fitted["explains"])
    return shares


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--detector", type=Path, required=True, help="folder of the teacher (ncnn)")
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--steps", type=int, default=Fit().steps)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--run", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    samples = load_windows(options.pairs, 4000)
    teacher = DetectorTeacher(options.detector)
    model = MiniModel(1, 1)
    scales = options.run / "scales.pt"
    if scales.exists():
        model.load_state_dict(torch.load(scales, weights_only=True), strict=False)
    else:
        (options.run / "parts").mkdir(parents=True, exist_ok=True)
        maps = teacher_maps(None, samples, teacher, HANDED, 160, seed=1)
        model.measure([maps])
        found = {k: v for k, v in model.state_dict().items() if k.startswith("scale_")}
        torch.save(found, scales.with_suffix(".partial"))
        scales.with_suffix(".partial").replace(scales)
    for group in options.groups:
        fit_group(model, group, samples, teacher, options.run, Fit(steps=options.steps))
    if all(part_file(options.run, name).exists() for name in HANDED):
        assemble(model.tower, options.run)
        (options.run / "recipe.json").write_text(json.dumps({"head_width": 1}))
        torch.save({"average": model.state_dict(), "step": 0}, options.run / "last.pt")


if __name__ == "__main__":
    main()
