"""The heads of an ablation on photos that no part of it has seen: do they name regions?

    usearch train PAIRS -o RUN --cache DIR --ablate --backbones mini,mobilenet=FILE ...
    python benchmarks/ablation_naming.py RUN PAIRS --cache DIR --backbones mini,mobilenet=FILE

Takes the heads that `usearch train --ablate` left in RUN (trains those that are missing) and
names the labelled regions of the COCO development photos among the 80 COCO names: top-1 and the
mean over classes, with 95 % bootstrap intervals over photos, and the paired interval of the
difference from the head with everything. The interval is of the photos, not of the seeds: of
each variant the first seed is measured.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from eval import datasets, naming
from eval.datasets import read_image
from indexer.embedders.head import unit
from indexer.embedders.input_size import InputSize
from indexer.embedders.towers import common_multiple, to_pixels
from indexer.embedders.use import pooled_tokens, shape_for
from trainer.use.ablation import ablate
from trainer.use.backbones import open_backbones
from trainer.use.cache import open_cache
from trainer.use.photos import collect
from trainer.use.recipe import Recipe
from trainer.use.run_state import RUN_NAME
from trainer.use.texts import text_bank
from usearch.text.embed import embed_names
from usearch.text.templates import get_templates

ROOT = Path(__file__).resolve().parent.parent
COCO_SETS = ("coco-stuff100", "coco-captions80")


def main() -> None:
    args = parse_arguments()
    states = sorted(args.run.glob(f"00-seed-*/{RUN_NAME}"))
    if not states:
        raise SystemExit(f"{args.run} holds no ablation: run `usearch train --ablate` first")
    recipe = Recipe.from_json(json.loads(states[0].read_text(encoding="utf-8"))["recipe"])
    backbones = open_backbones(args.backbones.split(","))
    collection = collect([args.pairs])
    bank = text_bank(
        collection.texts, collection.held_texts, backbones.encoder, recipe.templates, backbones.text
    )
    sets = [datasets.region_set(args.data, name) for name in COCO_SETS]
    regions = naming.regions_to_name(sets)
    if args.limit:
        regions = regions[:: max(1, len(regions) // args.limit)][: args.limit]
    names = list(sets[0].things)
    sentences = get_templates(recipe.templates)
    text_vectors = embed_names(backbones.encoder, names, sentences)
    size = InputSize(recipe.crop, 2 * recipe.crop)
    seen = [features_of(backbones.towers, photo, size) for photo in regions]
    found = naming.NamedVectors(
        vectors=np.zeros((0, 0), np.float32),
        names=tuple(name for photo in regions for name in photo.names),
        photos=np.repeat(np.arange(len(regions)), [len(photo.names) for photo in regions]),
        things=np.concatenate([photo.things for photo in regions]),
    )
    reports: dict[str, naming.NamingReport] = {}

    def measure(row, heads) -> None:
        vectors = np.concatenate([vectors_of(heads[0], pooled, cls) for pooled, cls in seen])
        report = naming.report_of_vectors(replace(found, vectors=vectors), text_vectors, names)
        reports[row.variant.name] = report
        print_row(row.variant.name, report, next(iter(reports.values())))

    ablate(
        open_cache(args.cache),
        collection,
        shape_for(backbones.towers, backbones.dim),
        recipe,
        bank,
        args.run,
        on_row=measure,
    )
    if args.json:
        values = {name: report.to_json() for name, report in reports.items()}
        Path(args.json).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def features_of(towers, photo: naming.PhotoRegions, size: InputSize):
    """Pooled normalised tokens and class tokens of the regions of a photo."""
    image = read_image(photo.path)
    height, width = image.shape[:2]
    fitted = size.fit(height, width, common_multiple(towers.values()))
    return pooled_tokens(towers, to_pixels(image, fitted), photo.segments)


@torch.no_grad()
def vectors_of(head, pooled, cls) -> np.ndarray:
    """Unit vectors of a photo's regions by a head that may see less than there is."""
    branches = head.shape.branches
    own = {b.name: pooled[b.name][-len(b.widths) :] for b in branches}
    return unit(head.project(own, {b.name: cls[b.name] for b in branches})).numpy()


def print_row(name: str, report: naming.NamingReport, whole: naming.NamingReport) -> None:
    def cell(key: str) -> str:
        interval = report.intervals[key]
        value = 100 * getattr(report, key)
        return f"{value:5.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"

    gain = naming.compare(report, whole)["top1"]
    print(
        f"{name:44s} top-1 {cell('top1'):19s} class mean {cell('class_mean'):19s} "
        f"against the first row [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]  "
        f"{report.n_regions} regions, {report.n_photos} photos",
        flush=True,
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of `usearch train --ablate`")
    parser.add_argument("pairs", type=Path, help="the pairs that it was trained on")
    parser.add_argument("--cache", type=Path, required=True, help="its cache")
    parser.add_argument("--backbones", default="mini", help="as it was trained over")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--limit", type=int, help="about so many of the photos")
    parser.add_argument("--json", metavar="FILE", help="write the reports")
    return parser.parse_args()


if __name__ == "__main__":
    main()
