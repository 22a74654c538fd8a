"""Folders of photos and index PNGs, paired by stem."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.datasets.labels import raw_values, to_rows
from eval.datasets.records import LabelMap, MapPhoto, MapSet
from usearch.errors import InputError

_PHOTOS = {".jpg", ".jpeg", ".png", ".webp"}


def read_folders(
    images: Path,
    masks: Path,
    names: Sequence[Sequence[str]],
    values: Sequence[int] | None = None,
    name: str = "",
) -> MapSet:
    """Photos of one folder and the index PNGs of another, paired by file stem.

    Args:
        images: Folder of photos.
        masks: Folder of index PNGs; each photo needs one.
        names: For each class the names that mean it.
        values: For each class its value in the PNGs; None = 0, 1, 2, ...
        name: Name of the set; the name of the folder above the photos when empty.

    Raises:
        InputError: A folder is missing or empty, or a photo has no index PNG.
    """
    for folder in (images, masks):
        if not folder.is_dir():
            raise InputError(f"no folder {folder}")
    files = sorted(f for f in images.iterdir() if f.suffix.lower() in _PHOTOS)
    if not files:
        raise InputError(f"no photo in {images}")
    of_stem = {f.stem: f for f in masks.iterdir() if f.suffix.lower() == ".png"}
    missing = [f.name for f in files if f.stem not in of_stem]
    if missing:
        raise InputError(
            f"{len(missing)} photos of {images} have no index PNG in {masks}: "
            f"{', '.join(missing[:3])}"
        )
    return MapSet(
        name=name or images.parent.name,
        photos=tuple(MapPhoto(f, of_stem[f.stem]) for f in files),
        names=tuple(tuple(one) for one in names),
        values=tuple(range(len(names))) if values is None else tuple(values),
    )


def read_labels(photo: MapPhoto, values: Sequence[int]) -> LabelMap:
    """Label map of a photo: uint16 [H, W], row of the class or `NO_LABEL`.

    Args:
        photo: The photo and its index PNG (8 or 16 bit, palette or grey).
        values: For each class row its value in the PNG; other values are not labelled.

    Raises:
        InputError: The PNG cannot be read or holds colours instead of indices.
    """
    return to_rows(raw_values(photo.mask), values)
