"""Photos of a report's page: the photo once, labels and prediction as maps that lie over it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from eval.datasets.records import NO_LABEL, LabelMap
from usearch.classify import ClassMap, map_values
from usearch.records import Image
from usearch.render.palette import BACKGROUND, UNKNOWN, class_colours

SIDE = 560
"""Longest side of a picture on the page."""
_QUALITY = 72


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo of the page.

    Attributes:
        image: uint8 [H, W, 3] RGB, as shown.
        truth: uint16 [H, W], class rows, `NO_LABEL` where nothing is labelled. A size of its
            own is fine as long as the shape is the photo's.
        predicted: As `truth` in size, class rows; other values are no class.
    """

    image: Image
    truth: LabelMap
    predicted: ClassMap


@dataclass(frozen=True, slots=True)
class Pictures:
    """A photo as `data:` addresses, all of one size.

    Attributes:
        size: (width, height) on the page, in pixels.
        photo: JPEG without metadata.
        truth: PNG, transparent where nothing is labelled.
        predicted: PNG, transparent where there is no class.
    """

    size: tuple[int, int]
    photo: str
    truth: str
    predicted: str


def pictures(shown: Shown, n_classes: int) -> Pictures:
    """A photo made small for the page.

    Args:
        shown: The photo with its labels and its prediction.
        n_classes: C.
    """
    photo = Pillow.fromarray(shown.image)
    photo.thumbnail((SIDE, SIDE), Pillow.Resampling.LANCZOS)
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    values = map_values(n_classes)
    truth = np.where(shown.truth == NO_LABEL, values.none, shown.truth)
    return Pictures(
        size=photo.size,
        photo=_uri("jpeg", out.getvalue()),
        truth=_map_uri(truth, photo.size, n_classes),
        predicted=_map_uri(shown.predicted, photo.size, n_classes),
    )


def hex_colour(row: int) -> str:
    """Colour of a class, `#rrggbb`: the same on every map and in every legend."""
    red, green, blue = (int(channel) for channel in class_colours(row + 1)[row])
    return f"#{red:02x}{green:02x}{blue:02x}"


def _map_uri(labels: npt.NDArray[np.integer], size: tuple[int, int], n_classes: int) -> str:
    """A map in the colours of its classes, transparent where there is none of them."""
    values = map_values(n_classes)
    small = np.asarray(
        Pillow.fromarray(labels.astype(np.int32)).resize(size, Pillow.Resampling.NEAREST)
    )
    present, rows = np.unique(small, return_inverse=True)
    if len(present) > 256:  # more classes than a palette has; the rarest lose their colour
        kept = np.sort(np.argsort(-np.bincount(rows.ravel()), kind="stable")[:255])
        place = np.full(len(present), 255)
        place[kept] = np.arange(255)
        rows, present = place[rows], np.append(present[kept], values.none)
    palette = np.zeros((len(present), 3), np.uint8)
    known = present < n_classes
    palette[known] = class_colours(n_classes)[present[known]]
    palette[present == values.unknown] = UNKNOWN
    palette[present == values.background] = BACKGROUND
    others = known | (present == values.unknown) | (present == values.background)
    picture = Pillow.fromarray(rows.reshape(small.shape).astype(np.uint8), "P")
    picture.putpalette(palette.tobytes())
    out = io.BytesIO()
    opaque = bytes(255 if shown else 0 for shown in others.tolist())
    picture.save(out, "PNG", optimize=True, transparency=opaque)
    return _uri("png", out.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")
