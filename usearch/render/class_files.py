"""Class maps as files: an indexed PNG whose values are the classes, and names for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from usearch.classify import ClassMap
from usearch.records import Image
from usearch.render.palette import png_palette
from usearch.result_files import cannot_write

_LONGEST_STEM = 230


@dataclass(frozen=True, slots=True)
class MapFiles:
    """Where the map of one photo goes, and its overlay."""

    map: Path
    overlay: Path


def map_files(
    photos: Sequence[Path], folder: Path, reserved: Iterable[Path] = ()
) -> list[MapFiles]:
    """Names for the maps of photos: `<stem>.png`, or `<stem>-2.png` where that is taken.

    Two photos of one name in two folders, or `a.jpg` beside `a.png`, get two maps. Names
    are compared without regard to case, as some file systems do. No photo and nothing in
    `reserved` is ever written over.

    Args:
        photos: Paths of the photos.
        folder: Where the maps go.
        reserved: Files that must stay as they are.
    """
    taken = {_key(path) for path in (*photos, *reserved)}
    files = []
    for photo in photos:
        stem, number = _shortened(photo.stem), 1
        while True:
            name = stem if number == 1 else f"{stem}-{number}"
            pair = MapFiles(folder / f"{name}.png", folder / f"{name}-overlay.png")
            keys = {_key(pair.map), _key(pair.overlay)}
            if not keys & taken:
                break
            number += 1
        taken |= keys
        files.append(pair)
    return files


def _shortened(stem: str) -> str:
    """A stem that leaves room for what is put behind it; file systems take 255 bytes a name."""
    raw = os.fsencode(stem)
    if len(raw) <= _LONGEST_STEM:
        return stem
    return raw[:_LONGEST_STEM].decode("utf-8", "ignore")


def free_name(path: Path, reserved: Iterable[Path]) -> Path:
    """The path, or one with a number where it is one of `reserved`."""
    taken = {_key(other) for other in reserved}
    candidate, number = path, 1
    while _key(candidate) in taken:
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate


def _key(path: Path) -> str:
    return os.path.realpath(path).casefold()


def write_class_map(path: Path, labels: ClassMap, n_classes: int) -> None:
    """Write a map as PNG: 8 bits with a palette, or 16 bits grey for more than 253 classes.

    The values are the classes in both; what the palette shows is for people only.

    Raises:
        InputError: The file cannot be written.
    """
    picture = Pillow.fromarray(labels)
    if labels.dtype == np.uint8:
        picture.putpalette(png_palette(n_classes))
    _save(path, picture)


def write_picture(path: Path, image: Image) -> None:
    """Write a picture; the ending of the name says in which format.

    Raises:
        InputError: The file cannot be written.
    """
    _save(path, Pillow.fromarray(image))


def write_names(path: Path, names: Sequence[str]) -> None:
    """Write one name a line: line i, from 0, is the value i of the maps.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    except OSError as problem:
        raise cannot_write(path, problem) from problem


def _save(path: Path, picture: Pillow.Image) -> None:
    """Write beside the place and rename: a reader never meets half a picture."""
    part = path.with_name(f".{os.getpid()}{path.suffix}")
    try:
        picture.save(part)
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise cannot_write(path, problem) from problem
    except KeyboardInterrupt:
        part.unlink(missing_ok=True)
        raise
