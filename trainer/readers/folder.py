"""A folder of photos, one of index PNGs, and a class list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from trainer.pairs import PairImage
from trainer.readers.coco import NO_NAMES
from trainer.readers.options import Options
from trainer.readers.photos import PhotoEntry, make_photo
from trainer.readers.report import Report
from trainer.readers.segments import SYNONYM, Mark
from usearch.errors import InputError, UsageError
from usearch.text.class_lists import decode, parse_classes

IMAGE_FOLDERS = ("images", "image", "img", "imgs", "photos", "JPEGImages", "rgb")
MASK_FOLDERS = (
    "masks", "mask", "annotations", "labels", "labels_detectron2", "SegmentationClass", "gt",
)  # fmt: skip
CLASS_FILES = ("classes.txt", "class_names.txt", "labels.txt", "names.txt")
_PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_MASKS = {".png", ".tif", ".tiff", ".bmp"}
Classes = list[tuple[str, ...]]
"""For each class its names, the plain one first."""

Values = npt.NDArray[np.int64]


def read_folder(path: Path, options: Options, report: Report) -> Iterator[PairImage]:
    """Photos of a folder, a segment for all pixels of each class of a photo.

    Raises:
        InputError: Folders or the class list are missing, or nothing says which value the first
            class has.
    """
    images = _there("photos", options.images, path, IMAGE_FOLDERS, "--images")
    masks = _there("mask PNGs", options.masks, path, MASK_FOLDERS, "--masks")
    listed = options.classes or _class_file(path)
    classes = class_names(listed)
    pairs = _paired(images, masks, report)
    first_index = _first_index(listed, classes, [mask for _, mask in pairs], options)
    last = first_index + len(classes) - 1
    report.say(
        f"{path}: {len(pairs):,} photos of {images.name} with masks of {masks.name}; "
        f"{len(classes)} classes, value {first_index} is {classes[0][0]!r}, {last} is "
        f"{classes[-1][0]!r}, other values are no class"
    )
    source = options.name or path.resolve().name
    for photo, mask in pairs:
        where = str(mask)
        try:
            values = index_values(mask)
        except InputError as error:
            report.problem(where, error.message)
            continue
        stem = photo.relative_to(images).with_suffix("").as_posix()
        entry = PhotoEntry(where, stem, photo, _size(values), split_key=f"{source}/{stem}")
        marks = list(_marks(values, classes, first_index, options.ignore, where, report))
        made = make_photo(entry, marks, options, source, report)
        if made is not None:
            yield made


def class_names(file: Path) -> Classes:
    """Names of the classes of a class list, whose lines may share synonyms.

    The lists of data sets do ("screen" is two classes of ADE20K), and a text may be true of two.

    Raises:
        InputError: It cannot be read, has no class, or a line is malformed.
    """
    try:
        text = decode(file.read_bytes(), str(file))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error}", "--classes names the list") from error
    found: Classes = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            listed = parse_classes([*[""] * (number - 1), line], str(file))
            if listed.has_parts:
                raise InputError(
                    f"{file}, line {number}: a part of a class", "write `\\>` for a > in a name"
                )
            found.append(tuple(listed.names[0]))
    if not found:
        raise InputError(f"{file} names no class", "write one class a line, such as: person")
    return found


def index_values(file: Path) -> Values:
    """Class values of an index PNG, int64 [H, W]: 8 or 16 bit grey, or the places of a palette.

    Raises:
        InputError: It cannot be read, or holds colours instead of values.
    """
    try:
        with Pillow.open(file, formats=("PNG", "TIFF", "BMP")) as picture:
            mode, values = picture.mode, np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise InputError(f"cannot be read: {error}") from error
    if values.ndim == 3 and mode in ("RGB", "RGBA", "LA"):
        grey = values[..., :1]
        if mode == "LA" or (values[..., 1:3] == grey).all():
            return np.asarray(values[..., 0], np.int64)  # a grey picture, saved as colours
    if values.ndim != 2 or values.dtype.kind not in "uib":
        raise InputError(
            f"holds colours, not class values (its mode is {mode})",
            "give PNGs whose pixel values, or places in the palette, are classes",
        )
    return np.asarray(values, np.int64)


def _size(values: Values) -> tuple[int, int]:
    return values.shape[0], values.shape[1]


def _marks(
    values: Values,
    classes: Classes,
    first_index: int,
    ignore: Sequence[int],
    where: str,
    report: Report,
) -> Iterator[Mark]:
    for value in np.unique(values):
        row = int(value) - first_index
        if int(value) in ignore or not 0 <= row < len(classes):
            continue
        names = classes[row]
        if names[0].casefold() in NO_NAMES:
            report.left_out[f"segments named {names[0]!r}"] += 1
            continue
        place = f"{where}, value {value}"
        yield Mark(place, "stuff", names, values == value, field="mask", other_weights=SYNONYM)


def _there(what: str, named: Path | None, base: Path, usual: Sequence[str], option: str) -> Path:
    if named is not None:
        if not named.is_dir():
            raise InputError(f"there is no folder {named}", f"{option} names the {what}")
        return named
    for name in usual:
        if (base / name).is_dir():
            return base / name
    raise InputError(
        f"no folder of {what} in {base}: none of {', '.join(usual)}", f"name it: {option} DIR"
    )


def _class_file(base: Path) -> Path:
    for name in CLASS_FILES:
        if (base / name).is_file():
            return base / name
    raise InputError(
        f"no class list in {base}: none of {', '.join(CLASS_FILES)}",
        "name it: --classes FILE, one class a line in the order of the values",
    )


def _paired(images: Path, masks: Path, report: Report) -> list[tuple[Path, Path]]:
    """Photos with their masks: by the same path below their folders, else by the same stem."""
    photos = sorted(f for f in images.rglob("*") if f.suffix.lower() in _PHOTOS and f.is_file())
    if not photos:
        raise InputError(f"no photos in {images}")
    by_path: dict[str, Path] = {}
    by_stem: dict[str, list[Path]] = {}
    for file in sorted(masks.rglob("*")):
        if file.suffix.lower() in _MASKS and file.is_file():
            by_path[file.relative_to(masks).with_suffix("").as_posix()] = file
            by_stem.setdefault(file.stem, []).append(file)
    found = []
    for photo in photos:
        place = photo.relative_to(images).with_suffix("").as_posix()
        same = by_stem.get(photo.stem, [])
        mask = by_path.get(place) or (same[0] if len(same) == 1 else None)
        if mask is None:
            many = f"{len(same)} masks have its name" if same else f"it has no mask in {masks}"
            report.problem(str(photo), many)
        else:
            found.append((photo, mask))
    if not found:
        raise InputError(
            f"no photo of {images} has a mask of the same name in {masks}",
            "a photo a/1.jpg belongs to the mask a/1.png",
        )
    return found


def _first_index(listed: Path, classes: Classes, masks: Sequence[Path], options: Options) -> int:
    """Which value is the first class.

    Raises:
        InputError: Nothing says it: a guess that is off by one would give every segment the name
            of its neighbour.
    """
    if options.first_index is not None:
        if options.first_index < 0:
            raise UsageError(f"--first-index {options.first_index} is below 0", "it is 0 or 1")
        return options.first_index
    if classes[0][0].casefold() in NO_NAMES:
        return 0
    seen: set[int] = set()
    for mask in masks[:200]:
        try:
            seen |= {int(v) for v in np.unique(index_values(mask))}
        except InputError:
            continue  # reported when its turn comes
    values = [str(value) for value in sorted(seen)]
    shown = ", ".join(values if len(values) < 9 else [*values[:6], "...", values[-1]])
    raise InputError(
        f"{listed} has {len(classes)} classes, the masks have the values {shown}: nothing "
        "says which value is the first class",
        f"add --first-index 0 if pixels of {classes[0][0]!r} are 0, --first-index 1 if they "
        "are 1 and 0 is no class",
    )
