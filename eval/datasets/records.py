"""Plain records of labelled photos, the same for every data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from usearch import masks
from usearch.records import FloatArray, Image, Segments

LabelMap = npt.NDArray[np.uint16]
"""uint16 [H, W], row of the class name at each pixel; `NO_LABEL` where nothing is labelled."""

NO_LABEL = 65535


@dataclass(frozen=True, slots=True)
class Region:
    """One labelled region of a photo.

    Attributes:
        name: The class name, as a person would type it.
        rle: COCO compressed RLE counts on the photo's own grid.
        box: x0 y0 x1 y1 in pixels, half-open: the box of the mask.
        area: Pixels set in the mask; never 0.
        thing: True for a countable thing, False for stuff such as sky.
        crowd: True when the mask covers many things of the name at once.
    """

    name: str
    rle: bytes
    box: tuple[int, int, int, int]
    area: int
    thing: bool = True
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class RegionPhoto:
    """A photo with labelled regions.

    Attributes:
        path: The photo file.
        size: (height, width) in pixels, as the labels state it.
        regions: In the order of the label file.
    """

    path: Path
    size: tuple[int, int]
    regions: tuple[Region, ...]


Encoding = Literal["index", "ade-rgb", "mat"]
"""How a label file holds values: an index picture of 8 or 16 bit; ADE20K's colours (red and green
are the class, blue the instance); the `LabelMap` of a MATLAB file."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a data set and how its labels are read: printed with each score.

    Attributes:
        root: The folder that was given.
        layout: Name of the layout (docs/datasets.md), such as "original" or "detectron2".
        images: Where the photos lie.
        labels: The folder or file that holds the labels.
        photos: Photos found with labels.
        expected: Photos that the published set has; 0 = not known.
        encoding: One line: how values become classes and what is ignored.
        notes: One line each, what a reader of the score must know: photos left out, values that
            are no class, which of two label orders, what differs from published figures.
    """

    root: Path
    layout: str
    images: Path
    labels: Path
    photos: int
    expected: int
    encoding: str
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the photos of the published set are all there."""
        return self.expected > 0 and self.photos == self.expected


@dataclass(frozen=True, slots=True)
class RegionSet:
    """A data set of photos with labelled regions.

    Attributes:
        name: Short name of the data set.
        photos: One record a photo, in the order of the label file.
        things: Names of the countable classes, in the order of their ids.
        stuff: Names of the other classes, in the order of their ids.
        list_id: Which names these are, as `MapSet.list_id`.
        found: Where the set was found; None when a file was named.
    """

    name: str
    photos: tuple[RegionPhoto, ...]
    things: tuple[str, ...]
    stuff: tuple[str, ...]
    list_id: str = ""
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class MapPhoto:
    """A photo and the file that holds its label map.

    Attributes:
        path: The photo file.
        mask: The label file, values as the data set writes them.
    """

    path: Path
    mask: Path


@dataclass(frozen=True, slots=True)
class MapSet:
    """A data set of photos with one class index at every pixel.

    Attributes:
        name: Short name of the data set.
        photos: Sorted by file name.
        names: For each class the names that mean it, the usual one first. Two classes may share a
            name (ADE20K has "screen" three times).
        values: For each class the value that its pixels have in the label files.
        list_id: Which names these are: data set, list and the hash of all names in order, such as
            `ade150/synonyms@1f0c2ab9`; empty for sets that are no benchmark.
        encoding: How the label files hold values.
        ignore: Values that mean "not labelled"; None = every value that is no class.
        short_side: Labels whose shorter side is longer are scaled down to it (nearest), as
            published figures of the set are on such labels; 0 = never.
        found: Where the set was found; None for the development sets of `dev.py`.
    """

    name: str
    photos: tuple[MapPhoto, ...]
    names: tuple[tuple[str, ...], ...]
    values: tuple[int, ...]
    list_id: str = ""
    encoding: Encoding = "index"
    ignore: tuple[int, ...] | None = None
    short_side: int = 0
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class BoxPhoto:
    """A photo with named boxes.

    Attributes:
        path: The photo file.
        size: (height, width) in pixels.
        boxes: float32 [n, 4], x0 y0 x1 y1 in pixels, half-open.
        names: n class names.
        groups: n flags: the box surrounds a group of the name.
    """

    path: Path
    size: tuple[int, int]
    boxes: FloatArray
    names: tuple[str, ...]
    groups: tuple[bool, ...]


def read_image(path: Path) -> Image:
    """Pixels of a labelled photo, uint8 [H, W, 3], RGB, as shown.

    Raises:
        InputError: The file is no photo that can be decoded.
    """
    from PIL import Image as PillowImage
    from PIL import ImageOps

    from usearch.errors import InputError

    try:
        with PillowImage.open(path) as photo:
            return np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} cannot be read as a photo: {error}") from error


def segments_of(photo: RegionPhoto, rows: list[int] | None = None) -> Segments:
    """The labelled regions of a photo as a record that an embedder takes.

    Args:
        photo: A photo with at least one region among `rows`.
        rows: Which regions, in which order; None = all of them.
    """
    chosen = [photo.regions[i] for i in (range(len(photo.regions)) if rows is None else rows)]
    n = len(chosen)
    return Segments(
        size=photo.size,
        rles=[region.rle for region in chosen],
        boxes=np.array([region.box for region in chosen], np.float32).reshape(n, 4),
        areas=np.array([region.area for region in chosen], np.int32),
        scores=np.ones(n, np.float32),
        parents=np.full(n, -1, np.int32),
        depths=np.zeros(n, np.int32),
    )


def label_map(photo: RegionPhoto, row_of: dict[str, int], rest: int = NO_LABEL) -> LabelMap:
    """One class a pixel from regions that may overlap: the smaller region lies on top.

    Args:
        photo: A photo with regions.
        row_of: Class row of each name; regions of other names are left out.
        rest: Value of the pixels that no region covers.
    """
    out = np.full(photo.size, rest, np.uint16)
    for region in sorted(photo.regions, key=lambda region: -region.area):
        if region.name in row_of:
            out[masks.decode(region.rle, photo.size)] = row_of[region.name]
    return out
