"""What a person may say about a source beyond its path."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

Form = Literal[
    "pairs", "instances", "captions", "panoptic", "vg-regions", "vg-objects", "table", "folder"
]
FORMS: tuple[str, ...] = get_args(Form)


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a source; everything but the path is found out where it is None or empty.

    Attributes:
        form: What the source is, one of `FORMS`.
        images: Folder of the photos.
        masks: Folder of the mask PNGs (panoptic, folder).
        classes: Class list of the mask PNGs (folder).
        first_index: Value of the first class in the mask PNGs, 0 or 1 (folder).
        ignore: Values in the mask PNGs that are no class (folder).
        columns: {role: column} where a table's columns are not to be guessed.
        name: Source of the photos, the first part of their ids.
        licence: Terms of photos for which the source states none.
        split: "train" or "held" for all photos, instead of a part chosen by hash.
        max_side: Reduce larger photos, and their masks with them, to this longest side in pixels.
        paths: Keep the path of each photo instead of its bytes.
    """

    form: Form | None = None
    images: Path | None = None
    masks: Path | None = None
    classes: Path | None = None
    first_index: int | None = None
    ignore: tuple[int, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    name: str = ""
    licence: str = ""
    split: str = ""
    max_side: int | None = None
    paths: bool = False
