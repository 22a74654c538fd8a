"""Any labelled folder of photos and index pictures, and how its values are to be read."""

from __future__ import annotations

import re
from pathlib import Path

from eval.datasets.codings import not_labelled
from eval.datasets.labels import Sample, sample_values
from eval.datasets.layouts import Layout, Place, place_at
from eval.datasets.lists import list_id
from eval.datasets.records import NO_LABEL, Found, MapPhoto, MapSet
from usearch.errors import InputError, UsageError
from usearch.text.class_lists import decode, parse_classes

_ENDS = (".png", ".tif", ".tiff", ".bmp", ".gif")
_VALUED = re.compile(r"\s*(\d+)\s*\t(.*)")
_VOID = {"unlabeled", "unlabelled", "void", "ignore", "ignored"}
"""Names of classes that say "not labelled"; "background" and "other" may be meant to be found."""
_NOTHING = _VOID | {"background", "other", "none"}
"""First lines of class files that name what value 0 means where classes begin at 1."""
_SAMPLE = 200
_SHAPE = 0.02
"""By how much of its side a label map may differ in shape from its photo (it may be smaller)."""

Names = list[tuple[str, ...]]


def open_folder(
    images: Path,
    masks: Path,
    classes: Path,
    first_index: int | None = None,
    ignore: int | None = None,
) -> MapSet:
    """Photos of a folder with index pictures of another, paired by path and stem.

    Args:
        images: Folder of photos, with folders inside or without.
        masks: Folder of index pictures (PNG, TIFF, BMP, GIF of 8 or 16 bit) laid out alike.
        classes: A text file, one class a line, `name, synonym, ...`; or `value<TAB>name, ...`,
            where values without a name are left out. Two classes may share a name.
        first_index: Value of the first class: 0, or 1 where 0 means "not labelled"; None = by the
            values that occur, where they tell.
        ignore: A value that means "not labelled"; None = 255, in 16-bit pictures 65535, unless that
            is a class, and classes with names such as "void". A class that has this value is left
            out of the list.

    Raises:
        UsageError: `first_index` is neither 0 nor 1, or given beside explicit values.
        InputError: A folder or file is missing, nothing pairs, values occur that are no class, a
            picture has another shape than its photo, or the values can be read in two ways.
    """
    if first_index not in (None, 0, 1):
        raise UsageError(f"first index {first_index}", "--first-index is 0 or 1")
    if ignore is not None and not 0 <= ignore <= NO_LABEL:
        raise UsageError(f"no value {ignore} in an index picture", f"--ignore is 0 to {NO_LABEL:,}")
    place = _place(images, masks)
    names, given = _read_classes(classes)
    if given and first_index is not None:
        raise UsageError(f"{classes} gives each class its value", "leave --first-index out")
    sample = sample_values(place.photos, "index", _SAMPLE)
    unlabelled = _unlabelled(sample, len(names), given, ignore)
    if given:
        values, told = given, "values as the class file gives them"
    else:
        start, why = _first(first_index, sample, names, ignore)
        values = list(range(start, start + len(names)))
        told = f"values {start} to {values[-1]} are the {len(names):,} classes ({why})"
        if start == 1:
            unlabelled.add(0)
    notes = list(place.notes)
    for value, one in zip(list(values), list(names), strict=True):
        void = ignore is None and not _VOID.isdisjoint(name.casefold() for name in one)
        if void or value in unlabelled:
            why = "is not labelled by its name" if void else "has an ignored value"
            notes.append(f"class '{one[0]}' (value {value}) {why}: left out of the list")
            values.remove(value)
            names.remove(one)
            unlabelled.add(value)
    if not names:
        raise InputError(f"{classes} leaves no class beside what is not labelled")
    _refuse_strange(sample, set(values) | unlabelled, classes)
    notes += _sizes(place.photos)
    low, high = min(sample.pixels), max(sample.pixels)
    seen = f"{sample.files:,} of {len(place.photos):,} pictures looked at: values {low} to {high}"
    return MapSet(
        name=_title(images),
        photos=place.photos,
        names=tuple(names),
        values=tuple(values),
        list_id=list_id(classes.name, names),
        ignore=tuple(sorted(unlabelled)),
        found=Found(images, "folder", images, masks, len(place.photos), 0,
                    f"{told}, {not_labelled(sorted(unlabelled))}", (seen, *notes)),
    )  # fmt: skip


def _title(images: Path) -> str:
    """Name of the set: that of the folder, or of the one above when it is called "images"."""
    folder = images.absolute()
    return folder.parent.name if folder.name in ("images", "photos", "img") else folder.name


def _place(images: Path, masks: Path) -> Place:
    """The pairs of both folders; label pictures of the first kind that pairs with photos."""
    for folder in (images, masks):
        if not folder.is_dir():
            raise InputError(f"no folder {folder}")
    tried: Place | None = None
    for end in _ENDS:
        layout = Layout("folder", (str(images.absolute()),), str(masks.absolute()), end, deep=True)
        place = place_at(Path("/"), layout)
        if place and place.photos:
            return place
        tried = tried or (place if place and place.notes else None)
    why = "; ".join(tried.notes) if tried else f"there is no {', '.join(_ENDS)} in {masks}"
    raise InputError(
        f"no photo of {images} has an index picture in {masks}: {why}",
        "a photo and its index picture have the same name but for the ending",
    )


def _read_classes(path: Path) -> tuple[Names, list[int]]:
    """Names of the classes, and their values where the file gives them, else none."""
    try:
        text = decode(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(
            f"the class file {path} cannot be read: {error.strerror}",
            "--classes is a text file with one class a line",
        ) from error
    lines = re.split(r"\r\n|\n|\r", text)
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    valued = [_VALUED.fullmatch(row) for row in rows]
    pairs = [(int(m[1]), m[2].strip()) for m in valued if m and m[2].strip()]
    explicit = bool(pairs) and all(valued)
    if explicit:
        lines = [name for _, name in pairs]
    parsed = parse_classes(lines, str(path), "class" if explicit else "line", shared=True)
    if parsed.has_parts:
        raise InputError(
            f"{path} names parts of classes; an index picture has one class a pixel",
            r"write \> for a > inside a name",
        )
    values = [value for value, _ in pairs] if explicit else []
    if len(set(values)) < len(values) or any(value > NO_LABEL for value in values):
        raise InputError(f"{path} gives two classes one value, or one above {NO_LABEL:,}")
    return [tuple(one) for one in parsed.names], values


def _unlabelled(sample: Sample, classes: int, given: list[int], ignore: int | None) -> set[int]:
    if ignore is not None:
        return {ignore}
    usual = 255 if sample.bits <= 8 else NO_LABEL
    # 255 is a class once there are that many; which of 0 and 1 is the first does not matter then.
    taken = usual in given if given else usual < classes
    return set() if taken else {usual}


def _first(
    first_index: int | None, sample: Sample, names: Names, ignore: int | None
) -> tuple[int, str]:
    """Value of the first class and why, for people.

    Raises:
        InputError: Both readings are possible.
    """
    if first_index is not None:
        return first_index, "as --first-index says"
    first_says_none = any(name.casefold() in _NOTHING for name in names[0])
    if ignore == 0:
        return (0, "the first line names value 0") if first_says_none else (1, "0 is ignored")
    usual = {255} if sample.bits <= 8 else {NO_LABEL}
    # An ignored value may be one of the list ("unlabelled" in its last line) or beyond it.
    high, high_listed = (
        max(sample.pixels.keys() - without, default=0) for without in (usual | {ignore}, usual)
    )
    count = len(names)
    if high == count:
        return 1, f"the highest value, {high}, is the number of classes"
    if 0 in sample.pixels and count - 1 in (high, high_listed):
        return 0, "0 and the last one occur"
    if 0 in sample.pixels and first_says_none:
        return 0, "the first line names value 0"
    if high > count:  # refused later, with the file that holds it
        return 0, "by default"
    share = 100 * sample.pixels.get(0, 0) / max(sum(sample.pixels.values()), 1)
    raise InputError(
        f"values up to {high} for {count:,} classes can be read in two ways: value 0 "
        f"({share:.0f} % of the pixels) is '{names[0][0]}', or it means not labelled",
        "say which: --first-index 0, or --first-index 1",
    )


def _refuse_strange(sample: Sample, known: set[int], classes: Path) -> None:
    strange = sorted(sample.pixels.keys() - known)
    if strange:
        first = sample.first[strange[0]]
        more = f" and {len(strange) - 1:,} more" if len(strange) > 1 else ""
        raise InputError(
            f"{first} holds the value {strange[0]}{more}, which no class of {classes} has",
            "name every value in the class file, or say what is not labelled with --ignore",
        )


def _sizes(photos: tuple[MapPhoto, ...]) -> list[str]:
    """A note where label pictures are smaller or larger than their photos.

    Raises:
        InputError: One has another shape than its photo as shown.
    """
    other = []
    for photo in photos:
        shown, stored, label = _size(photo.path, True), _size(photo.path, False), _size(photo.mask)
        if label == shown:
            continue
        if abs(label[0] / label[1] * shown[1] / shown[0] - 1) > _SHAPE:
            turned = label == stored
            raise InputError(
                f"{photo.mask} has {label[0]} x {label[1]} pixels, its photo {shown[0]} x "
                f"{shown[1]}"
                + (" as shown (its EXIF data turn it)" if turned else ""),
                "turn the index picture as the photo is shown" if turned else
                "a photo and its index picture show the same, at any scale",
            )  # fmt: skip
        other.append(photo)
    if not other:
        return []
    return [
        f"{len(other):,} index pictures have another size than their photo, first "
        f"{other[0].mask.name}: maps are compared at the size of the index picture"
    ]


def _size(path: Path, shown: bool = False) -> tuple[int, int]:
    """(width, height) from the header, turned as EXIF says where asked."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = shown and picture.getexif().get(0x0112, 1) >= 5
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return (height, width) if turned else (width, height)
