"""What the options beyond the paper change, each measured alone, on held-out photos.

    python benchmarks/training_options.py PAIRS... --backbones mini --crop 224 --templates name

One cache of features, one head an option and seed. Printed: means over the seeds of naming,
recall@1 and recall@10, and of the difference to the paper's recipe with the same seeds, with a 95 %
interval from 2,000 draws of held-out photos (the seeds' figures of a photo are averaged first).
Without a text of its own, "recall" of a photo's text counts for every photo that the text is first
in, so all figures are means over held-out segments here.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from indexer.embedders.head import USEHead
from indexer.embedders.use import shape_for
from trainer.use.backbones import open_backbones
from trainer.use.batches import equal_texts, plan_of
from trainer.use.cache import cache_key
from trainer.use.cache_writer import write_cache
from trainer.use.cached import cached_features, cached_held_out
from trainer.use.distributed import Processes
from trainer.use.features import SegmentFeatures, segment_vectors
from trainer.use.loop import Schedule, train
from trainer.use.photos import collect
from trainer.use.recipe import Recipe
from trainer.use.run_state import begin_run
from trainer.use.texts import TextBank, text_bank

OPTIONS: dict[str, dict[str, object]] = {
    "the paper's recipe": {},
    "--mask-equal": {"mask_equal": True},
    "--learn-scale": {"learn_scale": True},
    "--hard-negatives 2": {"hard_negatives": 2},
    "--rarity 0.5": {"rarity": 0.5},
    "--mask-equal --hard-negatives 2": {"mask_equal": True, "hard_negatives": 2},
    "all four": {"mask_equal": True, "learn_scale": True, "hard_negatives": 2, "rarity": 0.5},
}
FIGURES = ("naming", "recall@1", "recall@10")
ONE = Processes()


@torch.no_grad()
def figures_of(head: USEHead, features: SegmentFeatures, bank: TextBank) -> np.ndarray:
    """Of each held-out segment whether it is named right, and found by its first text: [n, 3]."""
    vectors = segment_vectors(head, features)
    firsts = [bank.row[own[0]] for own in features.texts]
    names = sorted(set(firsts))
    true_of = equal_texts(features.texts, names, bank)
    cosines = vectors @ bank.vectors(names).T
    named = true_of.gather(1, cosines.argmax(1, keepdim=True))[:, 0]
    columns = torch.tensor([names.index(row) for row in firsts])
    found = [
        true_of.gather(0, cosines.topk(min(k, len(vectors)), dim=0).indices).any(0)[columns]
        for k in (1, 10)
    ]
    return torch.stack([named, *found], 1).double().numpy()


def interval(values: np.ndarray, photos: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """95 % bounds of the mean of values [n, m] by drawing photos, [2, m]."""
    _, photo_of = np.unique(photos, return_inverse=True)
    count = photo_of.max() + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, photo_of, values)
    sizes = np.bincount(photo_of)
    drawn = rng.integers(0, count, (2000, count))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)[:, None]
    return np.percentile(means, [2.5, 97.5], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="+")
    parser.add_argument("--backbones", default="mini")
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=float, default=5.0)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--templates", default="use4")
    parser.add_argument("--folder", type=Path, required=True, help="Keeps cache and runs.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Recipe(crop=args.crop, batch=args.batch, epochs=args.epochs, templates=args.templates)
    backbones = open_backbones(args.backbones.split(","))
    collection = collect(args.pairs)
    bank = text_bank(
        collection.texts, collection.held_texts, backbones.encoder, recipe.templates, backbones.text
    )
    key = cache_key(backbones.towers, recipe, collection, args.views)
    cache = write_cache(args.folder / "cache", key, backbones.towers, collection, recipe)
    held = cached_held_out(cache, collection)
    assert held is not None
    print(
        f"{len(collection.train):,} photos, {len(collection.texts):,} texts; held out "
        f"{len(set(held.photos)):,} photos with {len(held):,} segments",
        flush=True,
    )
    shape = shape_for(backbones.towers, backbones.dim)
    plan = plan_of(len(collection.train), recipe)
    photos, rng = np.array(held.photos), np.random.default_rng(0)
    base: np.ndarray | None = None
    for number, (name, changes) in enumerate(OPTIONS.items()):
        began = time.process_time()
        seen = []
        for seed in range(args.seeds):
            own = replace(recipe, seed=seed, **changes)  # type: ignore[arg-type]
            run = args.folder / f"{number}-{seed}"
            begin_run(run, {"recipe": own.to_json(), "cache": key})
            torch.manual_seed(seed)
            outcome = train(
                own,
                plan,
                collection.train,
                partial(cached_features, cache, collection, processes=ONE),
                bank,
                USEHead(shape),
                run,
                schedule=Schedule(look_every=plan.total + 1),
            )
            seen.append(figures_of(outcome.head, held, bank))
        mean = np.mean(seen, 0)
        base = mean if base is None else base
        low, high = interval(mean - base, photos, rng)
        row = {
            "option": name,
            "seconds a run": round((time.process_time() - began) / args.seeds, 1),
            "logit scale": round(outcome.logit_scale, 1),
            **{
                figure: round(100 * float(v), 1)
                for figure, v in zip(FIGURES, mean.mean(0), strict=True)
            },
            "spread": [round(100 * float(v), 1) for v in np.std([s.mean(0) for s in seen], 0)],
            "difference": [
                f"{100 * d:+.1f} ({100 * a:+.1f} to {100 * b:+.1f})"
                for d, a, b in zip((mean - base).mean(0), low, high, strict=True)
            ],
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
