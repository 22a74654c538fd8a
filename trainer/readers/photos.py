"""Photo files of label files: found by name, checked, and kept as bytes or as paths."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image as Pillow

from indexer.photos import MAX_PIXELS, PhotoError, decode
from indexer.pixels import fit, upright_rgb
from trainer.pairs import PairImage, split_of
from trainer.readers.options import Options
from trainer.readers.report import Report
from trainer.readers.segments import Mark, Size, segments_of
from usearch.errors import InputError
from usearch.records import Image

QUALITY = 95
"""JPEG quality of photos that cannot be kept as their files are."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Of pictures inside tables; some other decoders of Pillow start programs."""

_ORIENTATION = 0x0112
_QUICK_SIDE = 64
"""A JPEG is checked to its last byte also when it is decoded this small, and much faster."""


@dataclass(frozen=True, slots=True)
class PhotoEntry:
    """A photo as a label file names it.

    Attributes:
        where: File and entry, for messages.
        key: What names it within the source; the second part of its id.
        file: The photo: a path, or the bytes of a picture.
        size: (height, width) that the label file states, or None.
        licence: Terms stated for it, or "".
        split_key: What its split is drawn from: the same photo in two sources is in one part.
        split: Part that the source states for it, or "".
    """

    where: str
    key: str
    file: Path | bytes
    size: Size | None = None
    licence: str = ""
    split_key: str = ""
    split: str = ""


def photo_folder(options: Options, candidates: Sequence[Path], first: str, report: Report) -> Path:
    """The folder of the photos: the one that was named, or the first that has the first photo.

    Raises:
        InputError: There is no such folder.
    """
    if options.images is not None:
        if not options.images.is_dir():
            raise InputError(f"there is no folder {options.images}", "give the photos' folder")
        return options.images
    looked = list(dict.fromkeys(candidates))
    for folder in looked:
        if find_photo(folder, first) is not None:
            report.say(f"photos: {folder}")
            return folder
    raise InputError(
        f"the photo {first} lies in none of: {', '.join(map(str, looked))}",
        "name the folder of the photos: --images DIR",
    )


def find_photo(folder: Path, name: str) -> Path | None:
    """The file that a name means: the longest end of it that is a file in the folder.

    What leads out of the folder ("..", an absolute path) is never followed: only its end counts.
    """
    parts = [p for p in PurePosixPath(name.replace("\\", "/")).parts if p != "/"]
    if "\0" in name:
        return None
    for start in range(len(parts)):
        end = parts[start:]
        if ".." in end or any(":" in part for part in end[:1]):
            continue
        path = folder.joinpath(*end)
        if path.is_file():
            return path
    return None


def make_photo(
    entry: PhotoEntry, marks: Sequence[Mark], options: Options, source: str, report: Report
) -> PairImage | None:
    """A photo with its segments; None when it has none, or when something is wrong with it."""
    try:
        size = _shown_size(entry.file)
    except PhotoError as error:
        report.problem(entry.where, f"{_shown_name(entry)}: {error.detail}")
        return None
    if entry.size is not None and entry.size != size:
        report.problem(
            entry.where,
            f"{_shown_name(entry)} has {size[1]} x {size[0]} pixels as it is shown, the labels "
            f"are for {entry.size[1]} x {entry.size[0]}",
        )
        return None
    width, height = fit(size[1], size[0], options.max_side or max(size))
    segments = segments_of(marks, size, (height, width), report)
    if not segments:
        report.left_out["photos without segments"] += 1
        return None
    if not report.in_order:
        return None  # the source will be refused: what is left is only checked
    jpeg, path = b"", ""
    if isinstance(entry.file, Path) and options.paths:
        path = str(entry.file)
    else:
        try:
            jpeg = _jpeg(entry.file, options.max_side)
        except (PhotoError, OSError) as error:  # it went away, or changed, since it was looked at
            report.problem(entry.where, f"{_shown_name(entry)}: {error}")
            return None
    return PairImage(
        id=f"{source}/{entry.key}",
        source=source,
        licence=entry.licence or options.licence,
        jpeg=jpeg,
        width=width,
        height=height,
        segments=segments,
        split=options.split or entry.split or split_of(entry.split_key or entry.key),
        path=path,
    )


def _shown_name(entry: PhotoEntry) -> str:
    return str(entry.file) if isinstance(entry.file, Path) else "the picture"


def _shown_size(file: Path | bytes) -> Size:
    """(height, width) of a photo as shown; it is read to its end."""
    if isinstance(file, Path):
        photo = decode(file, max_side=_QUICK_SIDE)
        return photo.height, photo.width
    _, width, height = _decoded(file, _QUICK_SIDE)
    return height, width


def _decoded(data: bytes, max_side: int) -> tuple[Image, int, int]:
    try:
        with Pillow.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise PhotoError("too_large", f"{picture.width} x {picture.height} pixels")
            return upright_rgb(picture, max_side)
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise PhotoError("damaged", str(error)) from error


def _jpeg(file: Path | bytes, max_side: int | None) -> bytes:
    """JPEG bytes of a photo: its own where they can be shown by anything as they are."""
    data = file.read_bytes() if isinstance(file, Path) else file
    with Pillow.open(io.BytesIO(data)) as picture:
        plain = picture.format == "JPEG" and picture.mode in ("RGB", "L")
        upright = picture.getexif().get(_ORIENTATION, 1) in (0, 1)
        if plain and upright and max(picture.size) <= (max_side or max(picture.size)):
            return data
        longest = max_side or max(picture.size)
    pixels = decode(file, longest).image if isinstance(file, Path) else _decoded(data, longest)[0]
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()
