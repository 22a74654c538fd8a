"""Photos as data URIs for a page that must stay small: each once, all within a budget."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from usearch.errors import InputError

if TYPE_CHECKING:
    from PIL import Image as Pillow

    from usearch.hits import Hit, ReadPhoto

_STEPS = ((1600, 85), (1280, 82), (1024, 80), (800, 76), (640, 72), (480, 66), (360, 58))
"""Longest side and JPEG quality, from the best that is ever embedded to the least."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A photo for a page.

    Attributes:
        uri: `data:` address of a JPEG without metadata; "" where the photo cannot be shown.
        problem: Why not, in one line; "" otherwise.
        width: Of the photo itself as shown, in pixels.
        height: As `width`.
    """

    uri: str
    problem: str
    width: int
    height: int


def embedded_photos(hits: Sequence[Hit], read_photo: ReadPhoto, budget: int) -> dict[str, Embedded]:
    """The photos of hits, by their absolute path, in the order of the hits.

    Each photo may take its share of what is left of the budget: what a plain sky saves goes
    to the photos after it. One photo is in memory at a time.

    Args:
        hits: Any number, several of them in one photo or not.
        read_photo: Gives pixels.
        budget: Characters that all addresses may have together. Photos are never made
            smaller than 360 pixels, so more than about a thousand of them take more.
    """
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(hit.image, hit)
    found: dict[str, Embedded] = {}
    left = budget
    for done, (path, hit) in enumerate(first.items()):
        try:
            uri = _data_uri(_shown(hit, read_photo), left // (len(first) - done))
        except InputError as problem:
            # A page that is passed on does not tell where the photos lie on this machine.
            told = problem.message.replace(path, hit.path)
            found[path] = Embedded("", told, hit.width, hit.height)
            continue
        found[path] = Embedded(uri, "", hit.width, hit.height)
        left = max(0, left - len(uri))
    return found


def _shown(hit: Hit, read_photo: ReadPhoto) -> Pillow.Image:
    """The photo at the largest size that is embedded.

    Raises:
        InputError: It cannot be read, or has another shape than when it was indexed.
    """
    from PIL import Image as Pillow

    image = read_photo(hit.image, _STEPS[0][0])
    height, width = image.shape[:2]
    # The sides were rounded to whole pixels when the photo was reduced.
    if abs(width * hit.height - height * hit.width) > max(hit.width, hit.height):
        raise InputError(f"{hit.image} has another shape than when it was indexed")
    return Pillow.fromarray(image)


def _data_uri(picture: Pillow.Image, room: int) -> str:
    """The best JPEG of at most `room` characters, or the smallest."""
    from PIL import Image as Pillow

    uri, tried = "", 0
    for step, quality in _STEPS:
        side = min(step, max(picture.size))
        if side == tried:
            continue
        # Bytes go with pixels: what would take far too many of them is not even tried.
        if uri and len(uri) * (side / tried) ** 2 > 2 * room and step != _STEPS[-1][0]:
            continue
        smaller = picture.copy()
        smaller.thumbnail((side, side), Pillow.Resampling.LANCZOS)
        out = io.BytesIO()
        smaller.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        uri = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
        tried = side
        if len(uri) <= room:
            break
    return uri
