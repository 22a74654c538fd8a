"""Make segment-text pairs: human labels and teachers' labels of training photos.

    python -m trainer.make_pairs --train-data DIR --teachers DIR --words words.json --out DIR

Photos are mixed before they are cut into shards, sources in turn and close-ups of single things
last, so that the first shards are a balanced sample of scenes.
A shard that is there already is kept: an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from trainer.human import photo_shards, read_photos, to_pairs
from trainer.pairs import PairImage, write_pairs
from trainer.pseudo import label, label_boxes
from trainer.scenes import CLOSE_UP
from trainer.teachers import Teachers
from trainer.words import Word, read_words
from usearch.errors import InputError, UsearchError

SHARD = 128
_ROUND = 60
_SEED = 7

_worker: dict[str, Any] = {}


def choose(ids: Mapping[str, str], per_source: int | None, seed: int = _SEED) -> list[str]:
    """Photo ids in mixed order: scenes before close-ups, all sources in turn.

    Args:
        ids: {photo id: source}.
        per_source: Cap, None for all.
        seed: Of the order.
    """
    order = sorted(ids)
    random.Random(seed).shuffle(order)  # noqa: S311  (an order, not a secret)
    rank: dict[str, int] = {}
    taken: Counter[str] = Counter()
    for photo_id in order:
        rank[photo_id] = taken[ids[photo_id]]
        taken[ids[photo_id]] += 1
    if per_source is not None:
        order = [i for i in order if rank[i] < per_source]
    order.sort(key=lambda i: (ids[i] in CLOSE_UP, rank[i] // _ROUND))
    return order


def read_folder(folder: Path, skip: frozenset[str] = frozenset()) -> Iterator[PairImage]:
    """Photos of a folder of photo shards with their human labels, in the order of the files."""
    for file in photo_shards(folder):
        for row in read_photos(file):
            if row["id"] not in skip:
                yield to_pairs(row)


def start_worker(teachers: Path, words: Path, boxes_only: bool) -> None:
    """Load networks and words once in a worker process."""
    _worker["label"] = label_boxes if boxes_only else label
    _worker["teachers"] = Teachers(teachers)
    _worker["words"] = read_words(words)


def label_shard(photos: Sequence[PairImage], path: Path) -> int:
    """Label photos in a worker process and write their shard; the number of segments."""
    teachers: Teachers = _worker["teachers"]
    words: Mapping[str, Word] = _worker["words"]
    done = [_worker["label"](p, teachers, words) for p in photos]
    write_pairs(done, path)
    return sum(len(p.segments) for p in done)


def make_pairs(
    folders: Sequence[Path],
    teachers: Path,
    words: Path,
    out: Path,
    *,
    per_source: int | None = None,
    beside: Sequence[Path] = (),
    name: str = "pairs",
    workers: int = 2,
    limit: int | None = None,
    boxes_only: bool = False,
) -> int:
    """Write `NAME-NNNN.parquet` shards; see the module's docstring.

    Args:
        folders: Folders of photo shards.
        teachers: Folder of the teacher networks.
        words: The word list, JSON.
        out: Folder of the pairs.
        per_source: At most so many photos of a source.
        beside: Folders of photo shards whose photos are left out.
        name: First part of the file names.
        workers: Processes.
        limit: At most so many photos.
        boxes_only: Ask the detector alone, see `pseudo.label_boxes`.

    Returns:
        Photos in the shards.

    Raises:
        InputError: No photos, or no word list.
        ModelError: A teacher is missing.
    """
    Teachers(teachers)
    read_words(words)
    skip = frozenset(p.id for folder in beside for p in read_folder(folder))
    photos = {p.id: p for folder in folders for p in read_folder(folder, skip)}
    if not photos:
        raise InputError(f"no photos in {', '.join(map(str, folders))}")
    order = choose({i: p.source for i, p in photos.items()}, per_source)[:limit]
    jobs = [
        (order[at : at + SHARD], out / f"{name}-{at // SHARD:04d}.parquet")
        for at in range(0, len(order), SHARD)
    ]
    todo = [(ids, path) for ids, path in jobs if not path.exists()]
    started = time.monotonic()
    with ProcessPoolExecutor(
        workers, get_context("spawn"), start_worker, (teachers, words, boxes_only)
    ) as pool:
        futures = {
            pool.submit(label_shard, [photos[i] for i in ids], path): (len(ids), path)
            for ids, path in todo
        }
        done = 0
        for future in as_completed(futures):
            count, path = futures[future]
            done += count
            rate = done / (time.monotonic() - started)
            sys.stderr.write(
                f"{path.name}: {count} photos, {future.result()} segments; "
                f"{done} of {sum(len(i) for i, _ in todo)} photos, {rate:.1f} a second\n"
            )
    return len(order)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer.make_pairs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--train-data", type=Path, action="append", required=True, help="folder of photo shards"
    )
    parser.add_argument("--teachers", type=Path, required=True, help="folder of teacher networks")
    parser.add_argument("--words", type=Path, required=True, help="the word list, words.json")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pairs")
    parser.add_argument("--per-source", type=int, help="at most so many photos of a source")
    parser.add_argument(
        "--beside", type=Path, action="append", default=[], help="leave out this folder's photos"
    )
    parser.add_argument("--name", default="pairs", help="first part of the file names")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, help="at most so many photos")
    parser.add_argument(
        "--boxes-only", action="store_true", help="ask the detector alone: a tenth of the time"
    )
    args = parser.parse_args(arguments)
    try:
        make_pairs(
            args.train_data,
            args.teachers,
            args.words,
            args.out,
            per_source=args.per_source,
            beside=args.beside,
            name=args.name,
            workers=args.workers,
            limit=args.limit,
            boxes_only=args.boxes_only,
        )
    except UsearchError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n" if error.hint else f"{error.message}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
