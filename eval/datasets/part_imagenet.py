"""PartImageNet: 40 parts of animals and things, as COCO json (part AP) or index pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eval.datasets.coco import read_coco
from eval.datasets.codings import numbered
from eval.datasets.labels import sample_values
from eval.datasets.layouts import Layout, bases, folders_in, places
from eval.datasets.lists import NameList, name_list
from eval.datasets.records import Found, MapSet, RegionPhoto, RegionSet
from usearch.errors import InputError, UsageError

PART_IMAGENET_PHOTOS = {"val": 2957, "train": 16540, "test": 4598}
_SOURCE = "the set is PartImageNet (24,095 photos), https://github.com/TACJu/PartImageNet"
_SEGMENTED = numbered("PartImageNet_Seg", 40, 0, (40,))
_LAYOUTS = ("vlpart", "coco", "seg")


def part_wholes() -> dict[str, tuple[str, ...]]:
    """For each of the 11 super-categories the names of its parts, in the order of their ids."""
    wholes: dict[str, list[str]] = {}
    official = name_list("partimagenet", "official").names
    for (one,), (plain, *_) in zip(official, name_list("partimagenet").names, strict=True):
        wholes.setdefault(one.split()[0].lower(), []).append(plain)
    return {whole: tuple(parts) for whole, parts in wholes.items()}


def open_part_imagenet(root: Path, split: str, layout: str, names: str) -> MapSet | RegionSet:
    """PartImageNet; arguments and errors as `opening.open_dataset`.

    A `RegionSet` has the 40 part names of the list as `things`, whatever its json calls them, and
    no stuff. Annotations without a polygon of three points are left out; `found.notes` counts them.
    """
    if split not in PART_IMAGENET_PHOTOS:
        raise UsageError(
            f"partimagenet has no split '{split}'", f"one of {', '.join(PART_IMAGENET_PHOTOS)}"
        )
    if layout not in ("", *_LAYOUTS):
        raise UsageError(f"partimagenet has no layout '{layout}'", f"one of {', '.join(_LAYOUTS)}")
    if not root.is_dir():
        raise InputError(f"no folder {root}", "--root is the folder that holds the data set")
    listed = name_list("partimagenet", names)
    for style, base, file in _annotation_files(root, split):
        if layout in ("", style):
            return _regions(root, split, style, base, file, listed)
    found = places(root, _segmented(split), ()) if layout in ("", "seg") else []
    if found:
        place = found[0]
        sample = sample_values(place.photos, "index")
        note = "index pictures have no objects: part AP cannot be measured on them"
        return MapSet(
            name="partimagenet",
            photos=place.photos,
            names=listed.names,
            values=_SEGMENTED.values,
            list_id=listed.list_id,
            ignore=_SEGMENTED.ignore,
            found=Found(root, place.layout.name, place.images, place.labels, len(place.photos),
                        PART_IMAGENET_PHOTOS[split], _SEGMENTED.reading,
                        (f"{sample.files:,} label files looked at", note, *place.notes)),
        )  # fmt: skip
    there = ", ".join(folder.name for folder in folders_in(root)[:8]) or "no folder"
    raise InputError(
        f"no PartImageNet ({split}) below {root}, nor two folders deeper. Looked for: {split}.json "
        f"or {split}_format.json beside {split}/, annotations/{split}/*.json or "
        f"annotations/{split}.json beside images/, annotations/{split}_part/*.png. Found: {there}",
        f"{_SOURCE}; give its folder as --root",
    )


def _annotation_files(root: Path, split: str) -> Iterator[tuple[str, Path, Path]]:
    """Layout, base and json file, where both the json and photos are there."""
    for base in bases(root):
        for name in (f"{split}.json", f"{split}_format.json"):
            if (base / name).is_file() and (base / split).is_dir():
                yield "vlpart", base, base / name
    for base in bases(root):
        folder = base / "annotations"
        named = [folder / split / f"{split}.json", folder / f"{split}.json"]
        files = [*named, *sorted((folder / split).glob("*.json"))]
        for file in files:
            if file.is_file() and any(one.is_dir() for one in _photo_folders(base, split)[:2]):
                yield "coco", base, file
                break


def _segmented(split: str) -> list[Layout]:
    labels = f"annotations/{split}_part"
    photos = (f"images/{split}", "images")
    return [Layout("seg", photos, labels, deep=deep) for deep in (False, True)]


def _photo_folders(base: Path, split: str) -> list[Path]:
    names = (f"images/{split}", f"JPEGImages/{split}", split, "images", "JPEGImages")
    return [base / name for name in names]


def _regions(
    root: Path, split: str, style: str, base: Path, annotations: Path, listed: NameList
) -> RegionSet:
    unusable: list[str] = []
    read = read_coco(annotations, base, "partimagenet", plain_names=False, unusable=unusable)
    if len(read.things) != len(listed.names):
        raise InputError(
            f"{annotations} has {len(read.things)} classes, not the 40 parts of PartImageNet",
            _SOURCE,
        )
    ours = [one[0] for one in listed.names]
    name_of = dict(zip(read.things, ours, strict=True))
    folders = [folder for folder in _photo_folders(base, split) if folder.is_dir()]
    photos, lost = [], []
    for photo in read.photos:
        path = _photo(folders, photo.path.relative_to(base))
        if path is None:
            lost.append(photo.path.name)
            continue
        regions = tuple(replace(region, name=name_of[region.name]) for region in photo.regions)
        photos.append(RegionPhoto(path, photo.size, regions))
    if not photos:
        raise InputError(
            f"none of the {len(lost):,} photos of {annotations} is there, first {lost[0]}"
            if lost else f"{annotations} lists no photo",
            _SOURCE,
        )  # fmt: skip
    official = [one[0] for one in name_list("partimagenet", "official").names]
    renamed = sum(a.casefold() != b.casefold() for a, b in zip(read.things, official, strict=True))
    notes = []
    if len(photos) != PART_IMAGENET_PHOTOS[split]:
        notes.append(
            f"{len(photos):,} photos, PartImageNet has {PART_IMAGENET_PHOTOS[split]:,}: "
            "a score is not comparable with published ones"
        )
    if lost:
        notes.append(f"{len(lost):,} photos of the json are missing, first {lost[0]}: left out")
    if unusable:
        notes.append(
            f"{len(unusable):,} annotations have no usable mask, first {unusable[0]}: left out"
        )
    if renamed:
        notes.append(f"{renamed} classes have other names in the json: names are taken by ids")
    return RegionSet(
        name="partimagenet",
        photos=tuple(photos),
        things=tuple(ours),
        stuff=(),
        list_id=listed.list_id,
        found=Found(root, style, folders[0], annotations, len(photos), PART_IMAGENET_PHOTOS[split],
                    "polygons or run lengths of COCO json, 40 parts in the order of their ids",
                    tuple(notes)),
    )  # fmt: skip


def _photo(folders: list[Path], name: Path) -> Path | None:
    """The photo's file; some editions keep photos in folders named after the class's wnid."""
    synset = name.name.split("_")[0]
    for folder in folders:
        for path in (folder / name, folder / synset / name.name):
            if path.is_file():
                return path
    return None
