"""The metric code on 2,000 images of 512 x 683, apart from prediction.

    python benchmarks/metrics_2000.py                       # all of it
    python benchmarks/metrics_2000.py --photos 200 --parts ours,detectron2

Counts maps of 150 classes as `usearch eval` does, with all scores and their bootstrap
intervals; beside it, in the same run on the same maps, the per-image loops of torchmetrics
(`MulticlassJaccardIndex`) and of detectron2's `SemSegEvaluator` (its arithmetic in NumPy), both
without intervals. All must agree on every IoU. Then the peak memory of processes that count
847 classes over more and more images.

Maps are made of rectangles, 4 to 40 classes an image as in ADE20K, with 30 % wrong and 5 %
unlabelled pixels. Making them is not in the times, which are CPU seconds of all threads
together, so that what else the machine does is not in them either.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from eval.datasets import NO_LABEL
from eval.metrics import MapTally
from eval.report import EvalReport, with_maps

HEIGHT, WIDTH = 512, 683
DIFFERENT = 40
"""Pairs of maps that are kept in memory; the images after them are those again, relabelled."""


def maps(n_photos: int, n_classes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Labels and predictions, both uint16, one image after the other."""
    rng = np.random.default_rng(0)
    kept = [_pair(rng, n_classes) for _ in range(min(DIFFERENT, n_photos))]
    for i in range(n_photos):
        truth, guess = kept[i % len(kept)]
        if i >= len(kept):  # another image with other classes, at the price of one look-up
            row = rng.permutation(n_classes).astype(np.uint16)
            table = np.full(NO_LABEL + 1, NO_LABEL, np.uint16)
            table[:n_classes] = row
            truth, guess = table[truth], table[guess]
        yield truth, guess


def _pair(rng: np.random.Generator, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    classes = rng.integers(0, n_classes, rng.integers(4, 41)).astype(np.uint16)
    truth = np.full((HEIGHT, WIDTH), classes[0], np.uint16)
    for value in np.repeat(classes, 3):
        y, x = rng.integers(0, HEIGHT), rng.integers(0, WIDTH)
        truth[y : y + rng.integers(20, 300), x : x + rng.integers(20, 400)] = value
    guess = truth.copy()
    for value in rng.permutation(classes)[: len(classes) // 3 + 1]:
        guess[guess == value] = rng.integers(0, n_classes)
    truth[rng.random(truth.shape) < 0.05] = NO_LABEL
    return truth, guess


Add = Callable[[np.ndarray, np.ndarray], None]
"""Counts an image: labels, prediction."""
Finish = Callable[[], np.ndarray]
"""IoU of each class, float64 [C]."""


def ours(n_classes: int, n: int) -> tuple[Add, Finish]:
    tally = MapTally(n_classes)

    def finish() -> np.ndarray:
        names = [str(i) for i in range(n_classes)]
        report = with_maps(_blank(n, n_classes), tally, [str(i) for i in range(n)], names)
        ends = report.intervals["miou_present"]
        print(f"mIoU {report.metrics['miou_present']:.4f} [{ends.low:.4f}, {ends.high:.4f}]")
        return np.array([np.nan if row.iou is None else row.iou for row in report.classes])

    return tally.add, finish


def torchmetrics_loop(n_classes: int, n: int) -> tuple[Add, Finish]:
    import torch
    from torchmetrics.classification import MulticlassJaccardIndex

    judge = MulticlassJaccardIndex(
        n_classes, average="none", ignore_index=NO_LABEL, validate_args=False
    )

    def add(truth: np.ndarray, guess: np.ndarray) -> None:
        judge.update(
            torch.from_numpy(guess.astype(np.int64))[None],
            torch.from_numpy(truth.astype(np.int64))[None],
        )

    return add, lambda: judge.compute().numpy().astype(float)


def detectron2_loop(n_classes: int, n: int) -> tuple[Add, Finish]:
    matrix = np.zeros((n_classes + 1, n_classes + 1), np.int64)

    def add(truth: np.ndarray, guess: np.ndarray) -> None:
        labels = np.array(truth, dtype=np.int64)
        labels[labels == NO_LABEL] = n_classes
        answer = np.array(guess, dtype=np.int64)
        flat = (n_classes + 1) * answer.reshape(-1) + labels.reshape(-1)
        matrix[:] += np.bincount(flat, minlength=matrix.size).reshape(matrix.shape)

    def finish() -> np.ndarray:
        hit = matrix.diagonal()[:-1].astype(float)
        truth = matrix[:-1, :-1].sum(0).astype(float)
        union = truth + matrix[:-1, :-1].sum(1) - hit
        return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)

    return add, finish


PARTS: dict[str, Callable[[int, int], tuple[Add, Finish]]] = {
    "ours": ours,
    "torchmetrics": torchmetrics_loop,
    "detectron2": detectron2_loop,
}


def side_by_side(names: list[str], n_photos: int, n_classes: int) -> None:
    """Every loop counts each image before the next one is made: all share the machine alike."""
    loops = {name: PARTS[name](n_classes, n_photos) for name in names}
    seconds = dict.fromkeys(names, 0.0)
    for truth, guess in maps(n_photos, n_classes):
        for name, (add, _) in loops.items():
            start = time.process_time()
            add(truth, guess)
            seconds[name] += time.process_time() - start
    found: dict[str, np.ndarray] = {}
    for name, (_, finish) in loops.items():
        start = time.process_time()
        found[name] = finish()
        scored = time.process_time() - start
        apart = np.abs(np.nan_to_num(found[name]) - np.nan_to_num(found[names[0]])).max()
        print(
            f"{name}: {n_photos:,} images, {n_classes} classes: counted in {seconds[name]:.1f} "
            f"CPU s ({1000 * seconds[name] / n_photos:.1f} ms each), scores in {scored:.2f} CPU s; "
            f"an IoU differs from {names[0]} by at most {apart:.1e}",
            flush=True,
        )


def _blank(n_photos: int, n_classes: int) -> EvalReport:
    return EvalReport(
        data_set="x", list_id="x", system="x", command="x", n_photos=n_photos, n_classes=n_classes
    )


def peak_mib() -> float:
    """The most memory that this process has held, MiB; its parent's peak is not in it."""
    rows = Path("/proc/self/status").read_text().splitlines()
    line = next(row for row in rows if row.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def memory_of(n_photos: int, n_classes: int) -> None:
    """Counts in this process and prints its peak: before the first image, and at the end."""
    source = maps(n_photos, n_classes)
    first = next(source)
    before = peak_mib()
    tally = MapTally(n_classes)
    tally.add(*first)
    for truth, guess in source:
        tally.add(truth, guess)
    with_maps(_blank(n_photos, n_classes), tally, [str(i) for i in range(n_photos)])
    dense = 3 * n_classes * 8 * n_photos
    sums = tally.sums()
    sparse = sums.values.nbytes + sums.columns.nbytes + sums.starts.nbytes
    print(
        f"{n_photos:>6,} images, {n_classes} classes: peak {peak_mib():.0f} MiB, "
        f"{before:.0f} before the first; sums {sparse / 2**20:.1f} MiB, dense they "
        f"would be {dense / 2**20:.0f}, whole matrices {n_classes**2 * 8 * n_photos / 2**20:,.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--parts", default="ours,torchmetrics,detectron2,memory")
    parser.add_argument("--memory-of", type=int, help="inner: one process of the memory part")
    chosen = parser.parse_args()
    if chosen.memory_of:
        memory_of(chosen.memory_of, chosen.classes)
        return
    parts = chosen.parts.split(",")
    names = [part for part in parts if part in PARTS]
    if names:
        side_by_side(names, chosen.photos, chosen.classes)
    if "memory" in parts:
        for n_photos in (100, 500, chosen.photos):
            command = [sys.executable, __file__, "--memory-of", str(n_photos), "--classes", "847"]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
