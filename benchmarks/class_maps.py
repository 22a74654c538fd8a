"""What `--unknown` and `--fill` of `usearch segment` are worth, on labelled photos.

    python benchmarks/class_maps.py --data ../shared/data --store STORE

Photos of coco-stuff100, every second of the first forty. Lists hold ten names: about half of
those in the photo and others that are not, so that many pixels belong to no class of the list.
A pixel counts when it is labelled, and is right when its class is its label. `--fill` is
measured as if no segment were there: every pixel is named by pieces.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import indexer.presets
from eval.datasets import label_map, read_image, region_set
from usearch.classify import (
    Rule,
    classify_segments,
    embed_classes,
    gap_pieces,
    stored_photos,
)
from usearch.masks import segments_from_counts
from usearch.models import presets
from usearch.opened import open_store
from usearch.text.class_lists import parse_classes

THRESHOLDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--first", type=int, default=1, help="0 or 1: which half of the photos")
    args = parser.parse_args()
    labelled = region_set(args.data, "coco-stuff100")
    names = [*labelled.things, *labelled.stuff]
    photos = sorted(labelled.photos, key=lambda photo: str(photo.path))[args.first : 40 : 2]
    truths = [label_map(photo, {name: i for i, name in enumerate(names)}) for photo in photos]
    unknown(args.store, photos, truths, names)
    fill(photos, truths, names)


def texts_of(opened, names):
    return embed_classes(
        parse_classes(names, "names"), opened.encoder, opened.templates, opened.calibration,
        cache_dir=opened.cache_dir,
    )  # fmt: skip


def unknown(store, photos, truths, names) -> None:
    opened = open_store(store)
    ids = {Path(r.root, r.path).name: r.photo_id for r in opened.snapshot.photo_records()}
    rng = np.random.default_rng(0)
    counts = np.zeros((len(THRESHOLDS), 3))
    for photo, truth in zip(photos, truths, strict=True):
        [stored] = stored_photos(opened.snapshot, [ids[photo.path.name]])
        there = [c for c in np.unique(truth) if c < len(names) and rng.random() < 0.6]
        other = [c for c in rng.permutation(len(names)) if c not in there]
        listed = sorted([*there, *other][: max(10, len(there) + 2)])
        texts = texts_of(opened, [names[c] for c in listed])
        value = np.full(256, -1)
        value[: len(listed)] = listed
        for row, threshold in enumerate(THRESHOLDS):
            found = classify_segments(stored.segments, stored.vectors, texts, Rule(threshold))
            guess = value[found.map(truth.shape)]
            known = truth < len(names)
            right = (guess == truth) & known
            counts[row] += known.sum(), ((guess >= 0) & known).sum(), right.sum()
    print("--unknown  named  right of the named  right of all")
    for threshold, (total, named, right) in zip(THRESHOLDS, counts, strict=True):
        print(f"{threshold:9.2f}  {named / total:5.2f}  {right / max(1, named):18.2f}"
              f"  {right / total:12.2f}")  # fmt: skip


def fill(photos, truths, names) -> None:
    segmenter, embedder = indexer.presets.load_indexer("mini")
    calibration = presets.preset_calibration("mini")
    from usearch.text.templates import TEMPLATES

    texts = embed_classes(
        parse_classes(names, "names"), presets.load_text_encoder("mini"),
        TEMPLATES[presets.preset_templates("mini")], calibration, scored=False,
    )  # fmt: skip
    right: dict[str, list[float]] = {}
    for photo, truth in zip(photos, truths, strict=True):
        image = read_image(photo.path)
        none = segments_from_counts([], image.shape[:2], np.zeros(0))
        ways = {"segments": segmenter.segment(image)}
        for scales in ((16,), (32, 16, 8), (16, 8, 4, 2, 1)):
            ways[f"pieces {scales}"] = gap_pieces(none, scales)
        for way, pieces in ways.items():
            found = classify_segments(pieces, embedder.embed(image, pieces), texts)
            known = truth < len(names)
            right.setdefault(way, []).append((found.map(truth.shape) == truth)[known].mean())
    print(f"right pixels, {len(names)} names")
    for way, shares in right.items():
        print(f"{way:26s} {np.mean(shares):.3f}")


if __name__ == "__main__":
    main()
