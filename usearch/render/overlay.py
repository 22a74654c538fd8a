"""Class maps over photos: tinted regions, labels where they fit, a legend with shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw

from usearch.classify import ClassMap, map_values
from usearch.records import Image
from usearch.render.label_places import label_places
from usearch.render.lettering import fitted, pill, text_width, write
from usearch.render.palette import BACKGROUND, UNKNOWN, class_colours

_TINT = 0.58
_LABEL_SIDE = 256
"""Longest side of the grid on which places for labels are looked for."""
_LEAST_LABELLED = 0.004
"""Share of the photo below which a region gets no label of its own."""
_SCALES = (1.0, 0.85, 0.7)
"""Sizes of a label, tried one after the other."""
_SMALLEST = 10
"""Pixels of the smallest letters that can be read."""
_INK = (32, 34, 38)
_PAPER = (250, 250, 248)
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def class_overlay(
    image: Image | None, labels: ClassMap, names: Sequence[str], *, legend: bool = True
) -> Image:
    """The photo tinted by class.

    Args:
        image: uint8 [H, W, 3] RGB; None draws the map alone.
        labels: [H, W] class of each pixel; values as `usearch.classify.map_values` has them.
        names: C names of classes; of a part, `whole > part`, the last one is the label.
        legend: Put a column with colours, names and shares at the right.

    Returns:
        uint8 [H, W + legend, 3].
    """
    if image is not None and labels.shape != image.shape[:2]:
        raise ValueError(f"a map of {labels.shape} for a photo of {image.shape[:2]}")
    picture = Pillow.fromarray(_tinted(image, labels, len(names)))
    _write_labels(picture, labels, names)
    if legend:
        picture = _beside(picture, _legend(picture.height, labels, names))
    return np.asarray(picture)


def _tinted(image: Image | None, labels: ClassMap, n_classes: int) -> Image:
    """Each pixel between its grey value and its class's colour; white lines between classes."""
    values = map_values(n_classes)
    present = [int(c) for c in np.unique(labels) if c < n_classes]
    colours = np.zeros((values.none + 1, 3), np.float32)
    colours[: max(present, default=-1) + 1] = class_colours(max(present, default=-1) + 1)
    colours[values.background], colours[values.unknown] = BACKGROUND, UNKNOWN
    tint = colours[labels]
    stripes = _stripes(labels.shape) & (labels == values.unknown)
    tint[stripes] = 0.72 * tint[stripes]
    nothing = labels == values.none
    if image is None:
        out = 0.85 * tint + 0.15 * 255
        out[nothing] = 40
    else:
        grey = image.astype(np.float32) @ _GREY
        soft = 0.55 * grey[..., None] + 0.45 * image
        out = (1 - _TINT) * soft + _TINT * tint
        out[nothing] = (0.45 * grey[nothing] + 12)[:, None]
    lines = _borders(labels, max(1, round(max(labels.shape) / 700)))
    out[lines] = 0.25 * out[lines] + 0.75 * 255
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def _stripes(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Diagonal stripes: what is unknown is told from a class by more than its grey."""
    width = max(3, round(max(shape) / 110))
    across = np.arange(shape[1])[None] + np.arange(shape[0])[:, None]
    return np.asarray(across // width % 2 == 0)


def _borders(labels: ClassMap, width: int) -> npt.NDArray[np.bool_]:
    lines = np.zeros(labels.shape, bool)
    for step in range(1, width + 1):
        lines[:, step:] |= labels[:, step:] != labels[:, :-step]
        lines[step:] |= labels[step:] != labels[:-step]
    return lines


def _write_labels(picture: Pillow.Image, labels: ClassMap, names: Sequence[str]) -> None:
    """Name each region at its roomiest place; one that is too small for its name goes without."""
    height, width = labels.shape
    step = max(1, -(-max(height, width) // _LABEL_SIDE))
    full = max(_SMALLEST, round(max(height, width) / 48))
    draw = ImageDraw.Draw(picture, "RGBA")
    present = [int(c) for c in np.unique(labels) if c < len(names)]
    colours = class_colours(max(present, default=-1) + 1)

    def text(value: int, size: int) -> str:
        return fitted(names[value].rsplit(" > ", 1)[-1], size, width // 3)

    def room(value: int, scale: float) -> tuple[int, int] | None:
        size = round(full * scale)
        if value >= len(names) or (size < _SMALLEST and scale < 1):
            return None
        wide = text_width(text(value, size), size) + size
        return -(-wide // step), -(-round(1.56 * size) // step)

    grid = labels[step // 2 :: step, step // 2 :: step]
    for place in label_places(grid, room, _SCALES, max(1, round(_LEAST_LABELLED * grid.size))):
        size = round(full * place.scale)
        red, green, blue = (int(0.42 * channel) for channel in colours[place.value])
        centre = place.x * step, place.y * step
        pill(draw, centre, text(place.value, size), size, (red, green, blue, 225))


def _legend(height: int, labels: ClassMap, names: Sequence[str]) -> Pillow.Image:
    """Colours, names and shares of the classes that occur, largest first; then what is none."""
    values = map_values(len(names))
    counts = np.bincount(labels.ravel(), minlength=values.none + 1) / labels.size
    shares = counts[: len(names)]
    order = [int(c) for c in np.argsort(-shares, kind="stable") if shares[c] > 0]
    size = min(20, max(12, round(height / 36)))
    row = round(1.75 * size)
    room = max(1, (height - row) // row)
    rows: list[tuple[tuple[int, int, int] | None, str, float]] = []
    colours = class_colours(max(order, default=-1) + 1)
    for c in order:
        red, green, blue = (int(v) for v in colours[c])
        rows.append(((red, green, blue), names[c], float(shares[c])))
    grounds = {values.background: BACKGROUND, values.unknown: UNKNOWN, values.none: (40, 40, 40)}
    others = [
        (ground, values.titles[value], float(counts[value]))
        for value, ground in grounds.items()
        if counts[value] > 0
    ]
    if len(rows) + len(others) > room:
        kept = max(0, room - 1 - len(others))
        more = (None, f"{len(rows) - kept} more", sum(share for *_, share in rows[kept:]))
        rows = [*rows[:kept], more]
    rows += others
    name_width = min(14 * size, max([text_width(name, size) for _, name, _ in rows], default=0))
    width = round(name_width + 7.2 * size)
    panel = Pillow.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(panel)
    top = row // 2 if len(rows) < room else max(0, (height - row * len(rows)) // 2)
    for i, (colour, name, share) in enumerate(rows):
        middle = top + row * (i + 0.5)
        if colour is not None:
            left, half = 0.8 * size, 0.5 * size
            draw.rounded_rectangle(
                (left, middle - half, left + 2 * half, middle + half), 0.25 * size, fill=colour
            )
        write(draw, (2.4 * size, middle), fitted(name, size, name_width), size, _INK)
        text = f"{share:.0%}" if share >= 0.01 else "<1%"
        write(draw, (width - 0.8 * size, middle), text, size, (120, 122, 126), "rm")
    return panel


def _beside(left: Pillow.Image, right: Pillow.Image) -> Pillow.Image:
    both = Pillow.new("RGB", (left.width + right.width, max(left.height, right.height)), _PAPER)
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both
