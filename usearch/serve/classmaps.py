"""Class maps of stored photos: no pixel is decoded, and no network runs but the text's."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from usearch.classify import (
    Classified,
    Rule,
    classify_segments,
    embed_classes,
    map_values,
    shares_of,
    stored_photos,
)
from usearch.errors import InputError
from usearch.render.palette import class_colours, png_palette
from usearch.serve.problems import Problem, bad_request
from usearch.text.class_lists import ClassList, parse_classes

if TYPE_CHECKING:
    from usearch.opened import OpenStore


def listed_classes(lines: Sequence[str], most: int) -> ClassList:
    """Classes of a request, one a line as in a class file: `name, synonym, ...`.

    Raises:
        UsageError: Two lines share a name.
        Problem: 400, they are none, too many, or malformed.
    """
    try:
        classes = parse_classes(lines, "the class list")
    except InputError as problem:
        raise bad_request(problem.message, problem.hint) from None
    if len(classes) > most:
        raise bad_request(f"{len(classes)} classes; {most} are the limit")
    return classes


def classified_photo(
    opened: OpenStore, photo_id: int, classes: ClassList, unknown: float
) -> Classified:
    """The classes of a photo, from what the store holds of it; see `usearch.classify`.

    Args:
        opened: The store.
        photo_id: A photo that is there.
        classes: At most 250, so that a map has 8 bits.
        unknown: Mean score, 0..1, below which a pixel is unknown; 0 = no pixel is.

    Raises:
        Problem: 404, the photo has no segments.
    """
    photo = next(stored_photos(opened.snapshot, [photo_id]), None)
    if photo is None or not len(photo.segments):
        raise Problem(404, "not_found", f"photo {photo_id} has no segments")
    texts = embed_classes(
        classes,
        opened.encoder,
        opened.templates,
        opened.calibration,
        cache_dir=opened.cache_dir,
    )
    return classify_segments(photo.segments, photo.vectors, texts, Rule(unknown))


def class_map_png(found: Classified) -> bytes:
    """An indexed PNG in the classes' colours; all that is of no class is transparent."""
    from PIL import Image as Pillow

    n, labels = found.n_classes, found.map()
    picture = Pillow.fromarray(np.where(labels < n, labels, map_values(n).none).astype(np.uint8))
    picture.putpalette(png_palette(n))
    out = io.BytesIO()
    picture.save(out, "PNG", transparency=map_values(n).none)
    return out.getvalue()


def class_map_values(found: Classified, classes: ClassList) -> dict[str, Any]:
    """Size, shares, and the classes with their colours and shares, largest first."""
    shares = shares_of(found)
    colours = class_colours(len(classes))
    listed = [
        {
            "value": value,
            "name": title,
            "colour": "#" + bytes(colours[value]).hex(),
            "share": round(float(shares.classes[value]), 6),
        }
        for value, title in enumerate(classes.titles)
    ]
    height, width = found.map().shape
    return {
        "size": {"width": width, "height": height},
        "covered_share": round(shares.covered, 6),
        "unknown_share": round(shares.unknown, 6),
        "classes": sorted(listed, key=lambda entry: (-entry["share"], entry["value"])),
    }
