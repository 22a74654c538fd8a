"""What training on cached features saves: steps a second, and time to a held-out loss.

    python benchmarks/cached_training.py PAIRS --backbones mini,mobilenet=FILE --crop 224

One process, one machine, one set of photos: features are cached, then the same steps run
straight from the photos and from the cache, in turns, so that a change of the machine's load
meets both. Wall-clock and processor seconds are given: on a shared machine only the second is
the program's own. With a view an epoch both ways have the same curve to rounding (a test says
so), so steps to a loss are counted once and the time to it is steps x seconds a step.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from indexer.embedders.head import USEHead
from indexer.embedders.use import shape_for
from trainer.use.backbones import open_backbones
from trainer.use.batches import plan_of, steps_of
from trainer.use.cache import cache_key
from trainer.use.cache_writer import write_cache
from trainer.use.cached import cached_features, cached_held_out
from trainer.use.direct import direct_features
from trainer.use.distributed import Processes
from trainer.use.loop import Schedule, batch_loss, train
from trainer.use.photos import collect
from trainer.use.recipe import Recipe
from trainer.use.run_state import read_metrics
from trainer.use.texts import text_bank

ONE = Processes()


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    low, high = (float(x) for x in args.scale.split(","))
    recipe = Recipe("large", args.crop, (low, high), batch=args.batch, epochs=args.epochs)
    backbones = open_backbones(args.backbones.split(","))
    collection = collect([args.pairs])
    bank = text_bank(
        collection.texts, collection.held_texts, backbones.encoder, recipe.templates, backbones.text
    )
    plan = plan_of(len(collection.train), recipe)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.cache or Path(scratch) / "cache"
        key = cache_key(backbones.towers, recipe, collection, args.views)
        fill = Stopwatch()
        cache = write_cache(folder, key, backbones.towers, collection, recipe)
        filled = fill.read()
        size = sum(file.stat().st_size for file in folder.glob("shard-*"))
        print(
            f"{len(collection.train)} photos, {args.views} views, {len(collection.held)} held out: "
            f"cached in {filled[0]:.1f} s ({filled[1]:.1f} s of processor), {size / 1e6:.1f} MB"
        )
        steps = list(islice(steps_of(collection.train, recipe, plan), args.steps + 1))
        feeds = {
            "direct": direct_features(collection, backbones.towers, recipe, steps, ONE, workers=1),
            "cached": cached_features(cache, collection, steps, ONE),
        }
        seconds = per_step(feeds, steps, shape_for(backbones.towers, backbones.dim), recipe, bank)
        report = {
            "backbones": args.backbones,
            "photos": len(collection.train),
            "held_out": len(collection.held),
            "views": args.views,
            "crop": args.crop,
            "batch": plan.batch,
            "threads": args.threads,
            "cores": os.cpu_count(),
            "cache_bytes": size,
            "fill_seconds": filled,
            "seconds_per_step": seconds,
        }
        for place, what in enumerate(("wall clock", "processor")):
            direct, cached = (seconds[name]["median"][place] for name in feeds)
            print(
                f"{what}: direct {1 / direct:.2f} steps/s, cached {1 / cached:.1f} steps/s: "
                f"{direct / cached:.0f} x (medians of {args.steps} steps)"
            )
        curve = held_curve(cache, collection, backbones, recipe, bank, Path(scratch))
        report["curve"] = curve
        report["time_to_loss"] = time_to_loss(curve, seconds, filled)
    if args.json:
        text = json.dumps(report, indent=1) + "\n"
        sys.stdout.write(text) if args.json == "-" else Path(args.json).write_text(text)


class Stopwatch:
    """Wall-clock and processor seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """(wall clock, processor)."""
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


def per_step(feeds: dict[str, Iterator], steps, shape, recipe, bank) -> dict:
    """Seconds of whole steps (features, loss, gradients, AdamW), the ways in turns.

    The first step of each warms it up and is not counted.
    """
    heads, optimisers = {}, {}
    for name in feeds:
        torch.manual_seed(0)
        heads[name] = USEHead(shape)
        optimisers[name] = torch.optim.AdamW(heads[name].parameters(), lr=recipe.learning_rate)
    scale = torch.tensor(math.log(recipe.logit_scale))
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in feeds}
    segments = 0
    for number, photos in enumerate(steps):
        for name, feed in feeds.items():
            watch = Stopwatch()
            features = next(feed)
            optimisers[name].zero_grad()
            loss, count = batch_loss(heads[name], scale, features, photos, recipe, bank, ONE)
            loss.backward()
            optimisers[name].step()
            if number:
                taken[name].append(watch.read())
        segments += count
    print(f"{segments / len(steps):.0f} segments a step")
    return {
        name: {
            "median": [sorted(one[place] for one in own)[len(own) // 2] for place in (0, 1)],
            "all": own,
        }
        for name, own in taken.items()
    }


def held_curve(cache, collection, backbones, recipe, bank, folder: Path) -> list[dict]:
    """Figures on held-out photos along a whole run on the cache."""
    run = folder / "run"
    run.mkdir()
    torch.manual_seed(recipe.seed)
    head = USEHead(shape_for(backbones.towers, backbones.dim))
    feed = lambda steps: cached_features(cache, collection, steps, ONE)  # noqa: E731
    plan = plan_of(len(collection.train), recipe)
    train(
        recipe,
        plan,
        collection.train,
        feed,
        bank,
        head,
        run,
        held=cached_held_out(cache, collection),
        schedule=Schedule(look_every=max(1, plan.total // 20)),
    )
    return [{"step": line["step"], **line["held"]} for line in read_metrics(run) if "held" in line]


def time_to_loss(curve: list[dict], seconds: dict, filled: tuple[float, float]) -> dict:
    """Processor seconds until the held-out loss is within a hundredth of its best."""
    goal = min(one["loss"] for one in curve) * 1.01
    step = next(one["step"] for one in curve if one["loss"] <= goal)
    direct = step * seconds["direct"]["median"][1]
    cached = step * seconds["cached"]["median"][1]
    print(
        f"held-out loss {goal:.3f} is reached after {step} steps: direct {direct:.0f} s, "
        f"cached {cached:.1f} s, {cached + filled[1]:.1f} s with filling the cache (processor); "
        f"{direct / cached:.0f} x and {direct / (cached + filled[1]):.1f} x"
    )
    return {
        "loss": goal,
        "step": step,
        "direct": direct,
        "cached": cached,
        "filling": filled[1],
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="Parquet file of pairs")
    parser.add_argument("--backbones", default="mini")
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--scale", default="0.3,0.9")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=float, default=20.0, help="of the run on the cache")
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5, help="that are timed each way")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="keep the cache here (else: a temporary one)")
    parser.add_argument("--json", metavar="FILE", help="write the report ('-': to stdout, last)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
