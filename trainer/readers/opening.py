"""A source of any form: which one it is, and its photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from trainer.pairs import SCHEMA, PairImage, read_pairs
from trainer.readers.coco import read_captions, read_instances
from trainer.readers.folder import CLASS_FILES, IMAGE_FOLDERS, MASK_FOLDERS, read_folder
from trainer.readers.json_stream import entries
from trainer.readers.options import FORMS, Form, Options
from trainer.readers.panoptic import read_panoptic
from trainer.readers.report import Report
from trainer.readers.table import read_table
from trainer.readers.table_rows import SUFFIXES
from trainer.readers.visual_genome import read_visual_genome
from usearch.errors import InputError, UsageError

_OWN_COLUMNS = {"id", "segments", "source", "width", "height"}


def open_pairs(
    source: str | Path, *, report: Report | None = None, **options: Any
) -> Iterator[PairImage]:
    """Photos of a source with their segments and texts.

    Args:
        source: A file or folder of one of the forms of `trainer.readers.options.FORMS`.
        report: Takes what was understood and what was left out.
        options: Fields of `Options`.

    Raises:
        InputError: The source is of no known form, or has wrong entries that are not skipped;
            each with file, entry and field. Photos that were given before it was raised are not
            all of the source.
        UsageError: Options that make no sense for it.
    """
    path, said = Path(source), Options(**options)
    report = Report() if report is None else report
    if said.paths and said.max_side is not None:
        raise UsageError(
            "photos whose paths are kept are not reduced: --paths and --max-side exclude each other"
        )
    if said.form is not None and said.form not in FORMS:
        raise UsageError(f"no form {said.form!r}", f"forms: {', '.join(FORMS)}")
    form = said.form or recognise(path, said)
    seen: set[str] = set()
    for photo in _READERS[form](path, said, report):
        if photo.id in seen:
            report.problem(str(path), f"the photo {photo.id!r} is there twice")
        elif report.in_order:
            yield photo
        seen.add(photo.id)
    report.refuse()
    if not seen:
        wrong = [
            f"{report.n_problems:,} wrong entries, the first: {p}" for p in report.problems[:1]
        ]
        left = [f"{n:,} {what}" for what, n in report.left_out.items()]
        why = "; ".join((*left, *wrong))
        raise InputError(f"{path} gives no pairs" + (f": {why}" if why else ""))


def recognise(path: Path, options: Options) -> Form:
    """What a source is, by its content.

    Raises:
        InputError: It is not there, or of no known form.
    """
    if path.is_dir():
        return _form_of_folder(path, options)
    if not path.is_file():
        raise InputError(f"there is no file or folder {path}")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _form_of_parquet(path)
    if suffix == ".json":
        return _form_of_json(path)
    if suffix in SUFFIXES:
        return "table"
    raise InputError(f"{path} is of no known form", _KNOWN)


_KNOWN = (
    "sources are: pairs or other tables (.parquet .json .jsonl .csv .pkl .zip), COCO or Visual "
    "Genome json, or a folder with images, masks and classes.txt"
)


def _form_of_folder(path: Path, options: Options) -> Form:
    own = [options.masks and options.images, options.classes]
    parts = any((path / name).is_dir() for name in MASK_FOLDERS)
    listed = any((path / name).is_file() for name in CLASS_FILES)
    if any(own) or (parts and (listed or any((path / name).is_dir() for name in IMAGE_FOLDERS))):
        return "folder"
    shards = sorted(path.glob("*.parquet"))
    if shards:
        return _form_of_parquet(shards[0])
    if any(f.suffix.lower() in SUFFIXES for f in path.iterdir()):
        jsons = sorted(path.glob("*.json"))
        if jsons and _form_of_json(jsons[0]) not in ("table", "folder"):
            raise InputError(
                f"{path} is a folder of label files", f"name one of them, such as {jsons[0]}"
            )
        return "table"
    raise InputError(f"{path} is of no known form", _KNOWN)


def _form_of_parquet(path: Path) -> Form:
    try:
        columns = set(pq.read_schema(path).names)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}") from error
    return "pairs" if columns >= _OWN_COLUMNS or columns >= set(SCHEMA.names) else "table"


def _form_of_json(path: Path) -> Form:
    """By the first entries of its lists; of a COCO file, by its first annotation."""
    coco: Form | None = None
    for key, row, entry in entries(path):
        if not key:
            if isinstance(entry, dict) and {"image_id", "id"} & set(entry):
                if _lists(entry.get("regions"), "phrase", "x", "y"):
                    return "vg-regions"
                if _lists(entry.get("objects"), "names", "x", "y", "w", "h"):
                    return "vg-objects"
            return "table"
        if key in ("images", "annotations", "categories", "licenses", "info"):
            coco = coco or "instances"
        if key == "annotations" and row == 0 and isinstance(entry, dict):
            if "segments_info" in entry:
                return "panoptic"
            return "captions" if "caption" in entry and "category_id" not in entry else "instances"
    return coco or "table"


def _lists(value: Any, *keys: str) -> bool:
    """Whether a value is a list of objects with these keys, or an empty one."""
    if not isinstance(value, list):
        return False
    return not value or (isinstance(value[0], dict) and set(keys) <= set(value[0]))


def _read_own(path: Path, options: Options, report: Report) -> Iterator[PairImage]:
    """Our own files: checked, and given as they are but for the split that was asked for."""
    report.say(f"{path}: segment-text pairs")
    if options.paths or options.max_side or options.name:
        raise UsageError("pairs are given as they are: --paths, --max-side and --name change them")
    for photo in read_pairs(path):
        changed = {"split": options.split} if options.split else {}
        if options.licence and not photo.licence:
            changed["licence"] = options.licence
        yield replace(photo, **changed) if changed else photo  # type: ignore[arg-type]


_READERS: dict[Form, Callable[[Path, Options, Report], Iterator[PairImage]]] = {
    "pairs": _read_own,
    "instances": read_instances,
    "captions": read_captions,
    "panoptic": read_panoptic,
    "vg-regions": read_visual_genome,
    "vg-objects": read_visual_genome,
    "table": read_table,
    "folder": read_folder,
}
