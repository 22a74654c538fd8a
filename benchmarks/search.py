"""Search inside the process: ours beside plain FAISS on the same vectors, in turns.

    python benchmarks/search.py                        # 10k, 100k and 1M rows of 448 values
    python benchmarks/search.py --rows 100000 --ivf    # also the derived index and its recall

Ours is `Snapshot.search` (float16 on disk, memory-mapped, checksums verified once); plain
FAISS is `IndexFlatIP` over the same values as float32 in memory. Each round runs one of each;
the figure is the median, in wall time and in processor time (a busy machine shows in the
first only). Vectors are clustered, as segments are: 2,000 centres with noise of equal length.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np

from usearch.records import EmbeddingSpace, FloatArray
from usearch.store import Snapshot, ivf, vectors
from usearch.store.manifest import Manifest
from usearch.store.parts import PHOTO_SCHEMA, SEGMENT_SCHEMA, SegmentRows, write_part

PER_PHOTO = 50
CHUNK = 16_400


def clustered(rng: np.random.Generator, centres: FloatArray, n: int) -> FloatArray:
    """float32 [n, D], unit length, each at about 45 degrees from a centre."""
    dim = centres.shape[1]
    noise = rng.standard_normal((n, dim), dtype=np.float32) / np.float32(np.sqrt(dim))
    found = centres[rng.integers(0, len(centres), n)] + noise
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def make_store(path: Path, rows: int, dim: int) -> Snapshot:
    """A store whose segments have vectors and nothing else of interest."""
    import pyarrow as pa

    rng = np.random.default_rng(0)
    centres = clustered(rng, np.zeros((1, dim), np.float32), 2_000)

    def photos(first: int, n: int) -> pa.Table:
        count = n // PER_PHOTO
        values = {
            "photo_id": range(first // PER_PHOTO, first // PER_PHOTO + count),
            "path": [f"{first}/{i}" for i in range(count)],
            "n_segments": [PER_PHOTO] * count,
        }
        for field in PHOTO_SCHEMA:
            filler = "" if field.type == pa.string() else 1
            values.setdefault(field.name, [filler] * count)
        return pa.Table.from_pydict(values, schema=PHOTO_SCHEMA)

    def segments(first: int, n: int) -> Iterator[SegmentRows]:
        ids = np.arange(first, first + n)
        values = {name: np.ones(n) for name in SEGMENT_SCHEMA.names}
        values["photo_id"] = ids // PER_PHOTO
        values["segment_id"] = ids // PER_PHOTO * 65_536 + ids % PER_PHOTO
        values["rle"] = np.full(n, b"01", object)
        arrays = [pa.array(values[f.name]).cast(f.type) for f in SEGMENT_SCHEMA]
        table = pa.Table.from_arrays(arrays, schema=SEGMENT_SCHEMA)
        yield SegmentRows(table, clustered(rng, centres, n).astype(np.float16))

    entries = []
    for first in range(0, rows, CHUNK * 8):
        n = min(CHUNK * 8, rows - first)
        entries.append(write_part(path, 1, photos=photos(first, n), segments=segments(first, n)))
    manifest = Manifest(
        store_id="bench",
        version=1,
        created_at="",
        changed_at="",
        space=EmbeddingSpace("bench", dim, "bench"),
        preset="bench",
        segmenter="bench",
        segmenter_settings={},
        next_photo_id=rows // PER_PHOTO,
        parts=tuple(entries),
    )
    return Snapshot(path, manifest)


def in_turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median (wall, processor) milliseconds of each call, run one after the other in turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            wall, processor = time.perf_counter(), time.process_time()
            call()
            if turn:  # the first round warms up
                times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {
        name: tuple(1e3 * statistics.median(t[i] for t in found) for i in (0, 1))
        for name, found in times.items()
    }


def plain_faiss(snapshot: Snapshot) -> faiss.IndexFlatIP:
    index = faiss.IndexFlatIP(snapshot.space.dim)
    for part in snapshot.parts:
        for start in range(0, len(part.vectors), CHUNK):
            index.add(part.vectors[start : start + CHUNK].astype(np.float32))
    return index


def measure(rows: int, dim: int, rounds: int, with_ivf: bool) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        snapshot = make_store(Path(folder), rows, dim)
        plain = plain_faiss(snapshot)
        faiss.omp_set_num_threads(vectors.threads())
        rng = np.random.default_rng(1)
        some = rng.choice(rows, 64, replace=False)
        queries = clustered(rng, snapshot.gather(some).astype(np.float32), 64)
        share = np.flatnonzero(rng.uniform(size=rows) < 0.1)
        few = np.sort(rng.choice(rows, min(rows, 2_000), replace=False))
        for q in (1, 64):
            asked = queries[:q]
            calls: dict[str, Callable[[], object]] = {
                "plain FAISS flat": lambda asked=asked: plain.search(asked, 10),
                "ours, exact": lambda asked=asked: snapshot.search(asked, 10, exact=True),
            }
            if q == 1:
                calls["ours, 10 % allowed"] = lambda: snapshot.search(queries[:1], 10, share)
                calls["ours, 2,000 allowed"] = lambda: snapshot.search(queries[:1], 10, few)
                calls["ours, first search"] = lambda: vectors.search_blocks(
                    snapshot._blocks(snapshot.alive), queries[:1], 10, first=True
                )
            base = None
            for name, (wall, processor) in in_turns(calls, rounds).items():
                base = base or (wall, processor)
                ratios = wall / base[0], processor / max(base[1], 1e-3)
                found.append(
                    {"rows": rows, "queries": q, "what": name, "wall_ms": wall}
                    | {"cpu_ms": processor, "wall_ratio": ratios[0], "cpu_ratio": ratios[1]}
                )
        assert_same(snapshot.search(queries, 10, exact=True)[0], plain.search(queries, 10)[0])
        if with_ivf:
            found += measure_ivf(snapshot, plain, queries, rounds)
    return found


def assert_same(ours: FloatArray, theirs: FloatArray) -> None:
    """The ratio means nothing unless both give the same answer."""
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def measure_ivf(
    snapshot: Snapshot, plain: faiss.IndexFlatIP, queries: FloatArray, rounds: int
) -> list[dict[str, object]]:
    start, processor = time.perf_counter(), time.process_time()
    indexed = ivf.ensure_index(snapshot, pays_from=1)
    took = time.perf_counter() - start, time.process_time() - processor
    entry = indexed.manifest.index
    assert entry is not None
    truth = plain.search(queries, 10)[1]
    rows = indexed.search(queries, 10)[1]
    recall = np.mean([np.isin(t, r).mean() for t, r in zip(truth, rows, strict=True)])
    times = in_turns(
        {
            "plain FAISS flat": lambda: plain.search(queries[:1], 10),
            "ours, index": lambda: indexed.search(queries[:1], 10),
        },
        rounds,
    )
    wall, used = times["ours, index"]
    return [
        {"rows": entry.rows, "queries": 1, "what": f"ours, {entry.kind} nprobe {entry.nprobe}"}
        | {"wall_ms": wall, "cpu_ms": used, "wall_ratio": wall / times["plain FAISS flat"][0]}
        | {"cpu_ratio": used / times["plain FAISS flat"][1], "recall@10": float(recall)}
        | {"build_s": took[0], "build_cpu_s": took[1], "bytes": entry.sum.size}
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=448)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ivf", action="store_true", help="build the derived index as well")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    every = []
    print(f"{vectors.threads()} thread(s), {options.dim} values a row; ms are medians")
    for rows in options.rows:
        for line in measure(rows, options.dim, options.rounds, options.ivf):
            every.append(line)
            more = "".join(
                f"  {k} {line[k]:.3g}" for k in ("recall@10", "build_s", "bytes") if k in line
            )
            print(
                f"{rows:>9,} rows {line['queries']:>3} queries  {line['what']:<26}"
                f"{line['wall_ms']:9.2f} ms wall {line['wall_ratio']:5.2f} x "
                f"{line['cpu_ms']:9.2f} ms cpu {line['cpu_ratio']:5.2f} x{more}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(every, indent=1))


if __name__ == "__main__":
    main()
