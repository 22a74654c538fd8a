"""What a filter may ask about: the columns, their kinds and their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from usearch.errors import UsageError

Kind = Literal["real", "whole", "text", "date", "flag"]
Of = Literal["segment", "photo"]

_SHARE = {"%": Fraction(1, 100)}
_PX = {"px": Fraction(1)}
_PIXELS = {"mp": Fraction(10**6), **_PX}
_BYTES = {
    "b": Fraction(1),
    **{unit: Fraction(1000**n) for n, unit in enumerate(("kb", "mb", "gb", "tb"), 1)},
    **{unit: Fraction(1024**n) for n, unit in enumerate(("kib", "mib", "gib", "tib"), 1)},
}
UNIT_NAMES = ("%", "px", "MP", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Column:
    """A name that a filter may use.

    Attributes:
        name: As it is written.
        kind: What its values are: float32, int64, text, ISO time, yes or no.
        of: Whose property it is. What is asked of photos is answered once a photo.
        about: One line for people.
        units: What may follow a number, in small letters, and what it multiplies by.
        nullable: Whether a photo or segment may lack it (`has` asks for that).
        alias: Another name for it.
    """

    name: str
    kind: Kind
    of: Of
    about: str
    units: dict[str, Fraction] = field(default_factory=dict)
    nullable: bool = False
    alias: str = ""


COLUMNS: tuple[Column, ...] = (
    Column("area_share", "real", "segment", "share of the photo, 0..1", _SHARE, alias="area"),
    Column("left", "real", "segment", "left side of the box, 0..1 of the width", _SHARE),
    Column("right", "real", "segment", "right side of the box, 0..1 of the width", _SHARE),
    Column("top", "real", "segment", "top of the box, 0..1 of the height from above", _SHARE),
    Column("bottom", "real", "segment", "bottom of the box, 0..1 of the height", _SHARE),
    Column("center_x", "real", "segment", "middle of the box, 0..1 of the width", _SHARE),
    Column("center_y", "real", "segment", "middle of the box, 0..1 of the height", _SHARE),
    Column("x0", "real", "segment", "left side of the box in pixels", _PX),
    Column("y0", "real", "segment", "top of the box in pixels", _PX),
    Column("x1", "real", "segment", "right side of the box in pixels (half-open)", _PX),
    Column("y1", "real", "segment", "bottom of the box in pixels (half-open)", _PX),
    Column("box_width", "real", "segment", "x1 - x0", _PX),
    Column("box_height", "real", "segment", "y1 - y0", _PX),
    Column("aspect", "real", "segment", "box_width / box_height"),
    Column("touches_border", "flag", "segment", "the box reaches a side of the photo"),
    Column("segmenter_score", "real", "segment", "the segmenter's own score, 0..1", _SHARE),
    Column("depth", "whole", "segment", "0 without parent, else one more than the parent's"),
    Column("parent", "whole", "segment", "id of the segment it is a part of", nullable=True),
    Column("segment", "whole", "segment", "its id", alias="segment_id"),
    Column("photo", "whole", "photo", "the photo's id", alias="photo_id"),
    Column("path", "text", "photo", "path below the indexed folder; whole when it begins with /"),
    Column("root", "text", "photo", "the indexed folder"),
    Column("width", "whole", "photo", "the photo's width in pixels, as shown", _PX),
    Column("height", "whole", "photo", "the photo's height in pixels, as shown", _PX),
    Column("pixels", "whole", "photo", "width x height", _PIXELS),
    Column("bytes", "whole", "photo", "size of the file", _BYTES),
    Column(
        "taken_at", "date", "photo", "when it was taken, from EXIF", nullable=True, alias="taken"
    ),
    Column("camera", "text", "photo", "maker and model, from EXIF", nullable=True),
)

BY_NAME: dict[str, Column] = {c.name: c for c in COLUMNS}
_BY_WORD = BY_NAME | {c.alias: c for c in COLUMNS if c.alias}

_ELSEWHERE = {
    "score": "how well a hit matches is --min-score; the segmenter's own is segmenter_score",
    "cosine": "a filter is about the store, not about the question",
    "date": "when a photo was taken is taken_at",
    "time": "when a photo was taken is taken_at",
    "size": "the file's size is bytes, the photo's is width, height or pixels",
    "name": 'the name of the file: path ~ "name*"',
    "id": "ids are segment and photo",
    "box": "the box is x0 y0 x1 y1, or left top right bottom in 0..1",
}


def find_column(word: str) -> Column:
    """The column that a word names, whatever its case.

    Raises:
        UsageError: There is none; the hint is the nearest name, or all.
    """
    found = _BY_WORD.get(word.lower())
    if found is not None:
        return found
    import difflib

    near = difflib.get_close_matches(word.lower(), _BY_WORD, 2, 0.6)
    hint = _ELSEWHERE.get(word.lower(), "")
    if not hint and near:
        hint = f"did you mean {' or '.join(near)}?"
    raise UsageError(
        f"there is no column {word}", hint or "columns: " + " ".join(c.name for c in COLUMNS)
    )
