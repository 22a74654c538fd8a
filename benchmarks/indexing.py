"""Speed, memory and use of the cores of `usearch index`, beside the bare decoding of the photos.

    python benchmarks/indexing.py ../shared/data/coco-stuff100/images
    python benchmarks/indexing.py PHOTOS --preset mini --sizes 200 2000 --workers 2
    python benchmarks/indexing.py PHOTOS --preset toy    # what is around the models, alone

Photos are copied until there are enough; each copy gets bytes of its own behind the end of
its picture, so that no two have the same content. Reported for each size: photos a second
end to end (a whole process, from start to exit), what the stages take, the peak memory of
the process and its workers, how busy the cores were, and a second run with nothing new. On a
machine that does other work too, the rate computed from the CPU time is the one to read.
The floor is `indexer.photos.decode` alone, on one core, on the same photos.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import psutil

from indexer.photos import PhotoError, decode, discover

TESTS = Path(__file__).resolve().parent.parent / "tests"
TOY_PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
import usearch.cli.index
from toys import load_toys
usearch.cli.index._loader = lambda *_: load_toys
if __name__ == "__main__":
    sys.exit(usearch.cli.main())
"""


@dataclass
class Run:
    """What a process and its children took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    peak_worker_bytes: int
    report: dict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder with photos to copy from")
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--workers", type=int, help="default: one a core")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores, load {os.getloadavg()[0]:.1f} before the run")
    print(f"Python {platform.python_version()}, preset {options.preset}")
    pool = [Path(photo.full_path) for photo in discover([options.photos])]
    with tempfile.TemporaryDirectory() as name:
        for size in options.sizes:
            folder, store = Path(name) / f"photos-{size}", Path(name) / f"store-{size}"
            make_copies(pool, folder, size)
            floor = decode_rate(folder, min(size, 200))
            command = program(options.preset, Path(name))
            command += ["index", str(folder), "--json", "--store", str(store)]
            command += ["--preset", options.preset]
            command += ["--workers", str(options.workers)] if options.workers else []
            first = measured(command)
            again = measured(command)
            show(size, floor, first, again, cores)
            shutil.rmtree(folder)
    return 0


def program(preset: str, work: Path) -> list[str]:
    """The usearch command; for the preset "toy" with the toy models of the tests."""
    if preset != "toy":
        return [sys.executable, "-m", "usearch"]
    path = work / "toy_usearch.py"
    path.write_text(TOY_PROGRAM.format(tests=str(TESTS)))
    return [sys.executable, str(path)]


def make_copies(pool: list[Path], folder: Path, size: int) -> None:
    folder.mkdir()
    for number, source in enumerate(islice(cycle(pool), size)):
        copy = folder / f"{number:05d}{source.suffix}"
        copy.write_bytes(source.read_bytes() + b"copy %d" % number)


def decode_rate(folder: Path, count: int) -> float:
    """Photos a second of CPU time of decoding alone."""
    photos = list(islice(discover([folder]), count))
    start = time.process_time()
    for photo in photos:
        try:
            decode(photo.full_path)
        except PhotoError:
            continue
    return len(photos) / (time.process_time() - start)


def measured(command: list[str]) -> Run:
    """Runs a command that prints one JSON object, and watches its whole family."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peaks = [0, 0]
    watcher = threading.Thread(target=watch, args=(process.pid, peaks))
    watcher.start()
    out, _ = process.communicate()
    seconds = time.perf_counter() - start
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, peaks[0], peaks[1], json.loads(out))


def watch(pid: int, peaks: list[int]) -> None:
    """Notes the peak of a family's resident memory, together and of its largest member."""
    try:
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            sizes = []
            for member in [parent, *parent.children(recursive=True)]:
                try:
                    sizes.append(member.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            peaks[0] = max(peaks[0], sum(sizes))
            peaks[1] = max([peaks[1], *sizes])
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        return


def show(size: int, floor: float, first: Run, again: Run, cores: int) -> None:
    report = first.report
    rate = report["indexed"] / first.seconds
    print(f"\n{size} photos ({report['segments'] / max(report['indexed'], 1):.0f} segments each)")
    print(f"  index, end to end    {rate:7.2f} photos/s   {first.seconds:.1f} s")
    print(f"  decode alone, 1 core {floor:7.2f} photos/s   index / floor = {rate / floor:.3f}")
    busy = first.cpu_seconds / (first.seconds * cores)
    full = cores * report["indexed"] / first.cpu_seconds
    print(f"  cores busy           {busy:7.0%}            {first.cpu_seconds:.1f} CPU s")
    print(f"  with all to itself   {full:7.2f} photos/s   computed from the CPU time")
    for stage, seconds in report["worker_seconds"].items():
        each = 1000 * seconds / max(report["indexed"], 1)
        print(f"  {stage:<8}             {each:7.1f} ms a photo (of one process)")
    print(
        f"  peak memory          {first.peak_bytes / 1e6:7.0f} MB all processes, "
        f"{first.peak_worker_bytes / 1e6:.0f} MB the largest"
    )
    print(
        f"  again, nothing new   {again.seconds:7.2f} s          {again.cpu_seconds:.2f} CPU s, "
        f"{again.peak_bytes / 1e6:.0f} MB, {again.report['indexed']} indexed"
    )


if __name__ == "__main__":
    sys.exit(main())
