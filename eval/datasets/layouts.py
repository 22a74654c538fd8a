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

PHOTO_ENDS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_BESIDE_LABELS = (".jpg", ".jpeg")
"""Photos that lie in one folder with label pictures, which are PNG."""
_LEVELS = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one tool keeps photos and labels of a split.

    Attributes:
        name: What the layout is called in messages and reports.
        images: Folder of the photos below the base, in the order in which they are tried.
        labels: Folder of the label files below the base.
        ends: How the names of label files end; what stands before is the photo's stem.
        listed: Files with one stem a line, below the base or the folder above the photos, that
            say which photos belong to the split; the first that is there counts. Empty = all.
        deep: Whether photos and labels lie in folders of the same names.
        here: Whether the base is the given folder alone, since the names are too common.
    """

    name: str
    images: tuple[str, ...]
    labels: str
    ends: str = ".png"
    listed: tuple[str, ...] = ()
    deep: bool = False
    here: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A layout that is there.

    Attributes:
        layout: The layout.
        base: The folder below which it lies.
        images: Folder of the photos.
        photos: Photos with their label files, sorted by name.
        notes: What has no counterpart, one line each.
    """

    layout: Layout
    base: Path
    images: Path
    photos: tuple[MapPhoto, ...]
    notes: tuple[str, ...]

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
            level = [child for folder in level for child in folders_in(folder)]


def folders_in(folder: Path) -> list[Path]:
    """Folders in a folder, sorted; none when it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:  # a folder that may not be read holds no data set for us
        return []
    return [folder / name for name in names]


def places(root: Path, layouts: Sequence[Layout], expected: Sequence[int]) -> list[Place]:
    """Every layout that has photos with labels below a folder, one place each, in their order.

    Where a layout is there more than once (VOC2007 and VOC2012 side by side), the place with the
    published number of photos is taken, else the one with most.

    Args:
        root: The folder that the user named.
        layouts: In the order in which they are preferred.
        expected: Numbers of photos that the published set is known with.

    Raises:
        InputError: `root` is no folder.
    """
    if not root.is_dir():
        raise InputError(f"no folder {root}", "--root is the folder that holds the data set")
    below = list(bases(root))
    found = []
    for layout in layouts:
        here = [place_at(root if layout.here else base, layout)
                for base in (below[:1] if layout.here else below)]  # fmt: skip
        full = [place for place in here if place and place.photos]
        if full:
            found.append(max(full, key=lambda p: (len(p.photos) in expected, len(p.photos))))
    return found


def place_at(base: Path, layout: Layout) -> Place | None:
    """A layout at one base: its pairs, which may be none; None when a folder is missing."""
    labels = base / layout.labels
    images = next((base / one for one in layout.images if (base / one).is_dir()), None)
    if images is None or not labels.is_dir():
        return None
    files = {
        _key(f, labels, layout.ends): f
        for f in _files(labels, layout.deep)
        if f.name.lower().endswith(layout.ends.lower())
    }
    if not files:
        return Place(layout, base, images, (), ())
    photos: dict[str, Path] = {}
    ends = PHOTO_ENDS if images.resolve() != labels.resolve() else _BESIDE_LABELS
    for file in _files(images, layout.deep):
        if file.suffix.lower() in ends:
            photos.setdefault(_key(file, images, file.suffix), file)
    wanted, notes = _wanted(base, images, layout, sorted(files))
    pairs = tuple(MapPhoto(photos[k], files[k]) for k in wanted if k in photos and k in files)
    notes += _lone(f"have no photo in {images}", [k for k in wanted if k in files.keys() - photos])
    bare = [k for k in (wanted if layout.listed else sorted(photos)) if k not in files]
    notes += _lone(f"have no label file in {labels}", bare)
    return Place(layout, base, images, pairs, tuple(notes))


def _wanted(
    base: Path, images: Path, layout: Layout, stems: list[str]
) -> tuple[list[str], list[str]]:
    """Stems of the split, and a note when no list says which they are."""
    for folder in (base, images.parent):
        for name in layout.listed:
            path = folder / name
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                rows = (line.split() for line in text.splitlines())
                return list(dict.fromkeys(row[0] for row in rows if row)), []
    note = f"no {layout.listed[0]}: every photo with a label is taken" if layout.listed else ""
    return stems, [note] if note else []


def _lone(what: str, stems: list[str]) -> list[str]:
    return [f"{len(stems):,} {what}, first {stems[0]}: left out"] if stems else []


def _files(folder: Path, deep: bool) -> Iterator[Path]:
    """Files of a folder, sorted, so that of two photos of one stem it is always the same."""
    if not deep:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_file() and not e.name.startswith("."))
        yield from (folder / name for name in names)
        return
    for path, inner, names in os.walk(folder):
        inner.sort()
        yield from (Path(path, name) for name in sorted(names) if not name.startswith("."))


def _key(file: Path, folder: Path, end: str) -> str:
    return file.relative_to(folder).as_posix()[: -len(end)]
