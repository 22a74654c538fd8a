"""Visual Genome: phrases of regions (region_descriptions.json) and named boxes (objects.json)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.segmenters.coco_masks import is_whole, short
from trainer.pairs import PairImage
from trainer.readers.json_stream import entries
from trainer.readers.options import Options
from trainer.readers.photos import PhotoEntry, find_photo, make_photo, photo_folder
from trainer.readers.report import Report
from trainer.readers.segments import SYNONYM, Mark, corner_box
from usearch.errors import InputError

SOURCE = "visual-genome"
LICENCE = "annotations Visual Genome CC BY 4.0; photos under their own Flickr licences"
_PHOTO_FOLDERS = ("", "images", "VG_100K", "VG_100K_2", "images/VG_100K", "images/VG_100K_2")
_LISTS = {"regions": "region descriptions", "objects": "objects"}


def read_visual_genome(path: Path, options: Options, report: Report) -> Iterator[PairImage]:
    """Photos of a Visual Genome file, each box with its phrase or its names.

    `image_data.json`, where it lies beside the file, says which photos COCO has too: they are in
    the same split as there.
    """
    coco_ids = _coco_ids(path.parent / "image_data.json", report)
    folders: list[Path] = []
    seen: set[int] = set()
    for _, row, entry in entries(path):
        where = f"{path}, [{row}]"
        kind = next((k for k in _LISTS if isinstance(entry, dict) and k in entry), None)
        if kind is None:
            report.problem(where, f"{short(entry)} has neither 'regions' nor 'objects'")
            continue
        image_id = _image_id(entry)
        if image_id is None or image_id in seen:
            what = "is no whole number" if image_id is None else "was used before"
            shown = entry.get("image_id", entry.get("id"))
            report.problem(f"{where}.image_id", f"{short(shown)} {what}")
            continue
        seen.add(image_id)
        name = f"{image_id}.jpg"
        if not folders:
            report.say(f"{path.name}: Visual Genome {_LISTS[kind]}")
            folders = _folders(path, name, options, report)
        file = next((f for f in (find_photo(d, name) for d in folders) if f), None)
        if file is None:
            report.problem(where, f"there is no photo {name} in {folders[0]}")
            continue
        marks = list(_marks(entry, kind, where, report))
        coco_id = coco_ids.get(image_id)
        photo = PhotoEntry(
            where,
            str(image_id),
            file,
            licence=options.licence or LICENCE,
            split_key=f"{coco_id:012d}" if coco_id is not None else f"{SOURCE}/{image_id}",
        )
        made = make_photo(photo, marks, options, options.name or f"{SOURCE}-{kind}", report)
        if made is not None:
            yield made


def _image_id(entry: dict[str, Any]) -> int | None:
    image_id = entry.get("image_id", entry.get("id"))
    return image_id if is_whole(image_id) else None


def _folders(path: Path, first: str, options: Options, report: Report) -> list[Path]:
    """All folders that may hold photos: Visual Genome's are divided in two."""
    bases = [options.images] if options.images else [path.parent, path.parent.parent]
    candidates = [base / name for base in bases for name in _PHOTO_FOLDERS]
    if options.images and not options.images.is_dir():
        photo_folder(options, candidates, first, report)  # says that there is no such folder
    there = [folder for folder in candidates if folder.is_dir()]
    if not any(next(folder.glob("*.jpg"), None) for folder in there):
        raise InputError(
            f"no photos (such as {first}) in: {', '.join(map(str, candidates))}",
            "name the folder that holds VG_100K and VG_100K_2: --images DIR",
        )
    return there


def _marks(entry: dict[str, Any], kind: str, where: str, report: Report) -> Iterator[Mark]:
    rows = entry[kind]
    if not isinstance(rows, list):
        report.problem(f"{where}.{kind}", f"{short(rows)} is no list")
        return
    for number, row in enumerate(rows):
        place = f"{where}.{kind}[{number}]"
        if not isinstance(row, dict):
            report.problem(place, f"{short(row)} is no object")
            continue
        if kind == "regions":
            texts: Any = [row.get("phrase")]
            corner = [row.get(key) for key in ("x", "y", "width", "height")]
        else:
            texts = row.get("names")
            corner = [row.get(key) for key in ("x", "y", "w", "h")]
        if not isinstance(texts, list):
            report.problem(f"{place}.names", f"{short(texts)} is no list of names")
            continue
        try:
            box = corner_box(*corner)
        except InputError as error:
            report.problem(f"{place}.x", error.message)
            continue
        yield Mark(place, "box", tuple(texts), None, box, "x", SYNONYM)


def _coco_ids(path: Path, report: Report) -> dict[int, int]:
    """COCO's id of each photo that COCO has too; empty without the file that says it."""
    if not path.is_file():
        return {}
    found: dict[int, int] = {}
    for _, _, entry in entries(path):
        if isinstance(entry, dict):
            image_id, coco_id = _image_id(entry), entry.get("coco_id")
            if image_id is not None and isinstance(coco_id, int):
                found[image_id] = coco_id
    report.say(f"{path.name}: {len(found):,} photos are COCO's too, and keep their split")
    return found
