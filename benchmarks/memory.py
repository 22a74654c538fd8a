"""What the collection as memory is worth: class maps with and without votes of neighbours.

    python benchmarks/memory.py --store STORE --json memory.json

The store holds the development photos, indexed with visual keys, and is its own bank: no photo
votes on itself. Neighbours and weight are chosen on every other photo of all sets together and
reported on the photos between, with 95 % intervals of the paired difference over photos.
`docs/memory.md` has the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eval import datasets
from eval.datasets.labels import read_map
from eval.datasets.records import label_map
from eval.metrics import iou_sums, miou_present_of, paired_interval, pixel_accuracy_of
from eval.stored import StoredPhoto, stored_photos
from usearch.classify import embed_classes, mixed_scores, open_bank, voters_of
from usearch.classify.probabilities import segment_probabilities
from usearch.classify.regions import find_regions, paint
from usearch.models.presets import load_text_encoder, preset_calibration, preset_templates
from usearch.search import require_same_space
from usearch.store import open_snapshot
from usearch.store.keys import gather_keys
from usearch.text.class_lists import ClassList
from usearch.text.templates import get_templates

ROOT = Path(__file__).resolve().parent.parent
SETS = ("camvid60", "ade150", "coco-stuff100")
NEIGHBOURS = (4, 16)
WEIGHTS = (0.15, 0.3, 0.5)
SYSTEMS = [(0, 0.0), *((k, w) for k in NEIGHBOURS for w in WEIGHTS)]
METRICS = {"miou_present": miou_present_of, "pixel_accuracy": pixel_accuracy_of}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True, help="with keys: usearch index --keys")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--limit", type=int, help="photos of a set, evenly spread")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    bank = open_bank(open_snapshot(args.store), 0.5, max(NEIGHBOURS))
    sums = {name: measured(args, name, bank) for name in args.sets}
    tuning = {name: one[:, 0::2] for name, one in sums.items()}
    held = {name: one[:, 1::2] for name, one in sums.items()}
    report = {"tuned": {}, "held": {}}
    gains = np.zeros(len(SYSTEMS))
    for name, one in tuning.items():
        values = miou_present_of(one.sum(1))
        gains += (values - values[0]) / len(tuning)
        report["tuned"][name] = dict(zip(map(str, SYSTEMS), values.tolist(), strict=True))
    for system, gain in zip(SYSTEMS, gains, strict=True):
        print(f"tuning photos, k {system[0]:2d} weight {system[1]:.2f}: {100 * gain:+.2f} mIoU")
    best = 1 + int(gains[1:].argmax())
    report["chosen"] = {"neighbours": SYSTEMS[best][0], "weight": SYSTEMS[best][1]}
    print(f"chosen: {report['chosen']}")
    for name, one in held.items():
        row: dict[str, object] = {"photos": one.shape[1]}
        for metric, statistic in METRICS.items():
            without, with_bank = statistic(one[0].sum(0)), statistic(one[best].sum(0))
            gain = paired_interval(one[best], one[0], statistic)
            row[metric] = {
                "without": float(without),
                "with": float(with_bank),
                "difference": [gain.low, gain.high],
            }
            print(
                f"held photos, {name} ({one.shape[1]}), {metric}: {100 * without:.1f} without, "
                f"{100 * with_bank:.1f} with, difference {100 * (with_bank - without):+.2f} "
                f"[{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
            )
        report["held"][name] = row
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def measured(args, name: str, bank) -> np.ndarray:
    """What each photo adds to the sums of the IoUs, for each of `SYSTEMS`: [s, photos, 3 C]."""
    names, maps = labelled(args.data, name)
    if args.limit and args.limit < len(maps):
        maps = [maps[i * len(maps) // args.limit] for i in range(args.limit)]
    encoder, calibration = load_text_encoder(args.preset), preset_calibration(args.preset)
    require_same_space(bank.snapshot, encoder)
    texts = embed_classes(
        ClassList([list(one) for one in names], name),
        encoder,
        get_templates(preset_templates(args.preset)),
        calibration,
        scored=False,
    )
    snapshot = bank.snapshot
    paths = [path for path, _ in maps]
    ids = {
        (Path(row.root) / row.path).resolve(): (row.photo_id, row.hash)
        for row in snapshot.photo_records()
    }
    out = []
    for photo, (path, truth) in zip(stored_photos(snapshot, paths), maps, strict=True):
        number, content = ids[path.resolve()]
        own = segment_probabilities(photo.vectors, texts.vectors, texts.logit_scale)
        keys = gather_keys(snapshot, snapshot.rows_of_photo(number), bank.space)
        voters = voters_of(bank, keys.astype(np.float32), content)
        theirs = segment_probabilities(voters.vectors, texts.vectors, texts.logit_scale)
        shares = [
            mixed_scores(own, voters.rows[:, :k], voters.similarities[:, :k], theirs, weight)
            if k else own
            for k, weight in SYSTEMS
        ]  # fmt: skip
        out.append(np.stack([iou_sums([one])[0] for one in confusions(photo, truth(), shares)]))
        print(f"{name}: {len(out)} of {len(maps)}", file=sys.stderr, flush=True)
    return np.stack(out, axis=1)


def labelled(data: Path, name: str):
    """Names of the classes, and the photos with what reads their label maps."""
    if name == "coco-stuff100":
        regions = datasets.region_set(data, name)
        names = [(one,) for one in (*regions.things, *regions.stuff)]
        row_of = {one[0]: i for i, one in enumerate(names)}
        maps = [(p.path, lambda p=p: label_map(p, row_of)) for p in regions.photos]
        return names, maps
    found = datasets.map_set(data, name)
    return found.names, [(p.path, lambda p=p: read_map(found, p)) for p in found.photos]


def confusions(photo: StoredPhoto, truth: np.ndarray, shares: list) -> Iterator[np.ndarray]:
    """Confusion of the map of each system; regions meet the labels once for all of them."""
    regions = find_regions(photo.segments)
    n_regions, n_classes = len(regions.members), shares[0].shape[1]
    region_of = paint(regions, np.arange(n_regions, dtype=np.uint16), truth.shape)
    known = truth < n_classes
    pairs = region_of[known].astype(np.int64) * n_classes + truth[known]
    pixels = np.bincount(pairs, minlength=n_regions * n_classes).reshape(n_regions, n_classes)
    members = regions.members.astype(np.float32)
    for one in shares:
        label = np.where(regions.members.any(1), (members @ one).argmax(1), n_classes)
        matrix = np.zeros((n_classes + 1, n_classes), np.int64)
        np.add.at(matrix, label, pixels)
        yield matrix.T


if __name__ == "__main__":
    main()
