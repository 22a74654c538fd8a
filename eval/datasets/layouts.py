"""Finding a data set below a folder, whatever tool laid it out.

A layout is a pair of folders below some base. Bases are the folder that was given and the folders
up to two levels below it, so that `--root` may be the set itself, the folder that holds it, or the
tree of another tool (`data/ade/ADEChallengeData2016`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.datasets.records import MapPhoto
from usearch.errors import InputError

PHOTO_ENDS = (".jpg", ".jpeg", ".png", ".webp")
_LEVELS = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one tool keeps photos and labels of a split.

    Attributes:
        name: What the layout is called in messages and reports.
        images: Folder of the photos below the base.
        labels: Folder of the label files below the base.
        ends: How names of label files end; what stands before is the photo's stem. The first end
            that occurs is taken.
        listed: A file with one stem a line that says which labels belong to the split; empty =
            all of the folder.
        deep: Whether labels lie in folders below `labels`, as photos do below `images`.
    """

    name: str
    images: str
    labels: str
    ends: tuple[str, ...] = (".png",)
    listed: str = ""
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A layout that was found.

    Attributes:
        base: The folder below which the layout lies.
        layout: The layout.
    """

    base: Path
    layout: Layout

    @property
    def images(self) -> Path:
        """Folder of the photos."""
        return self.base / self.layout.images

    @property
    def labels(self) -> Path:
        """Folder of the label files."""
        return self.base / self.layout.labels


def bases(root: Path) -> Iterator[Path]:
    """The folder and the folders up to two levels below it, nearest first, sorted by name."""
    level = [root]
    for depth in range(_LEVELS + 1):
        yield from level
        if depth < _LEVELS:
            level = [child for folder in level for child in _folders(folder)]


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:  # a folder that may not be read holds no data set for us
        return []
    return [folder / name for name in names]


def places(root: Path, layouts: Sequence[Layout]) -> list[Place]:
    """Every layout whose folders of labels and photos are both there, layouts in order.

    Args:
        root: The folder that the user named.
        layouts: In the order in which they are preferred.

    Raises:
        InputError: `root` is no folder.
    """
    if not root.is_dir():
        raise InputError(f"no folder {root}", "give the folder that holds the data set as --root")
    below = list(bases(root))
    return [
        Place(base, layout)
        for layout in layouts
        for base in below
        if (base / layout.labels).is_dir() and (base / layout.images).is_dir()
    ]


def pairs(place: Place) -> tuple[tuple[MapPhoto, ...], tuple[str, ...]]:
    """Photos with their label files, sorted by name, and notes on what has no counterpart.

    Raises:
        InputError: The list file of the layout is missing.
    """
    layout = place.layout
    labels = _labels(place)
    photos = {}
    for file in sorted(_files(place.images, layout.deep)):
        if file.suffix.lower() in PHOTO_ENDS and not file.name.endswith(layout.ends):
            photos.setdefault(_key(file, place.images, file.suffix), file)
    wanted = _listed(place) if layout.listed else sorted(labels)
    found = tuple(MapPhoto(photos[k], labels[k]) for k in wanted if k in photos and k in labels)
    notes = []
    lone = [k for k in wanted if k not in photos]
    if lone:
        notes.append(f"{len(lone)} label files have no photo in {place.images}, first {lone[0]}")
    bare = [k for k in wanted if k not in labels]
    if bare:
        notes.append(f"{len(bare)} listed photos have no label file, first {bare[0]}")
    if not layout.listed:
        without = len(photos.keys() - labels.keys())
        if without:
            notes.append(f"{without} photos have no label file in {place.labels}: left out")
    return found, tuple(notes)


def _labels(place: Place) -> dict[str, Path]:
    files = sorted(_files(place.labels, place.layout.deep))
    for end in place.layout.ends:
        found = {_key(f, place.labels, end): f for f in files if f.name.endswith(end)}
        if found:
            return found
    return {}


def _listed(place: Place) -> list[str]:
    path = place.base / place.layout.listed
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return list(dict.fromkeys(line.split()[0] for line in text.splitlines() if line.strip()))


def _files(folder: Path, deep: bool) -> Iterator[Path]:
    if deep:
        for path, _, names in os.walk(folder):
            yield from (Path(path, name) for name in names if not name.startswith("."))
    else:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
        yield from (folder / name for name in names)


def _key(file: Path, folder: Path, end: str) -> str:
    return file.relative_to(folder).as_posix().removesuffix(end)
