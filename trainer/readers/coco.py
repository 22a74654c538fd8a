"""COCO json: instances (things, stuff, LVIS), captions and panoptic labels."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.segmenters.coco_masks import (
    MAX_PIXELS,
    MAX_SIDE,
    as_polygons,
    is_number,
    is_whole,
    name_problem,
    polygon_problem,
    short,
)
from trainer.pairs import Kind, PairImage
from trainer.readers.json_stream import entries
from trainer.readers.options import Options
from trainer.readers.photos import PhotoEntry, find_photo, make_photo, photo_folder
from trainer.readers.report import Report
from trainer.readers.segments import SYNONYM, Mark, Size, corner_box
from usearch.errors import InputError
from usearch.text.plain_names import plain_name

_STUFF = frozenset(
    {
        "building", "ceiling", "floor", "food-stuff", "furniture-stuff", "ground", "plant",
        "raw-material", "sky", "solid", "structural", "textile", "wall", "water", "window",
    }
)  # fmt: skip
"""COCO-Stuff's supercategories: its own files do not say `isthing`."""

NO_NAMES = frozenset(
    {"", "background", "ignore", "none", "null", "other", "others", "things", "undefined"}
    | {"unknown", "unlabeled", "unlabelled", "void"}
)
"""Class names that say nothing about a segment."""

_IN_BRACKETS = re.compile(r"\s*\([^)]*\)")
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/([\d.]+)")
_YEARLY = re.compile(r"(train|val|test|unlabeled)\d{4}")


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An image of a COCO file: entry, file name, (height, width) or None, terms."""

    where: str
    name: str
    size: Size | None
    licence: str


@dataclass(frozen=True, slots=True)
class CocoClass:
    """A category: its texts, the plain name first, and whether it is a countable thing."""

    texts: tuple[str, ...]
    thing: bool


@dataclass
class CocoFile:
    """A COCO file, checked entry by entry; `marks` as its annotations are.

    Attributes:
        path: The file.
        source: Name of the photos' source when nobody gives one. Each kind of label file has its
            own, so that photos of two of them have different ids; their splits are the same.
        images: By id, in the order of the file.
        classes: By id.
        marks: Annotations by image id: (entry number, annotation).
    """

    path: Path
    source: str
    images: dict[int | str, CocoImage] = field(default_factory=dict)
    classes: dict[int | str, CocoClass] = field(default_factory=dict)
    marks: dict[int | str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)


def read_instances(path: Path, options: Options, report: Report) -> Iterator[PairImage]:
    """Photos of an instances file: masks, crowds as stuff, boxes where there is no mask."""
    coco = read_coco_file(path, "coco-instances", report)
    report.say(
        f"{path.name}: COCO instances, {len(coco.images):,} images, {len(coco.classes):,} classes"
    )
    yield from _photos(coco, options, report, _instance_marks)


def read_captions(path: Path, options: Options, report: Report) -> Iterator[PairImage]:
    """Photos of a captions file, each with one segment, the whole photo."""
    coco = read_coco_file(path, "coco-captions", report)
    report.say(f"{path.name}: COCO captions, {len(coco.images):,} images")
    yield from _photos(coco, options, report, _caption_marks)


def coco_folders(path: Path) -> list[Path]:
    """Where the photos of a label file may be, when nobody says."""
    year = _YEARLY.search(path.stem)
    beside = [path.parent, path.parent.parent]
    names = ["images", *([year[0], f"images/{year[0]}"] if year else [])]
    return [folder / name for name in names for folder in beside] + beside


def read_coco_file(path: Path, source: str, report: Report) -> CocoFile:
    """The images, classes and annotations of a COCO file; wrong ones are reported.

    Raises:
        InputError: It is no COCO file.
    """
    coco = CocoFile(path, source)
    licences: dict[Any, str] = {}
    of_image: dict[int | str, Any] = {}
    keys = set()
    for key, row, entry in entries(path):
        keys.add(key)
        if key not in ("images", "annotations", "categories", "licenses") or row < 0:
            continue
        where = f"{path}, {key}[{row}]"
        if not isinstance(entry, dict):
            report.problem(where, f"{short(entry)} is no object")
        elif key == "images":
            _add_image(coco, entry, where, report)
            if _is_id(entry.get("id")):
                of_image[entry["id"]] = entry.get("license")
        elif key == "categories":
            _add_class(coco, entry, where, report)
        elif key == "licenses":
            licences[str(entry.get("id"))] = _licence(entry)
        else:
            _add_annotation(coco, row, entry, where, report)
    if not {"images", "annotations"} <= keys:
        raise InputError(
            f"{path} has no lists 'images' and 'annotations': not a COCO file",
            'the form is {"images": [...], "annotations": [...], "categories": [...]}',
        )
    _add_licences(coco, of_image, licences)
    for image_id in [i for i in coco.marks if i not in coco.images]:
        row, _ = coco.marks.pop(image_id)[0]
        where = f"{path}, annotations[{row}].image_id"
        report.problem(where, f"there is no image with id {short(image_id)}")
    return coco


def _is_id(value: Any) -> bool:
    return is_whole(value) or (isinstance(value, str) and bool(value))


def _add_image(coco: CocoFile, entry: dict[str, Any], where: str, report: Report) -> None:
    image_id = entry.get("id")
    name = entry.get("file_name") or _end_of_address(entry.get("coco_url"))
    if not _is_id(image_id):
        report.problem(f"{where}.id", f"{short(image_id)} is neither a whole number nor a text")
    elif image_id in coco.images:
        report.problem(f"{where}.id", f"{short(image_id)} was used before")
    elif problem := name_problem(name):
        report.problem(where, problem)
    else:
        height, width = entry.get("height"), entry.get("width")
        size = None
        if height is not None or width is not None:
            fits = is_whole(height) and is_whole(width)
            fits = fits and 0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE  # type: ignore[operator]
            if not fits or height * width > MAX_PIXELS:  # type: ignore[operator]
                what = f"width {short(width)}, height {short(height)} is no size of a photo"
                report.problem(where, what)
                return
            size = (height, width)
        coco.images[image_id] = CocoImage(where, name, size, "")  # type: ignore[index,arg-type]


def _end_of_address(address: Any) -> Any:
    """The last two parts, "val2017/000000000139.jpg": LVIS has no other name of a photo."""
    return "/".join(address.split("/")[-2:]) if isinstance(address, str) else address


def _add_class(coco: CocoFile, entry: dict[str, Any], where: str, report: Report) -> None:
    class_id, name = entry.get("id"), entry.get("name")
    if not _is_id(class_id):
        report.problem(f"{where}.id", f"{short(class_id)} is neither a whole number nor a text")
    elif class_id in coco.classes:
        report.problem(f"{where}.id", f"{short(class_id)} was used before")
    elif not isinstance(name, str) or not name.strip():
        report.problem(f"{where}.name", f"{short(name)} is no name")
    else:
        words = entry.get("synonyms")
        names = [name, *(w for w in words if isinstance(w, str))] if words else [name]
        texts = tuple(_IN_BRACKETS.sub("", plain_name(one)) or one for one in names)
        default = entry.get("supercategory") not in _STUFF
        thing = bool(entry.get("isthing", default))
        coco.classes[class_id] = CocoClass(texts, thing)  # type: ignore[index]


def _add_annotation(
    coco: CocoFile, row: int, entry: dict[str, Any], where: str, report: Report
) -> None:
    image_id = entry.get("image_id")
    if not _is_id(image_id):
        report.problem(f"{where}.image_id", f"{short(image_id)} is no id of an image")
        return
    kept: dict[str, Any] = {
        name: entry[name]
        for name in ("category_id", "caption", "iscrowd", "bbox", "file_name", "segments_info")
        if name in entry
    }
    shape = entry.get("segmentation")
    if isinstance(shape, list) and shape:
        problem = polygon_problem(shape)
        if problem:
            report.problem(f"{where}.segmentation", problem)
            return
        # Doubles in a row: a fifth of the memory of lists of Python numbers.
        kept["segmentation"] = [array("d", polygon) for polygon in as_polygons(shape)]
    elif shape:
        kept["segmentation"] = shape
    coco.marks.setdefault(image_id, []).append((row, kept))  # type: ignore[arg-type]


def _add_licences(
    coco: CocoFile, of_image: Mapping[int | str, Any], licences: Mapping[str, str]
) -> None:
    for image_id, image in coco.images.items():
        licence = licences.get(str(of_image.get(image_id)), "")
        if licence:
            coco.images[image_id] = replace(image, licence=f"photo {licence}")


def _licence(entry: dict[str, Any]) -> str:
    """Short name and address of a licence: CC BY-NC 2.0, http://..."""
    name, address = entry.get("name"), entry.get("url")
    found = _CREATIVE_COMMONS.search(address) if isinstance(address, str) else None
    title = f"CC {found[1].upper()} {found[2]}" if found else name
    return ", ".join(text for text in (title, address) if isinstance(text, str) and text)


def _photos(coco: CocoFile, options: Options, report: Report, marks_of: Any) -> Iterator[PairImage]:
    report.refuse()  # before photos are looked at, which takes longer
    if not coco.images:
        return
    first = next(iter(coco.images.values())).name
    folder = photo_folder(options, coco_folders(coco.path), first, report)
    for image_id, image in coco.images.items():
        marks = list(marks_of(coco, coco.marks.pop(image_id, []), report))
        if not marks:
            report.left_out["photos without segments"] += 1
            continue
        photo = photo_of(image, folder, marks, options.name or coco.source, options, report)
        if photo is not None:
            yield photo


def photo_of(
    image: CocoImage,
    folder: Path,
    marks: list[Mark],
    source: str,
    options: Options,
    report: Report,
) -> PairImage | None:
    """The photo of an image with its segments; None when it cannot be used."""
    file = find_photo(folder, image.name)
    if file is None:
        report.problem(f"{image.where}.file_name", f"there is no photo {image.name} in {folder}")
        return None
    name = PurePosixPath(image.name.replace("\\", "/"))
    key = name.with_suffix("").as_posix()
    entry = PhotoEntry(image.where, key, file, image.size, image.licence, name.stem)
    return make_photo(entry, marks, options, source, report)


def class_of(
    coco: CocoFile, entry: Mapping[str, Any], where: str, report: Report
) -> CocoClass | None:
    """The class of an annotation; None where it is wrong, or its name says nothing."""
    category = entry.get("category_id")
    found = coco.classes.get(category) if _is_id(category) else None  # type: ignore[arg-type]
    if found is None:
        report.problem(f"{where}.category_id", f"there is no category with id {short(category)}")
    elif found.texts[0].casefold() in NO_NAMES:
        report.left_out[f"segments named {found.texts[0]!r}"] += 1
        found = None
    return found


def _instance_marks(
    coco: CocoFile, annotations: list[tuple[int, dict[str, Any]]], report: Report
) -> Iterator[Mark]:
    for row, entry in annotations:
        where = f"{coco.path}, annotations[{row}]"
        found = class_of(coco, entry, where, report)
        if found is None:
            continue
        crowd = bool(entry.get("iscrowd"))
        if crowd:
            report.left_out["crowds, kept as stuff"] += 1
        kind: Kind = "object" if found.thing and not crowd else "stuff"
        if "segmentation" in entry:
            mask = entry["segmentation"]
            yield Mark(where, kind, found.texts, mask, other_weights=SYNONYM)
            continue
        box = entry.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(is_number(v) for v in box):
            what = f"{short(box)} is no box, and there is no segmentation"
            report.problem(f"{where}.bbox", what)
            continue
        yield Mark(where, "box", found.texts, None, corner_box(*box), "bbox", SYNONYM)


def _caption_marks(
    coco: CocoFile, annotations: list[tuple[int, dict[str, Any]]], report: Report
) -> Iterator[Mark]:
    texts = []
    for row, entry in annotations:
        caption = entry.get("caption")
        if isinstance(caption, str):
            texts.append(caption)
        else:
            report.problem(
                f"{coco.path}, annotations[{row}].caption", f"{short(caption)} is no text"
            )
    if texts:
        yield Mark(f"{coco.path}, annotations[{annotations[0][0]}]", "caption", tuple(texts))
