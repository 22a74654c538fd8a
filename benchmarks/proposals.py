"""How well segmenters cover labelled regions, names left aside, and what they cost.

    python benchmarks/proposals.py --root ../shared/data
    python benchmarks/proposals.py --sets coco-stuff100 --limit 40 --boundary mini

For each labelled region of at least `--least-area` pixels the best of the first k masks of
its photo counts: mean best IoU, and the share of regions with an IoU of 0.5 or more, with
95 % intervals over photos. All methods see the same photos in one run:

    tree            the built-in segmenter, boundaries from colour
    tree-learned    the same with the boundary map of a preset (`--boundary`)
    felzenszwalb    scikit-image, at four scales, regions of all scales by area
    grid            boxes on grids of 1 to 7 cells a side, half-overlapping
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval import datasets, proposals
from indexer.segmenters.tree import TreeSegmenter
from usearch import masks
from usearch.records import Image

Method = Callable[[Image], list[bytes]]

BUDGETS = (50, 100)
FELZENSZWALB_SCALES = (50, 100, 300, 800)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo and the run lengths of its labelled regions."""

    path: Path
    size: tuple[int, int]
    regions: list[bytes]


def main() -> None:
    args = parse_arguments()
    methods = build_methods(args)
    report: dict[str, object] = {"schema_version": 1, "least_area": args.least_area, "sets": {}}
    for name in args.sets:
        photos = list(labelled(args.root, name, args.least_area, args.limit))
        n_regions = sum(len(photo.regions) for photo in photos)
        print(f"{name}: {n_regions} regions in {len(photos)} photos", flush=True)
        rows = report["sets"][name] = {}
        for method, segment in methods.items():
            rows[method] = measure(segment, photos)
            print_row(method, rows[method])
    if args.json:
        text = json.dumps(report, indent=1) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
        else:
            Path(args.json).write_text(text, encoding="utf-8")


def labelled(root: Path, name: str, least_area: int, limit: int | None) -> Iterator[Photo]:
    """Photos of a development set, by file name, with their regions that are large enough."""
    if name in datasets.REGION_SETS:
        photos = sorted(datasets.region_set(root, name).photos, key=lambda photo: photo.path.name)
        for photo in photos[:limit]:
            regions = [r.rle for r in photo.regions if r.area >= least_area and not r.crowd]
            if regions:
                yield Photo(photo.path, photo.size, regions)
        return
    labels = datasets.map_set(root, name)
    for photo in labels.photos[:limit]:
        classes = datasets.read_labels(photo, labels.values)
        found, pixels = np.unique(classes, return_counts=True)
        kept = found[(found != datasets.NO_LABEL) & (pixels >= least_area)]
        if len(kept):
            regions = [masks.encode(classes == value) for value in kept]
            yield Photo(photo.path, classes.shape, regions)


def measure(segment: Method, photos: list[Photo]) -> dict[str, object]:
    """Scores at each budget and seconds a photo; one photo is cut first to warm up."""
    segment(datasets.read_image(photos[0].path))
    best: dict[int, list[float]] = {k: [] for k in BUDGETS}
    numbers: list[int] = []
    seconds: list[float] = []
    n_masks: list[int] = []
    for number, photo in enumerate(photos):
        image = datasets.read_image(photo.path)
        start = time.process_time()
        found = segment(image)
        seconds.append(time.process_time() - start)
        n_masks.append(len(found))
        ious = proposals.iou_matrix(photo.regions, found, photo.size)
        for k in BUDGETS:
            best[k] += proposals.best_iou(ious, k).tolist()
        numbers += [number] * len(photo.regions)
    scores = {
        f"at_{k}": proposals.proposal_report(best[k], np.array(numbers), k).to_json()
        for k in BUDGETS
    }
    cost = {"cpu_seconds_a_photo": float(np.mean(seconds)), "masks": float(np.mean(n_masks))}
    return scores | cost


def print_row(method: str, row: dict[str, object]) -> None:
    """One line a method: both figures with intervals at each budget, and the cost."""
    cells = []
    for k in BUDGETS:
        scores = row[f"at_{k}"]
        texts = []
        for key in ("mean_best_iou", "recall_50"):
            low, high = scores["intervals"][key]
            texts.append(f"{scores[key]:.3f} [{low:.3f}, {high:.3f}]")
        cells.append(f"@{k}: " + "  ".join(texts))
    print(
        f"  {method:<14}{'   '.join(cells)}   {row['cpu_seconds_a_photo']:.3f} CPU s a photo, "
        f"{row['masks']:.0f} masks",
        flush=True,
    )


def build_methods(args: argparse.Namespace) -> dict[str, Method]:
    """The methods asked for, by name."""

    def tree(segmenter: TreeSegmenter) -> Method:
        return lambda image: segmenter.segment(image).rles

    methods: dict[str, Method] = {}
    if "tree" in args.methods:
        methods["tree"] = tree(TreeSegmenter())
    if args.boundary:
        from indexer.presets import load_indexer

        segmenter, _ = load_indexer(args.boundary, "tree")
        methods["tree-learned"] = tree(segmenter)
    if "felzenszwalb" in args.methods:
        methods["felzenszwalb"] = felzenszwalb
    if "grid" in args.methods:
        methods["grid"] = grid
    return methods


def felzenszwalb(image: Image) -> list[bytes]:
    """Connected regions of four scales, largest first."""
    from skimage.segmentation import felzenszwalb as cut

    maps = [cut(image, scale=s, sigma=0.8, min_size=100) for s in FELZENSZWALB_SCALES]
    sizes = [
        (int(pixels), scale, value)
        for scale, labels in enumerate(maps)
        for value, pixels in enumerate(np.bincount(labels.ravel()))
    ]
    sizes.sort(key=lambda row: -row[0])
    # A region that two scales share is one; a few more than asked for make up for that.
    found = [masks.encode(maps[scale] == value) for _, scale, value in sizes[: 2 * max(BUDGETS)]]
    return list(dict.fromkeys(found))[: max(BUDGETS)]


def grid(image: Image) -> list[bytes]:
    """Boxes of 1/1, 1/2, ... of each side, stepping by half their size; largest first."""
    height, width = image.shape[:2]
    found: list[bytes] = []
    for cells in range(1, 8):
        steps = 2 * cells - 1
        for i in range(steps):
            for j in range(steps):
                box = np.zeros((height, width), bool)
                y, x = i * height // (2 * cells), j * width // (2 * cells)
                box[y : y + -(-height // cells), x : x + -(-width // cells)] = True
                found.append(masks.encode(box))
                if len(found) == max(BUDGETS):
                    return found
    return found


def parse_arguments() -> argparse.Namespace:
    root = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=root, help="folder of the development sets")
    parser.add_argument(
        "--sets",
        nargs="+",
        choices=[*datasets.REGION_SETS, *datasets.MAP_SETS],
        default=["coco-stuff100", "coco-captions80", "camvid60", "ade150"],
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=["tree", "felzenszwalb", "grid"],
        default=["tree", "felzenszwalb", "grid"],
    )
    parser.add_argument("--boundary", metavar="PRESET", help="also with this preset's boundary map")
    parser.add_argument("--limit", type=int, help="the first photos of each set only")
    parser.add_argument("--least-area", type=int, default=1024, help="pixels of a region")
    parser.add_argument("--json", metavar="FILE", help="write the report ('-': to stdout, last)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
