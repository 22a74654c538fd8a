"""Answers of a running `usearch serve` beside plain FAISS on the same vectors, in turns.

    python benchmarks/serve.py                       # 100,000 segments
    python benchmarks/serve.py --rows 10000 --rounds 20

A store of clustered random vectors in the space of `mini` is served by a process of its own,
as a user would run it. Each round asks one new text (its vector is not cached) and one known
one over HTTP, 10 and 30 hits, then searches the same vectors with `IndexFlatIP` in this
process. Wall milliseconds are what a client sees, as median and 90th percentile; processor
milliseconds are those of the server's process (of this one for FAISS), as mean. A busy machine
shows in the first, so the ratio of processor times is the figure that lasts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import faiss
import numpy as np
import psutil

from usearch.masks import segments_from_masks
from usearch.models.presets import mini_card
from usearch.store import IndexedPhoto, PhotoRow, open_snapshot, open_writer

PER_PHOTO = 50
WORDS = ("dog", "red car", "window", "tree", "blue sky", "person", "table", "old boat")


def make_store(path: Path, rows: int) -> None:
    """A store of `rows` segments with masks of a few shapes and clustered vectors."""
    rng = np.random.default_rng(0)
    space = mini_card().space
    centres = unit(rng.standard_normal((2_000, space.dim), dtype=np.float32))
    segments = segments_from_masks(blobs(rng), np.ones(PER_PHOTO))
    settings: dict[str, object] = {}
    with open_writer(
        path, space=space, preset="mini", segmenter="tree", segmenter_settings=settings
    ) as writer:
        for first in range(0, rows, 20_000):
            count = min(20_000, rows - first) // PER_PHOTO
            noise = rng.standard_normal((count * PER_PHOTO, space.dim), dtype=np.float32)
            near = centres[rng.integers(0, len(centres), len(noise))]
            vectors = unit(near + noise / np.float32(np.sqrt(space.dim)))
            writer.add(
                [
                    IndexedPhoto(photo_row(f"{first // PER_PHOTO + i}.jpg"), segments, part)
                    for i, part in enumerate(np.split(vectors, count))
                ]
            )


def blobs(rng: np.random.Generator) -> list[np.ndarray]:
    """Masks 480 x 640 with ragged edges, as segments have them."""
    y, x = np.mgrid[:480, :640]
    found = []
    for _ in range(PER_PHOTO):
        dy, dx = y - rng.integers(80, 400), x - rng.integers(80, 560)
        angle = np.arctan2(dy, dx)
        edge = 1 + 0.2 * np.sin(7 * angle) + 0.06 * np.sin(31 * angle)
        found.append(np.hypot(dy, dx) < rng.integers(15, 120) * edge)
    return found


def photo_row(name: str) -> PhotoRow:
    return PhotoRow(name, "/photos", 1, 1, "00", 640, 480, None, None, "ok", "")


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@contextmanager
def serving(store: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address of `usearch serve` over a store, and its process."""
    words = [sys.executable, "-m", "usearch", "serve", "--port", "0", "--store", str(store)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), psutil.Process(process.pid)
        finally:
            process.terminate()


def ask(address: str, **values: object) -> dict:
    url = f"{address}api/v1/search?{urlencode({'all': 'true', **values})}"
    with urllib.request.urlopen(url) as reply:
        return json.load(reply)


Times = dict[str, list[tuple[float, float]]]
"""Wall and processor milliseconds of each call, by what was called."""


def measure(rows: int, rounds: int) -> Times:
    times: Times = {}

    def timed(name: str, process: psutil.Process, call: Callable[[], object]) -> None:
        wall, used = time.perf_counter(), sum(process.cpu_times()[:2])
        call()
        took = time.perf_counter() - wall, sum(process.cpu_times()[:2]) - used
        times.setdefault(name, []).append((1e3 * took[0], 1e3 * took[1]))

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / ".usearch"
        make_store(store, rows)
        snapshot = open_snapshot(store)
        index = faiss.IndexFlatIP(snapshot.space.dim)
        every = snapshot.live_rows()
        for start in range(0, len(every), 20_000):
            index.add(snapshot.vectors(every[start : start + 20_000]))
        queries = unit(np.random.default_rng(1).standard_normal((rounds, snapshot.space.dim)))
        with serving(store) as (address, server):
            for word in WORDS:
                ask(address, q=word, k=30)  # caches of both sides are as they are in use
            for turn in range(rounds):
                word = WORDS[turn % len(WORDS)]
                query = queries[turn : turn + 1].astype(np.float32)
                timed(
                    "plain FAISS, 10 nearest",
                    psutil.Process(),
                    lambda query=query: index.search(query, 10),
                )
                timed("known text, 10 hits", server, lambda word=word: ask(address, q=word, k=10))
                timed("known text, 30 hits", server, lambda word=word: ask(address, q=word, k=30))
                new = f"{word} number {turn}"
                timed("new text, 10 hits", server, lambda new=new: ask(address, q=new, k=10))
                options = {"where": "area > 1%", "per_image": 1}
                timed(
                    "filter, one a photo, 30 hits",
                    server,
                    lambda word=word, o=options: ask(address, q=word, k=30, **o),
                )
                timed(
                    "health (HTTP alone)",
                    server,
                    lambda: urllib.request.urlopen(f"{address}api/v1/health").close(),
                )
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    times = measure(options.rows, options.rounds)
    base = statistics.mean(used for _, used in times["plain FAISS, 10 nearest"])
    print(f"{options.rows:,} segments, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    figures = {}
    for name, found in times.items():
        walls = sorted(wall for wall, _ in found)
        middle, slow = statistics.median(walls), walls[int(0.9 * len(walls))]
        used = statistics.mean(used for _, used in found)
        figures[name] = {"wall_ms": middle, "wall_p90_ms": slow, "cpu_ms": used}
        figures[name]["cpu_ratio"] = used / base
        print(
            f"{name:<30}{middle:8.1f} ms wall {slow:8.1f} p90 {used:8.1f} ms cpu"
            f"{used / base:7.2f} x FAISS"
        )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
