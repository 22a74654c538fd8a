"""Label files to label maps, whatever way they hold values, and what values occur in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.datasets.records import NO_LABEL, Encoding, LabelMap, MapPhoto, MapSet
from usearch.errors import InputError, ModelError

RawMap = npt.NDArray[np.integer]
"""uint8, uint16 or int32 [H, W], values as the label file holds them."""

_STRANGE = NO_LABEL - 1
"""In a table of rows: a value that is neither a class nor one that is ignored."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Values that occur in some label files.

    Attributes:
        files: How many were looked at.
        pixels: For each value that occurs, in order, how many pixels have it.
        first: For each of these values the first file that holds it.
        bits: Bits a value has in the files; the most of all.
    """

    files: int
    pixels: dict[int, int]
    first: dict[int, Path]
    bits: int


def raw_values(path: Path, encoding: Encoding = "index") -> RawMap:
    """Values of a label file.

    Args:
        path: The file.
        encoding: How it holds values. Index pictures may be palette, grey of 8 or 16 bit, or
            colour with three equal channels.

    Raises:
        InputError: The file cannot be read, or is of another form.
        ModelError: A MATLAB file, and scipy is not installed.
    """
    if encoding == "mat":
        return _mat(path)
    from PIL import Image

    try:
        with Image.open(path) as picture:
            raw = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if encoding == "ade-rgb":
        if raw.ndim != 3 or raw.shape[2] < 3:
            raise InputError(f"{path} is no ADE20K label picture: it has no colours")
        numbers: RawMap = raw[..., 0].astype(np.uint16) // 10 * 256 + raw[..., 1]
        return numbers
    if raw.ndim == 3 and raw.shape[2] in (3, 4) and (raw[..., :1] == raw[..., 1:3]).all():
        raw = raw[..., 0]
    if raw.dtype == bool:
        raw = raw.astype(np.uint8)
    if raw.ndim != 2 or raw.dtype.kind not in "ui":
        raise InputError(
            f"{path} holds colours, not class indices",
            "label files are index pictures: each pixel's value is the number of its class",
        )
    if raw.size and (raw.min() < 0 or raw.max() > NO_LABEL):
        raise InputError(f"{path} holds values from {raw.min()} to {raw.max()}: not class indices")
    return raw


def _mat(path: Path) -> RawMap:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ModelError(
            "MATLAB labels need the package scipy, which is not installed",
            hint="pip install 'use-segments[eval]'",
        ) from error
    try:
        raw = np.asarray(loadmat(path)["LabelMap"])
    except KeyError as error:
        raise InputError(f"{path} holds no 'LabelMap'") from error
    except Exception as error:
        raise InputError(f"{path} cannot be read as a MATLAB file: {error}") from error
    if raw.ndim != 2 or raw.dtype.kind not in "ui":
        raise InputError(f"{path}: 'LabelMap' is no map of class numbers")
    return raw


def read_map(labelled: MapSet, photo: MapPhoto) -> LabelMap:
    """Label map of a photo of a set: uint16 [H, W], class rows, `NO_LABEL` = not labelled.

    Its size is that of the label file, or smaller where `labelled.short_side` says so.

    Raises:
        InputError: The label file cannot be read, is of another form, or holds a value that is
            neither a class nor one that the set ignores; the message names file and value.
    """
    raw = raw_values(photo.mask, labelled.encoding)
    rows = to_rows(raw, labelled.values, labelled.ignore)
    if labelled.ignore is not None and (strange := rows == _STRANGE).any():
        value, count = int(raw[strange][0]), int(strange.sum())
        raise InputError(
            f"{photo.mask} holds the value {value} ({count:,} pixels with values of no class)",
            "the file is damaged or belongs to another data set",
        )
    return _reduced(rows, labelled.short_side)


def to_rows(raw: RawMap, values: Sequence[int], ignore: Sequence[int] | None = None) -> LabelMap:
    """Values to rows of classes.

    Args:
        raw: Values of a label file, 0 to 65535.
        values: For each class row its value.
        ignore: Values that mean "not labelled", which are taken before classes; None = all that
            are no class. Any other value becomes 65534.
    """
    rows: LabelMap = _table(tuple(values), None if ignore is None else tuple(ignore))[raw]
    return rows


@lru_cache(maxsize=4)
def _table(values: tuple[int, ...], ignore: tuple[int, ...] | None) -> LabelMap:
    table = np.full(NO_LABEL + 1, NO_LABEL if ignore is None else _STRANGE, np.uint16)
    table[np.asarray(values)] = np.arange(len(values))
    if ignore:
        table[np.asarray(ignore)] = NO_LABEL
    table.flags.writeable = False
    return table


def _reduced(rows: LabelMap, short_side: int) -> LabelMap:
    """Nearest values at the size that detectron2's converters make of it (OpenCV's rule)."""
    height, width = rows.shape
    shorter = min(height, width)
    if not short_side or shorter <= short_side:
        return rows
    new = [short_side if n == shorter else round(n / shorter * short_side) for n in rows.shape]
    down, across = (
        (np.arange(n) * (old / n)).astype(int) for n, old in zip(new, rows.shape, strict=True)
    )
    return rows[np.ix_(np.minimum(down, height - 1), np.minimum(across, width - 1))]


def sample_values(photos: Sequence[MapPhoto], encoding: Encoding, limit: int = 48) -> Sample:
    """Values in at most `limit` label files, spread evenly over the set.

    Raises:
        InputError: A file cannot be read.
    """
    step = max(len(photos) / limit, 1) if limit else 1
    chosen = [photos[int(i * step)] for i in range(int(np.ceil(len(photos) / step)))]
    pixels: dict[int, int] = {}
    first: dict[int, Path] = {}
    bits = 0
    for photo in chosen:
        raw = raw_values(photo.mask, encoding)
        bits = max(bits, raw.dtype.itemsize * 8)
        counts = np.bincount(raw.reshape(-1))
        for value in np.flatnonzero(counts).tolist():
            pixels[value] = pixels.get(value, 0) + int(counts[value])
            first.setdefault(value, photo.mask)
    return Sample(len(chosen), dict(sorted(pixels.items())), first, bits)
