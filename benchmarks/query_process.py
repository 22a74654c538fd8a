"""A whole `usearch query` process on 100,000 segments beside `import torch, open_clip`.

    python benchmarks/query_process.py
    python benchmarks/query_process.py --segments 1000000 --rounds 9

Processes are started in turn, so that a machine busy with something else is as unfair to one
as to the other. Wall time is what a person waits; processor time hardly depends on what else
runs. The store is synthetic (clustered unit vectors in the space of the preset), everything
else is the command as installed. Also measured: `usearch --help` beside a bare interpreter.
The search inside a process is measured by `benchmarks/search.py`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from usearch import masks
from usearch.models.presets import load_text_encoder
from usearch.records import EmbeddingSpace
from usearch.store import IndexedPhoto, PhotoRow, open_writer

PER_PHOTO = 100
GRID = (48, 64)


def build_store(path: Path, space: EmbeddingSpace, n_segments: int) -> None:
    """A store of photos with 100 segments each, vectors around 500 centres."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(500, space.dim)).astype(np.float32)
    tiles = []
    for i in range(PER_PHOTO):
        mask = np.zeros(GRID, bool)
        y, x = divmod(i, 10)
        mask[4 * y : 4 * y + 8, 6 * x : 6 * x + 8] = True
        tiles.append(mask)
    segments = masks.segments_from_masks(tiles, np.ones(PER_PHOTO))
    settings: dict[str, object] = {}
    with open_writer(
        path, space=space, preset="mini", segmenter="synthetic", segmenter_settings=settings
    ) as writer:
        for start in range(0, n_segments // PER_PHOTO, 200):
            photos = []
            for number in range(start, min(start + 200, n_segments // PER_PHOTO)):
                vectors = centres[rng.integers(0, 500, PER_PHOTO)]
                vectors = vectors + 0.7 * rng.normal(size=vectors.shape).astype(np.float32)
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                row = PhotoRow(
                    path=f"{number:06}.jpg", root="/photos", bytes=1, mtime_ns=number,
                    hash=f"{number:032x}", width=640, height=480, taken_at=None, camera=None,
                    status="ok", detail="",
                )  # fmt: skip
                photos.append(IndexedPhoto(row, segments, vectors.astype(np.float32)))
            writer.add(photos)
        writer.finish()


def timed(command: list[str], accepted: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """Wall and processor seconds of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        sys.exit(f"{command} ended with {process.returncode}: {errors.decode()}")
    return wall, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--text", default="red car")
    options = parser.parse_args()
    installed = Path(sys.executable).with_name("usearch")
    code = "import sys; from usearch.cli import main; sys.exit(main())"
    usearch = [str(installed)] if installed.exists() else [sys.executable, "-c", code]
    folder = Path(tempfile.mkdtemp(prefix="usearch-benchmark-"))
    try:
        store = folder / ".usearch"
        build_store(store, load_text_encoder("mini").space, options.segments)
        query = [*usearch, "query", options.text, "--store", str(store), "--json"]
        commands = {
            "usearch query": query,
            "import torch, open_clip": [sys.executable, "-c", "import torch, open_clip"],
            "usearch --help": [*usearch, "--help"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(options.rounds + 1):
            for name, command in commands.items():
                measured = timed(command, accepted=(0, 1))
                if turn:  # the first turn fills the file cache
                    times[name].append(measured)
        print(f"{'':26}{'wall s':>9}{'cpu s':>9}   (medians of {options.rounds})")
        median = {
            name: tuple(statistics.median(column) for column in zip(*rows, strict=True))
            for name, rows in times.items()
        }
        for name, (wall, cpu) in median.items():
            print(f"{name:26}{wall:9.3f}{cpu:9.3f}")
        ours, theirs = median["usearch query"], median["import torch, open_clip"]
        print(
            f"query / import torch, open_clip at {options.segments:,} segments: "
            f"{ours[0] / theirs[0]:.3f} of the wall time, {ours[1] / theirs[1]:.3f} of the "
            f"processor time (bar 0.167)"
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
