"""The photos that a run trains on: where each rests, and in which order they come.

Pairs stay in their Parquet files. They are shuffled by row groups and inside windows of a few
groups, so that any number of photos needs little memory, and so that the order is a function of
seed and epoch alone: a resumed run reads on where it ended.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from trainer.pairs import SCHEMA, PairImage, check_image, read_pairs, read_row_group
from trainer.use.card import DataSource
from usearch.errors import InputError
from usearch.records import IntArray

WINDOW = 8
"""Row groups that are mixed with each other; of our files one has 128 photos."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Photos with at least one segment that has a text, by the part they are in.

    Attributes:
        files: Parquet files of pairs.
        train: int32 [n, 3]: file, row group and row in the group of each photo to train on.
        held: int32 [m, 3]: of each held-out photo.
        train_ids: Id of each photo to train on.
        held_ids: Id of each held-out photo.
        texts: Texts of the train photos' segments, and how many segments each is true of.
        held_texts: The same of the held-out photos.
        sources: Counts of what is trained on.
        held_sources: Counts of what is held out.
        fingerprint: Hash over ids and texts: another one is another training set.
        class_names: Whether only labelled masks with their plain names are taken.
    """

    files: tuple[Path, ...]
    train: IntArray
    held: IntArray
    train_ids: tuple[str, ...]
    held_ids: tuple[str, ...]
    texts: Counter[str]
    held_texts: Counter[str]
    sources: tuple[DataSource, ...]
    held_sources: tuple[DataSource, ...]
    fingerprint: str
    class_names: bool = False


def collect(sources: Sequence[Path], *, class_names: bool = False) -> Collection:
    """Look through files or folders of pairs; of a photo in several the first one counts.

    Every record is checked here, so that a long run does not end at a bad one.

    Args:
        sources: Files, or folders of them.
        class_names: Take labelled masks with their plain names alone (`with_class_names`).

    Raises:
        InputError: A file is unreadable, a record breaks the format (file, row, field), or
            nothing is left to train on.
    """
    files = tuple(file for source in sources for file in _files_of(source))
    places: dict[str, list[tuple[int, int, int]]] = {"train": [], "held": []}
    ids: dict[str, list[str]] = {"train": [], "held": []}
    texts: dict[str, Counter[str]] = {"train": Counter(), "held": Counter()}
    counts: dict[str, dict[tuple[str, str], Counter[str]]] = {"train": {}, "held": {}}
    digest = hashlib.sha256()
    seen: set[str] = set()
    columns = [name for name in SCHEMA.names if name not in ("jpeg", "boundary")]
    for number, file in enumerate(files):
        for row, (group, place, photo) in enumerate(_rows_of(file, columns)):
            _check(photo, f"{file}, row {row}")
            if class_names:
                photo = with_class_names(photo)
            own = [text for segment in photo.segments for text in segment.texts]
            if photo.id in seen or not own:
                continue
            seen.add(photo.id)
            part = "held" if photo.split == "held" else "train"
            places[part].append((number, group, place))
            ids[part].append(photo.id)
            texts[part].update(own)
            count = counts[part].setdefault((photo.source, photo.licence), Counter())
            count["photos"] += 1
            count["segments"] += sum(bool(segment.texts) for segment in photo.segments)
            count["texts"] += len(own)
            digest.update("\0".join([part, photo.id, *own, ""]).encode())
    if not places["train"]:
        named = ", ".join(str(source) for source in sources)
        raise InputError(
            f"no photo of {named} has a segment with a text to train on"
            + (", or none of a labelled mask with a class name" if class_names else ""),
            "`usearch train pairs --help` says how pairs are made"
            if not places["held"]
            else "all its photos are held out",
        )
    return Collection(
        files=files,
        train=np.array(places["train"], np.int32).reshape(-1, 3),
        held=np.array(places["held"], np.int32).reshape(-1, 3),
        train_ids=tuple(ids["train"]),
        held_ids=tuple(ids["held"]),
        texts=texts["train"],
        held_texts=texts["held"],
        sources=_sources(counts["train"]),
        held_sources=_sources(counts["held"]),
        fingerprint=digest.hexdigest()[:16],
        class_names=class_names,
    )


def with_class_names(photo: PairImage) -> PairImage:
    """The photo with the masks that people drew of things and stuff, each with its plain name.

    Segments stay in their places: the others lose their texts, and with them their part in
    training.
    """
    kept = [
        replace(s, texts=s.texts[:1], text_weights=s.text_weights[:1])
        if s.rle is not None and s.kind in ("object", "stuff") and s.origin == "human"
        else replace(s, texts=(), text_weights=())
        for s in photo.segments
    ]
    return replace(photo, segments=tuple(kept))


def _files_of(source: Path) -> list[Path]:
    if not source.exists():
        raise InputError(f"there is no file or folder {source}")
    files = sorted(source.glob("*.parquet")) if source.is_dir() else [source]
    if not files:
        raise InputError(
            f"no .parquet files in {source}", "`usearch train pairs` makes them from label files"
        )
    return files


def _rows_of(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, int, PairImage]]:
    """(row group, row in it, photo) of each photo of a file."""
    photos = read_pairs(file, columns)
    for photo in photos:
        # Only now is the file known to be one of pairs, which `read_pairs` says in its own words.
        with pq.ParquetFile(file) as reader:
            sizes = [reader.metadata.row_group(i).num_rows for i in range(reader.num_row_groups)]
        places = ((group, row) for group, size in enumerate(sizes) for row in range(size))
        yield (*next(places), photo)
        for (group, row), other in zip(places, photos, strict=True):
            yield group, row, other


def _check(photo: PairImage, where: str) -> None:
    """Check all but the photo's bytes, which are not read yet."""
    stand_in = photo.path or where
    check_image(
        PairImage(
            photo.id,
            photo.source,
            photo.licence,
            b"\xff\xd8",
            photo.width,
            photo.height,
            photo.segments,
            path=stand_in,
        ),
        where,
    )


def _sources(counts: dict[tuple[str, str], Counter[str]]) -> tuple[DataSource, ...]:
    return tuple(
        DataSource(source, licence, count["photos"], count["segments"], count["texts"])
        for (source, licence), count in sorted(counts.items())
    )


def epoch_order(places: IntArray, seed: int, epoch: int) -> IntArray:
    """Rows of `places` in the order of an epoch, int32 [n]: a function of seed and epoch alone.

    Photos of a window of `WINDOW` row groups are mixed; the groups of a window differ from epoch
    to epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    groups, group_of = np.unique(places[:, :2], axis=0, return_inverse=True)
    turn = rng.permutation(len(groups))
    window = np.empty(len(groups), np.int64)
    window[turn] = np.arange(len(groups)) // WINDOW
    order: IntArray = np.lexsort((rng.random(len(places)), window[group_of.ravel()])).astype(
        np.int32
    )
    return order


class PhotoReader:
    """Reads photos by place; the row groups of two windows are kept.

    Args:
        collection: Where they rest.
    """

    def __init__(self, collection: Collection) -> None:
        self._files = collection.files
        self._named = collection.class_names
        self._kept: dict[tuple[int, int], list[PairImage]] = {}

    def read(self, place: IntArray) -> PairImage:
        """The photo of a row of `Collection.train` or `.held`.

        Raises:
            InputError: As `read_pairs`; the file may have changed since it was looked through.
        """
        file, group, row = (int(value) for value in place)
        key = file, group
        if key not in self._kept:
            while len(self._kept) >= 2 * WINDOW:
                del self._kept[next(iter(self._kept))]
            photos = read_row_group(self._files[file], group)
            self._kept[key] = [with_class_names(p) for p in photos] if self._named else photos
        return self._kept[key][row]
