"""Train the boundary output on a frozen tower: python -m trainer.mini.boundary RUN ... -o RUN2.

The tower's maps at strides 4, 8 and 16 already hold edges, texture and things; the output is
a few thousand weights on top of them, so some hundred photos and minutes are enough.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional

from indexer.embedders.mini import input_size
from trainer.boundaries import BoundaryPair, boundary_loss, boundary_pairs
from trainer.mini.export import load_run
from trainer.mini.model import MiniModel
from trainer.mini.tower import LAST, TowerMaps

SIDES = (256, 512)


def on_network_grid(pair: BoundaryPair, side: int, flip: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels [1, 3, H, W] 0..255, target and weight [1, 1, H / 4, W / 4] of a photo.

    A cell of the target holds the strongest boundary in it.
    """
    height, width = input_size(pair.image.shape[0], pair.image.shape[1], side)
    small = PillowImage.fromarray(pair.image).resize(
        (width, height), PillowImage.Resampling.BILINEAR
    )
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float()
    known = torch.from_numpy(pair.weight)[None, None]
    drawn = torch.from_numpy(pair.target)[None, None] * (known > 0)
    grid = height // 4, width // 4
    target = functional.adaptive_max_pool2d(drawn, grid)
    weight = torch.maximum(functional.adaptive_avg_pool2d(known, grid), (target > 0).float())
    if flip:
        return pixels.flip(3), target.flip(3), weight.flip(3)
    return pixels, target, weight


def train_boundary(
    model: MiniModel,
    pairs: list[BoundaryPair],
    *,
    steps: int,
    batch: int = 8,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> list[float]:
    """Train the boundary output in place; the tower stays as it is.

    Returns:
        Mean loss of each tenth of the steps.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model.eval()
    output = model.tower.boundary
    optimiser = torch.optim.AdamW(output.parameters(), lr=learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps)
    losses: list[float] = []
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for i in rng.integers(0, len(pairs), batch):
            side = int(rng.integers(SIDES[0], SIDES[1] + 1))
            pixels, target, weight = on_network_grid(pairs[int(i)], side, rng.random() < 0.5)
            with torch.no_grad():
                maps: TowerMaps = model.tower(
                    pixels.contiguous(memory_format=torch.channels_last), until=LAST["s16"]
                )
            loss = boundary_loss(model.tower.boundaries(maps), target, weight) / batch
            torch.autograd.backward(loss)
            total += float(loss.detach())
        optimiser.step()
        schedule.step()
        losses.append(total)
    return [float(np.mean(part)) for part in np.array_split(losses, 10) if len(part)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of trainer.mini.train")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="photo shards")
    parser.add_argument("--others", type=int, default=400, help="photos without human boundaries")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the new run")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    drawn: list[BoundaryPair] = []
    contours: list[BoundaryPair] = []
    for pair in boundary_pairs(options.photos):
        (drawn if pair.source == "bsds" else contours).append(pair)
    order = np.random.default_rng(0).permutation(len(contours))[: options.others]
    pairs = drawn + [contours[int(i)] for i in order]
    model = load_run(options.run)
    losses = train_boundary(model, pairs, steps=options.steps)
    print(json.dumps({"photos": len(pairs), "human": len(drawn), "loss": losses}))  # noqa: T201
    options.output.mkdir(parents=True, exist_ok=True)
    recipe = (options.run / "recipe.json").read_text(encoding="utf-8")
    (options.output / "recipe.json").write_text(recipe)
    torch.save({"average": model.state_dict(), "step": 0}, options.output / "last.pt")


if __name__ == "__main__":
    main()
