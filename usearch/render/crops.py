"""Hits as files: what is in each box, or the segment alone on a clear ground, in full size."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.errors import InputError

if TYPE_CHECKING:
    from PIL import Image as Pillow

    from usearch.hits import Hit, ReadPhoto
    from usearch.records import Image

JPEG_QUALITY = 92
"""Of box crops, with full colour resolution. Cut-outs are PNG and lose nothing."""

MARGIN = 0.06
"""Of the box's longer side, that a box crop shows around it."""

_LONGEST_STEM = 120
"""Bytes of the photo's name that are kept; file systems take 255 for the whole name."""


def write_crops(
    folder: Path,
    hits: Sequence[Hit],
    *,
    cutout: bool = False,
    read_photo: ReadPhoto,
    skipped: Callable[[str], None],
) -> list[Path]:
    """Write one picture a hit, at the photo's own size. Nothing is ever written over.

    Names are `RANK-SCORE-PHOTO-SEGMENT.jpg` (`.png`), with a number behind where that is
    taken. The files hold pixels only: no EXIF data, no place, no thumbnail.

    Args:
        folder: Made when it is not there.
        hits: In any order. A photo is decoded once, and only one is in memory at a time.
        cutout: Write the segment alone, in a PNG with alpha, and not its box as a JPEG. Pixels
            outside the mask are black below their alpha of 0.
        read_photo: Gives pixels, see `usearch.stored_photos.photo_reader`.
        skipped: Is told in one line of each photo that cannot be shown any more.

    Returns:
        The files written, in the order of the hits.

    Raises:
        InputError: The folder or a file cannot be written.
    """
    from usearch.result_files import make_folder

    make_folder(folder)
    of_photo: dict[str, list[int]] = {}
    for i, hit in enumerate(hits):
        of_photo.setdefault(hit.image, []).append(i)
    digits = max(2, len(str(max((hit.rank for hit in hits), default=0))))
    written: dict[int, Path] = {}
    for members in of_photo.values():
        try:
            image = full_photo(hits[members[0]], read_photo)
        except InputError as problem:
            more = f" ({len(members)} hits)" if len(members) > 1 else ""
            skipped(problem.message + more)
            continue
        for i in members:
            picture = cut_out(image, hits[i]) if cutout else box_crop(image, hits[i])
            name = crop_name(hits[i], digits) + (".png" if cutout else ".jpg")
            written[i] = _write_new(folder / name, picture)
        del image  # before the next photo is there
    return [written[i] for i in sorted(written)]


def full_photo(hit: Hit, read_photo: ReadPhoto) -> Image:
    """The photo of a hit in full size: uint8 [hit.height, hit.width, 3].

    Raises:
        InputError: It cannot be read, or has another size than when it was indexed.
    """
    image = read_photo(hit.image, max(hit.width, hit.height))
    if image.shape[:2] != (hit.height, hit.width):
        raise InputError(
            f"{hit.image} has changed since it was indexed: it was {hit.width} x {hit.height} "
            f"pixels, and is {image.shape[1]} x {image.shape[0]} now",
            "index it again: usearch index FOLDER",
        )
    return image


def box_crop(image: Image, hit: Hit, margin: float = MARGIN) -> Pillow.Image:
    """The box of a hit with a margin, as far as the photo goes, in RGB.

    Args:
        image: uint8 [hit.height, hit.width, 3].
        hit: Whose box.
        margin: Share of the box's longer side.
    """
    from PIL import Image as Pillow

    x0, y0, x1, y1 = hit.box
    extra = margin * max(x1 - x0, y1 - y0)
    left, top = max(0, int(x0 - extra)), max(0, int(y0 - extra))
    right, bottom = _up(x1 + extra, hit.width, left), _up(y1 + extra, hit.height, top)
    return Pillow.fromarray(image[top:bottom, left:right])


def cut_out(image: Image, hit: Hit) -> Pillow.Image:
    """The segment of a hit alone, in RGBA, as large as its box.

    The mask is scaled to the photo's pixels, so that edges are soft where it is coarser.

    Args:
        image: uint8 [hit.height, hit.width, 3].
        hit: Whose segment.
    """
    import numpy as np
    from PIL import Image as Pillow

    from usearch.masks import decode

    x0, y0, x1, y1 = hit.box
    left, top = max(0, int(x0)), max(0, int(y0))
    right, bottom = _up(x1, hit.width, left), _up(y1, hit.height, top)
    rows, columns = hit.mask_size
    grid = Pillow.fromarray(decode(hit.rle, hit.mask_size).astype(np.uint8) * 255)
    across, down = columns / hit.width, rows / hit.height
    place = (left * across, top * down, right * across, bottom * down)
    alpha = grid.resize((right - left, bottom - top), Pillow.Resampling.BILINEAR, place)
    shown = np.dstack((image[top:bottom, left:right], np.asarray(alpha)))
    # Who cuts a person out of a photo does not send the others along below an alpha of 0.
    shown[shown[..., 3] == 0] = 0
    return Pillow.fromarray(shown)


def crop_name(hit: Hit, digits: int = 2) -> str:
    """A file name, without its ending, that sorts by rank and says what is in the file."""
    stem = re.sub(r"[^\w.-]+", "_", Path(hit.path).stem).strip("._-")
    stem = stem.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore")
    return f"{hit.rank:0{digits}d}-{hit.score:.2f}-{stem or 'photo'}-{hit.segment}"


def _up(value: float, limit: int, low: int) -> int:
    """`value` rounded up, at least a pixel above `low` and at most `limit`."""
    return min(limit, max(low + 1, -int(-value // 1)))


def _write_new(path: Path, picture: Pillow.Image) -> Path:
    """Write to the path, or to the first one with a number behind it that is free."""
    from usearch.result_files import cannot_write

    place, number = path, 1
    while True:
        try:
            file = place.open("xb")
        except FileExistsError:
            number += 1
            place = path.with_stem(f"{path.stem}-{number}")
            continue
        except OSError as problem:
            raise cannot_write(place, problem) from problem
        break
    try:
        with file:
            if path.suffix == ".png":
                picture.save(file, "PNG")
            else:
                picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    except BaseException as problem:
        os.unlink(place)  # noqa: PTH108
        if isinstance(problem, OSError):
            raise cannot_write(place, problem) from problem
        raise
    return place
