"""One step of the paper's recipe on backbones of the paper's shapes with random weights.

    python benchmarks/train_step_large.py [--photos 32] [--micro-batch 1] [--steps 1]

CLIP ViT-L/14-336 and DINOv2 ViT-L/14, crops of 560 pixels, 32 photos of 640 x 480 with 11
segments each (as many as the paper's pairs have): drawn here, so nothing needs to be at hand.
Prints what is trained, counted part by part, and what the step took. Needs 8 GB of memory.
"""

import argparse
import io
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from indexer.embedders.head import BranchHead, USEHead
from trainer.pairs import PairImage, PairSegment, write_pairs
from trainer.use.loop import Look, Schedule
from trainer.use.random_towers import random_backbones
from trainer.use.recipe import Recipe
from trainer.use.run import Request, Watch, train_run
from usearch import masks

WIDTH, HEIGHT, SEGMENTS = 640, 480, 11


def drawn_photo(number: int, rng: np.random.Generator) -> PairImage:
    """A photo of coloured ellipses, each a segment with a text."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    segments = []
    for k in range(SEGMENTS):
        cx, cy = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        rx, ry = rng.uniform(30, 160, 2)
        mask = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        pixels[mask] = rng.integers(0, 256, 3)
        counts = masks.mask_to_counts(mask)
        box = tuple(float(v) for v in masks.box_of(counts, HEIGHT))
        text = f"shape {(number * SEGMENTS + k) % 40}"
        rle = masks.counts_to_rle(counts)
        segments.append(PairSegment("object", "drawn", box, rle, (text,), (1.0,)))
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG")
    return PairImage(
        f"drawn/{number}", "drawn", "CC0", data.getvalue(), WIDTH, HEIGHT, tuple(segments),
        split="train",
    )  # fmt: skip


def counted(head: USEHead) -> Iterator[tuple[str, int]]:
    """Trainable numbers, part by part."""
    for name, branch in head.branches.items():
        assert isinstance(branch, BranchHead)
        blocks = len(branch.blocks)
        norm = sum(p.numel() for block in branch.blocks for p in block.norm.parameters())
        linear = sum(p.numel() for block in branch.blocks for p in block.linear.parameters())
        yield f"{name}: layer norms of {blocks} blocks", norm
        yield f"{name}: linear layers of {blocks} blocks", linear
        yield f"{name}: scales of {blocks} blocks", branch.scales.numel()
    yield "last linear layer", sum(p.numel() for p in head.linear.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=32)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--micro-batch", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    backbones = random_backbones("large", options.device)
    print(f"{'backbones made':<40}{time.perf_counter() - began:>14.1f} s", flush=True)

    def show(look: Look) -> None:
        line = look.line
        print(
            f"step {look.step}: {look.photos} photos, {line['segments']} segments, "
            f"loss {line['loss']:.4f}, {look.seconds:.1f} s, "
            f"{look.photos / look.seconds:.3f} photos/s",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "pairs.parquet"
        write_pairs([drawn_photo(n, rng) for n in range(options.photos)], pairs)
        recipe = Recipe(batch=options.photos, steps=options.steps)
        request = Request(
            (pairs,),
            Path(folder) / "run",
            recipe,
            micro_batch=options.micro_batch,
            schedule=Schedule(save_minutes=1e9),
        )
        outcome = train_run(request, backbones, watch=Watch(on_look=show))
    total = 0
    for part, count in counted(outcome.head):
        print(f"{part:<40}{count:>14,}")
        total += count
    print(f"{'trainable':<40}{total:>14,}")
    frozen = sum(
        p.numel()
        for module in (backbones.towers["clip"].visual, backbones.towers["dino"].vit)
        for p in module.parameters()
    )
    print(f"{'frozen, image towers':<40}{frozen:>14,}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'peak memory':<40}{peak:>13.1f} GB, torch {torch.__version__}")


if __name__ == "__main__":
    main()
