"""Kills `index` at random instants with SIGKILL, resumes it, and checks the store each time.

    python benchmarks/kill_resume.py                     # 50 kills with toy models
    python benchmarks/kill_resume.py --preset mini --photos ~/Pictures --kills 20

A round begins with an empty store. Runs are killed, whole process group at once, after a
random time; after every kill the store must be whole (files of no version may lie about,
the next writer removes them). When a run gets through, or after ten kills, a last run
completes the round: the store must be clean, every photo there exactly once and no segment
twice. The toy runs commit every 50 ms, so that many kills fall into a commit.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.photos import discover
from usearch.store import check_store, open_snapshot

TESTS = Path(__file__).resolve().parent.parent / "tests"

_LEFT_BEHIND = "belongs to no version"

TOY_RUN = """
import sys
from functools import partial
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from toys import load_mined
import indexer.batch
import indexer.pipeline
if __name__ == "__main__":
    indexer.batch._COMMIT_SECONDS = (0.05, 0.05)
    indexer.pipeline.index_photos(
        [Path(sys.argv[2])], Path(sys.argv[3]), partial(load_mined, pause=0.02), preset="toy"
    )
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="toy", help="toy, or a preset of usearch")
    parser.add_argument("--photos", type=Path, help="folder of photos; made up when left out")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        photos = options.photos or made_up_photos(work / "photos", 60)
        command = run_command(options.preset, work, photos)
        n_photos = len(list(discover([photos])))
        duration = whole_run(command, work / "store", n_photos)
        print(f"{n_photos} photos, an undisturbed run takes {duration:.1f} s")
        kills = rounds = 0
        while kills < options.kills:
            rounds += 1
            shutil.rmtree(work / "store", ignore_errors=True)
            for _ in range(min(10, options.kills - kills)):
                killed = run_and_kill(command, chance.uniform(0, duration))
                version = check_after_kill(work / "store")
                if not killed:
                    break
                kills += 1
                print(f"kill {kills}: whole at version {version}", flush=True)
            subprocess.run(command, check=True, capture_output=True)
            check_complete(work / "store", n_photos)
            print(f"round {rounds}: complete, every photo once", flush=True)
        print(f"{kills} kills in {rounds} rounds: no damage, nothing lost, nothing twice")
    return 0


def made_up_photos(folder: Path, count: int) -> Path:
    """Small photos of noise, and a few files that are none."""
    folder.mkdir()
    random_pixels = np.random.default_rng(0)
    for number in range(count):
        pixels = random_pixels.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        pixels[0, 0] = 128  # never the colour that a toy takes for a mine
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")
        if number % 20 == 0:
            (folder / f"{number:04d}.jpg").write_bytes(b"no photo")
    return folder


def run_command(preset: str, work: Path, photos: Path) -> list[str]:
    if preset != "toy":
        program = [sys.executable, "-m", "usearch", "index", str(photos), "--preset", preset]
        return [*program, "--store", str(work / "store")]
    program = work / "toy_run.py"
    program.write_text(TOY_RUN)
    return [sys.executable, str(program), str(TESTS), str(photos), str(work / "store")]


def whole_run(command: list[str], store: Path, n_photos: int) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    duration = time.perf_counter() - start
    check_complete(store, n_photos)
    return duration


def run_and_kill(command: list[str], after: float) -> bool:
    """Whether the run was still at work when it was killed."""
    run = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        run.wait(after)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return True


def check_after_kill(store: Path) -> int:
    """Version of the store, 0 when there is none yet."""
    if not (store / "manifest.json").exists():
        return 0
    problems = [line for line in check_store(store) if _LEFT_BEHIND not in line]
    if problems:
        raise SystemExit("\n".join(["after a kill:", *problems]))
    return open_snapshot(store).version


def check_complete(store: Path, n_photos: int) -> None:
    problems = check_store(store)
    snapshot = open_snapshot(store)
    paths = [(photo.root, photo.path) for photo in snapshot.photo_records()]
    segments = snapshot.segments(snapshot.live_rows())["segment_id"].to_pylist()
    if len(paths) != n_photos or len(set(paths)) != n_photos:
        problems.append(f"{len(paths)} photos, {len(set(paths))} of them different, of {n_photos}")
    if len(set(segments)) != len(segments):
        problems.append(f"{len(segments) - len(set(segments))} segments twice")
    if problems:
        raise SystemExit("\n".join(["after a round:", *problems]))


if __name__ == "__main__":
    sys.exit(main())
