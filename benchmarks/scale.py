"""A store of millions of segments: built, opened, asked, filtered, grown, shrunk.

    python benchmarks/scale.py --segments 200000 --folder /tmp/scale --step all
    python benchmarks/scale.py --segments 10000000 --folder /data/scale --step build
    python benchmarks/scale.py --folder /data/scale --step query
    python benchmarks/scale.py --folder /data/scale --step report

Each step runs alone, in a process of its own, on the store that is in the folder; `all` starts
them one after the other. `build` goes on where it stopped. Figures go to figures.jsonl in the
folder, and `report` prints the newest of each step.

The store is written by the real `Writer`: photos of 100 segments (nested, with outlines like
those of a segmenter), ten years of dates, four cameras, vectors around 20,000 things in 200
topics. They are harder to search than those of the bundled model: more directions matter
(`effective_dimension` counts them: the participation ratio of the variances).

Times are processor time of one thread unless they are called wall, and stand beside a baseline
measured in the same process: a machine that does something else makes seconds meaningless.
Memory is the most that the process held itself (`own`), and that together with the files it
had mapped (`resident`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from usearch import masks
from usearch.filters import matching_rows, parse_filter
from usearch.records import EmbeddingSpace, FloatArray, Segments
from usearch.store import IndexedPhoto, PhotoRow, Writer, open_snapshot, open_writer
from usearch.store.ivf import ensure_index

PER_PHOTO = 100
BATCH = 400
"""Photos that are committed together."""

CENTRES = 20_000
TOPICS = 200
GRID = (96, 128)
TEMPLATES = 40
QUERIES = 100
STEPS = ("build", "index", "open", "query", "filter", "append", "remove", "compact")
CAMERAS = ("Canon EOS 5D", "Apple iPhone 12", "NIKON D750", None)
FILTERS = {
    "0.01 %": 'path ~ "2014/03/*" and area > 20% and left < 2%',
    "1 %": "area > 25% and taken_at >= 2016 and touches_border",
    "50 %": "taken_at >= 2019",
}


def spread(dim: int) -> FloatArray:
    """float32 [dim]: directions matter unequally, as those of embeddings do."""
    found = np.arange(1, dim + 1, dtype=np.float32) ** np.float32(-0.6)
    unit: FloatArray = found / np.linalg.norm(found)
    return unit


def centres(dim: int) -> FloatArray:
    """float32 [CENTRES, dim]: things, each near one of 200 topics; the same in every process."""
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((TOPICS, dim), dtype=np.float32)
    things = rng.standard_normal((CENTRES, dim), dtype=np.float32)
    found: FloatArray = (topics[rng.integers(0, TOPICS, CENTRES)] + 0.8 * things) * spread(dim)
    return found


def around(rng: np.random.Generator, middles: FloatArray, n: int) -> FloatArray:
    """float32 [n, dim], unit length, each around one of the centres."""
    dim = middles.shape[1]
    found = rng.standard_normal((n, dim), dtype=np.float32)
    found *= 0.8 * spread(dim)
    # Some things are in every photo, most in few: they are drawn with unequal shares.
    found += middles[(CENTRES * rng.uniform(size=n) ** 2).astype(np.int64)]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def template(rng: np.random.Generator) -> Segments:
    """A photo's segments: wavy blobs, each but the first inside an earlier one."""
    height, width = GRID
    y, x = np.mgrid[:height, :width]
    found = [np.ones(GRID, bool)]
    parents = [-1]
    while len(found) < PER_PHOTO:
        parent = int(rng.integers(0, len(found)))
        ys, xs = np.nonzero(found[parent])
        if len(ys) < 60:
            continue
        at = int(rng.integers(0, len(ys)))
        radius = np.sqrt(len(ys) / np.pi) * rng.uniform(0.25, 0.8)
        angle = np.arctan2(y - ys[at], x - xs[at])
        wave = 1 + 0.2 * np.sin(5 * angle + rng.uniform(0, 6)) + 0.1 * np.sin(13 * angle)
        blob = (np.hypot(y - ys[at], x - xs[at]) < radius * wave) & found[parent]
        if blob.sum() > 8:
            found.append(blob)
            parents.append(parent)
    return masks.segments_from_masks(found, rng.uniform(0.3, 1, PER_PHOTO), parents)


def photo_row(number: int) -> PhotoRow:
    """A photo of its own day, folder and camera."""
    month = number % 120
    day, second = number // 120 % 28 + 1, number % 60
    year, month = 2014 + month // 12, month % 12 + 1
    camera = CAMERAS[number % 4]
    return PhotoRow(
        path=f"{year}/{month:02}/IMG_{number:07}.jpg",
        root="/photos",
        bytes=1_000_000 + 37 * number % 4_000_000,
        mtime_ns=1_700_000_000_000_000_000 + number,
        hash=f"{number:032x}",
        width=4032,
        height=3024,
        taken_at=f"{year}-{month:02}-{day:02}T12:00:{second:02}" if camera else None,
        camera=camera,
        status="ok",
        detail="",
    )


def photos_from(first: int, n: int, dim: int, kinds: list[Segments]) -> list[IndexedPhoto]:
    """Photos number first, first + 1, ...: the same in every process."""
    rng = np.random.default_rng([1, first])
    vectors = around(rng, _centres(dim), n * PER_PHOTO).reshape(n, PER_PHOTO, dim)
    picked = rng.integers(0, len(kinds), n)
    return [IndexedPhoto(photo_row(first + i), kinds[picked[i]], vectors[i]) for i in range(n)]


def unit(vectors: FloatArray) -> FloatArray:
    found: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


_kept: dict[int, FloatArray] = {}


def _centres(dim: int) -> FloatArray:
    if dim not in _kept:
        _kept[dim] = centres(dim)
    return _kept[dim]


def writer(folder: Path, dim: int) -> Writer:
    return open_writer(
        folder / "store",
        space=EmbeddingSpace("synthetic", dim, "synthetic"),
        preset="synthetic",
        segmenter="synthetic",
        segmenter_settings={},
    )


class Usage:
    """Seconds of a piece of work, and the most memory held during it, in bytes."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0
        self.own = self.resident = 0


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure what happens inside: memory twenty times a second, from /proc."""
    usage, stop = Usage(), threading.Event()

    def watch() -> None:
        while True:
            held = dict(
                line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
            )
            usage.own = max(usage.own, 1024 * int(held["RssAnon"].split()[0]))
            usage.resident = max(usage.resident, 1024 * int(held["VmRSS"].split()[0]))
            if stop.wait(0.05):
                return

    watcher = threading.Thread(target=watch)
    wall, processor = time.perf_counter(), time.process_time()
    watcher.start()
    try:
        yield usage
    finally:
        usage.wall, usage.processor = time.perf_counter() - wall, time.process_time() - processor
        stop.set()
        watcher.join()


def build(folder: Path, segments: int, dim: int) -> dict[str, object]:
    """Photos into the store, from where it is; the vector index is a step of its own."""
    rng = np.random.default_rng(2)
    kinds = [template(rng) for _ in range(TEMPLATES)]
    total = segments // PER_PHOTO
    made = 0.0
    with measured() as all_of_it, writer(folder, dim) as store:
        first = done = store.snapshot.n_photos
        while done < total:
            start = time.process_time()
            photos = photos_from(done, min(BATCH, total - done), dim, kinds)
            made += time.process_time() - start
            store.add(photos)
            done += len(photos)
            if done // BATCH % 25 == 0:
                print(f"{done:,} photos, {all_of_it.own / 1e9:.2f} GB", file=sys.stderr, flush=True)
        size = bytes_of(folder)
        sample = around(rng, _centres(dim), 20_000)
        variances = np.linalg.eigvalsh(np.cov(sample.T))
        parts = len(store.snapshot.parts)
    plain = write_plainly(folder, kinds, dim)
    rows = (total - first) * PER_PHOTO
    processor = all_of_it.processor - made
    return {
        "photos": total - first,
        "processor_us_per_segment": 1e6 * processor / max(rows, 1),
        "wall_us_per_segment": 1e6 * (all_of_it.wall - made) / max(rows, 1),
        "plain_us_per_segment": plain,
        "ratio": 1e6 * processor / max(rows, 1) / plain,
        "parts": parts,
        "effective_dimension": float(variances.sum() ** 2 / (variances**2).sum()),
        **size,
        **memory(all_of_it),
    }


def write_plainly(folder: Path, kinds: list[Segments], dim: int) -> float:
    """Processor microseconds a segment to write the same vectors and masks and nothing else."""
    photos = photos_from(0, BATCH, dim, kinds)
    start = time.process_time()
    with (folder / "plain").open("wb") as out:
        for photo in photos:
            assert photo.segments is not None and photo.vectors is not None
            out.write(photo.vectors.astype(np.float16).data)
            out.write(b"".join(photo.segments.rles))
        os.fsync(out.fileno())
    took = time.process_time() - start
    (folder / "plain").unlink()
    return 1e6 * took / (BATCH * PER_PHOTO)


def bytes_of(folder: Path) -> dict[str, object]:
    """Bytes a segment on disk, by what they are for."""
    facts = open_snapshot(folder / "store").info()
    sizes: dict[str, int] = facts["bytes"]  # type: ignore[assignment]
    rows: int = facts["segments"]  # type: ignore[assignment]
    return {
        "segments": rows,
        "bytes_per_segment": {name: round(size / rows, 1) for name, size in sizes.items()},
    }


def index(folder: Path) -> dict[str, object]:
    """The vector index, as `Writer.finish` makes it."""
    dim = open_snapshot(folder / "store").space.dim
    with measured() as usage, writer(folder, dim) as store:
        store.snapshot = ensure_index(store.snapshot, pays_from=1)
        entry = store.snapshot.manifest.index
        assert entry is not None
    rng = np.random.default_rng(3)
    block = rng.standard_normal((4096, dim), dtype=np.float32)
    other = rng.standard_normal((int(entry.kind[3:].split(",")[0]), dim), dtype=np.float32)
    product = seconds(lambda: block @ other.T) / len(block)
    return {
        "rows": entry.rows,
        "kind": entry.kind,
        "nprobe": entry.nprobe,
        "recall_when_built": entry.recall,
        "processor_s": usage.processor,
        "wall_s": usage.wall,
        "baseline": "NumPy: products of all vectors with all centres, once",
        "baseline_processor_s": product * entry.rows,
        "ratio": usage.processor / (product * entry.rows),
        "bytes_per_segment": entry.sum.size / entry.rows,
        **memory(usage),
    }


def open_(folder: Path) -> dict[str, object]:
    """A process that opens the store and asks once, beside one that asks a store of 20,000."""
    code = (
        "import sys, time, json, resource, numpy as np\n"
        "from pathlib import Path\n"
        "from usearch.store import open_snapshot\n"
        "a = time.perf_counter()\n"
        "s = open_snapshot(Path(sys.argv[1]))\n"
        "b = time.perf_counter()\n"
        "q = np.random.default_rng(0).standard_normal((1, s.space.dim)).astype(np.float32)\n"
        "_, rows = s.search(q, 10)\n"
        "c = time.perf_counter()\n"
        "s.segments(rows[0])\n"
        "d = time.perf_counter()\n"
        "own = [l.split()[1] for l in open('/proc/self/status') if l.startswith('RssAnon')][0]\n"
        "u = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(json.dumps({'open': b-a, 'search': c-b, 'hits': d-c, 'own': 1024*int(own),"
        " 'processor': u.ru_utime+u.ru_stime}))\n"
    )
    small = folder / "small"
    if not small.exists():
        snapshot = open_snapshot(folder / "store")
        rng = np.random.default_rng(2)
        with writer(small, snapshot.space.dim) as store:
            store.add(photos_from(0, 200, snapshot.space.dim, [template(rng)]))

    def ask(store: Path) -> dict[str, float]:
        runs = []
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", code, str(store)], capture_output=True, check=True
            )
            runs.append(json.loads(done.stdout))
        return min(runs, key=lambda run: run["processor"])

    large, little = ask(folder / "store"), ask(small / "store")
    return {
        "open_ms": 1e3 * large["open"],
        "first_search_ms": 1e3 * large["search"],
        "first_hits_ms": 1e3 * large["hits"],
        "process_processor_s": large["processor"],
        "baseline": "the same process on a store of 20,000 segments",
        "baseline_processor_s": little["processor"],
        "ratio": large["processor"] / little["processor"],
        "own": int(large["own"]),
    }


def questions(folder: Path) -> dict[str, FloatArray]:
    """New vectors around the same centres, and the centres themselves (what a text is like)."""
    dim = open_snapshot(folder / "store").space.dim
    rng = np.random.default_rng(9)
    return {
        "new segments": around(rng, _centres(dim), QUERIES),
        "centres": unit(_centres(dim)[rng.choice(CENTRES, QUERIES, replace=False)]),
    }


def query(folder: Path) -> dict[str, object]:
    """Questions inside one process, beside plain FAISS over the same lists, and exact search."""
    import faiss

    snapshot = open_snapshot(folder / "store")
    entry = snapshot.manifest.index
    found: dict[str, object] = {}
    with measured() as usage:
        asked = questions(folder)
        snapshot.search(asked["centres"][:1], 10)
        for name, vectors in asked.items():
            truth = snapshot.search(vectors, 10, exact=True)[1]
            rows = np.concatenate([snapshot.search(v, 10)[1] for v in vectors])
            hits = [np.isin(t, r).mean() for t, r in zip(truth, rows, strict=True)]
            found[f"recall@10, {name}"] = float(np.mean(hits))
        vectors = asked["new segments"]
        ours = each(lambda v: snapshot.search(v, 10), vectors)
        hits_too = each(lambda v: snapshot.segments(snapshot.search(v, 10)[1][0]), vectors)
        exact = each(lambda v: snapshot.search(v, 10, exact=True), vectors[:5])
    flat, rows = plain_flat(snapshot)
    share = snapshot.n_segments / rows
    plain_exact = share * each(lambda v: flat.search(v[None], 10), vectors[:5])
    found |= {
        "ours_ms": 1e3 * ours,
        "ours_with_hits_ms": 1e3 * hits_too,
        "exact_ms": 1e3 * exact,
        "plain_flat_ms": 1e3 * plain_exact,
        "plain_flat_rows": rows,
        "exact_ratio": exact / plain_exact,
    }
    if entry is not None and snapshot.index is not None:
        lists = snapshot.index.index
        faiss.omp_set_num_threads(1)
        parameters = faiss.SearchParametersIVF(nprobe=entry.nprobe)
        plain = each(lambda v: lists.search(v[None], 10, params=parameters), vectors)
        found |= {
            "nprobe": entry.nprobe,
            "plain_ivf_ms": 1e3 * plain,
            "ratio": ours / plain,
            "baseline": "FAISS over the same lists, as many probed, without exact scores",
        }
    return found | memory(usage)


def plain_flat(snapshot: object, most: int = 1_000_000) -> tuple[object, int]:
    """FAISS `IndexFlatIP` over the first rows, float32 in memory."""
    import faiss

    dim = snapshot.space.dim  # type: ignore[attr-defined]
    flat = faiss.IndexFlatIP(dim)
    for part in snapshot.parts:  # type: ignore[attr-defined]
        if flat.ntotal >= most:
            break
        flat.add(part.vectors[: most - flat.ntotal].astype(np.float32))
    faiss.omp_set_num_threads(1)
    return flat, flat.ntotal


def each(call: Callable[[FloatArray], object], vectors: FloatArray) -> float:
    """Median processor seconds of a call on one vector."""
    return float(np.median([seconds(lambda v=v: call(v), 1) for v in vectors]))  # type: ignore[misc]


def seconds(call: Callable[[], object], rounds: int = 5) -> float:
    """Median processor seconds of a call."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return float(np.median(times))


def filter_(folder: Path) -> dict[str, object]:
    """Filters of three widths: first in a process, again, and the search under them."""
    found: dict[str, object] = {}
    vector = questions(folder)["new segments"][:1]
    with measured() as usage:
        for name, text in FILTERS.items():
            fresh = open_snapshot(folder / "store")
            condition = parse_filter(text)
            first = seconds(lambda s=fresh, c=condition: matching_rows(s, c), 1)  # type: ignore[misc]
            again = seconds(lambda s=fresh, c=condition: matching_rows(s, c), 3)  # type: ignore[misc]
            rows = matching_rows(fresh, condition)
            fresh.search(vector, 10, rows)
            search = seconds(lambda s=fresh, r=rows: s.search(vector, 10, r), 3)  # type: ignore[misc]
            exact = check_filter(fresh, rows, vector)
            found[name] = {
                "where": text,
                "rows": len(rows),
                "first_ms": 1e3 * first,
                "again_ms": 1e3 * again,
                "search_ms": 1e3 * search,
                "exact": exact,
            }
    snapshot = open_snapshot(folder / "store")
    area = np.random.default_rng(0).uniform(size=snapshot.n_segments).astype(np.float32)
    plain = seconds(lambda: np.flatnonzero(area > 0.5))
    ours = parse_filter("area > 50%")
    matching_rows(snapshot, ours)
    again = seconds(lambda: matching_rows(snapshot, ours), 3)
    return found | {
        "plain_comparison_ms": 1e3 * plain,
        "area > 50 %, again_ms": 1e3 * again,
        "ratio": again / plain,
        "baseline": "NumPy: one comparison of as many float32 in memory, and its places",
        **memory(usage),
    }


def check_filter(snapshot: object, rows: np.ndarray, vector: FloatArray) -> bool:
    """Whether a filtered search gives the best of these rows, by plain products."""
    truth = np.full(10, -np.inf, np.float32)
    for start in range(0, len(rows), 50_000):
        cosines = snapshot.vectors(rows[start : start + 50_000]) @ vector[0]  # type: ignore[attr-defined]
        truth = -np.sort(-np.concatenate([truth, cosines]))[:10]
    cosines, found = snapshot.search(vector, 10, rows)  # type: ignore[attr-defined]
    truth = truth[np.isfinite(truth)]
    return bool(np.allclose(cosines[0], truth, atol=1e-5) and np.isin(found, rows).all())


def append(folder: Path) -> dict[str, object]:
    """100 photos more, and a question right after."""
    dim = open_snapshot(folder / "store").space.dim
    rng = np.random.default_rng(2)
    kinds = [template(rng)]
    with measured() as usage:
        start = time.process_time()
        store = writer(folder, dim)
        opened = time.process_time() - start
        first = store.snapshot.manifest.next_photo_id
        photos = photos_from(10_000_000 + first, 100, dim, kinds)
        add = seconds(lambda: store.add(photos), 1)
        finish = seconds(store.finish, 1)
        store.close()
        start = time.process_time()
        snapshot = open_snapshot(folder / "store")
        new = photos[7].vectors
        assert new is not None
        _, rows = snapshot.search(new[:1], 1)
        ask = time.process_time() - start
        again = each(lambda v: snapshot.search(v, 10), questions(folder)["new segments"])
    at = int(rows[0, 0])
    return {
        "open_writer_s": opened,
        "add_10k_segments_s": add,
        "finish_s": finish,
        "open_and_ask_s": ask,
        "again_ms": 1e3 * again,
        "found_itself": bool(at >= snapshot.offsets[-1] - 10_000),
        **memory(usage),
    }


def remove(folder: Path) -> dict[str, object]:
    """Every hundredth photo goes; none of its segments is found."""
    snapshot = open_snapshot(folder / "store")
    ids = snapshot.photos()["photo_id"].to_numpy()[::100].tolist()
    with measured() as usage, writer(folder, snapshot.space.dim) as store:
        took = seconds(lambda: store.remove(ids), 1)
    after = open_snapshot(folder / "store")
    with measured():
        vectors = questions(folder)["new segments"]
        ask = each(lambda v: after.search(v, 10), vectors)
        rows = np.concatenate([after.search(v, 10)[1].ravel() for v in vectors])
    gone = np.isin(after.stored_segments(rows)["photo_id"].to_numpy(), ids)
    return {
        "photos": len(ids),
        "remove_s": took,
        "query_ms": 1e3 * ask,
        "gone_are_gone": not bool(gone.any()),
        "manifest_bytes": (folder / "store" / "manifest.json").stat().st_size,
        **memory(usage),
    }


def compact(folder: Path) -> dict[str, object]:
    """What was removed leaves the files; the index is carried over."""
    from usearch.store import compact_store

    with measured() as usage:
        freed = compact_store(folder / "store")
    after = open_snapshot(folder / "store")
    vectors = questions(folder)["new segments"]
    truth = after.search(vectors, 10, exact=True)[1]
    rows = np.concatenate([after.search(v, 10)[1] for v in vectors])
    recall = np.mean([np.isin(t, r).mean() for t, r in zip(truth, rows, strict=True)])
    rows_of = int(after.offsets[-1])
    return {
        "wall_s": usage.wall,
        "processor_us_per_segment": 1e6 * usage.processor / rows_of,
        "freed_bytes": freed,
        "parts": len(after.parts),
        "indexed": after.manifest.index is not None and after.manifest.index.rows == rows_of,
        "recall@10": float(recall),
        **memory(usage),
    }


def memory(usage: Usage) -> dict[str, object]:
    return {"own": usage.own, "resident": usage.resident}


def record(folder: Path, step: str, figures: dict[str, object]) -> None:
    """Append a step's figures, with what the machine was doing."""
    load = os.getloadavg()[0]
    line = {"step": step, "load": round(load, 1), **figures}
    with (folder / "figures.jsonl").open("a") as out:
        out.write(json.dumps(line) + "\n")
    print(json.dumps(line, indent=1), flush=True)


def report(folder: Path) -> None:
    """The newest figures of each step."""
    lines = [json.loads(line) for line in (folder / "figures.jsonl").read_text().splitlines()]
    newest = {line["step"]: line for line in lines}
    for step in STEPS:
        for key, value in newest.get(step, {}).items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {_short(v)}" for k, v in value.items())
            print(f"{step:<8} {key:<28} {_short(value)}")


def _short(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=448)
    parser.add_argument("--folder", type=Path, required=True, help="where the store is kept")
    parser.add_argument("--step", choices=(*STEPS, "all", "report"), default="all")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.step == "report":
        report(options.folder)
        return
    if options.step == "all":
        for step in STEPS:
            subprocess.run([sys.executable, *sys.argv, "--step", step], check=True)
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    calls: dict[str, Callable[[], dict[str, object]]] = {
        "build": lambda: build(options.folder, options.segments, options.dim),
        "index": lambda: index(options.folder),
        "open": lambda: open_(options.folder),
        "query": lambda: query(options.folder),
        "filter": lambda: filter_(options.folder),
        "append": lambda: append(options.folder),
        "remove": lambda: remove(options.folder),
        "compact": lambda: compact(options.folder),
    }
    record(options.folder, options.step, calls[options.step]())


if __name__ == "__main__":
    main()
