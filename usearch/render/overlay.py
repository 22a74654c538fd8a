"""Class maps over photos: tinted regions, labels where they fit, a legend with shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw

from usearch.classify import ClassMap, class_shares, no_class_value
from usearch.records import Image
from usearch.render.lettering import fitted, pill, text_width, write
from usearch.render.palette import class_colours

_TINT = 0.58
_LABEL_SIDE = 256
"""Longest side of the grid on which places for labels are looked for."""
_LEAST_LABELLED = 0.01
"""Share of the photo below which a region gets no label of its own."""
_INK = (32, 34, 38)
_PAPER = (250, 250, 248)


def class_overlay(
    image: Image, labels: ClassMap, names: Sequence[str], *, legend: bool = True
) -> Image:
    """The photo tinted by class.

    Args:
        image: uint8 [H, W, 3] RGB.
        labels: [H, W] class of each pixel, as `usearch.classify.class_map` gives it.
        names: C names of classes.
        legend: Put a column with colours, names and shares at the right.

    Returns:
        uint8 [H, W + legend, 3].
    """
    if labels.shape != image.shape[:2]:
        raise ValueError(f"a map of {labels.shape} for a photo of {image.shape[:2]}")
    tinted = Pillow.fromarray(_tinted(image, labels, len(names)))
    _write_labels(tinted, labels, names)
    if legend:
        tinted = _beside(tinted, _legend(tinted.height, labels, names))
    return np.asarray(tinted)


def _tinted(image: Image, labels: ClassMap, n_classes: int) -> Image:
    """Each pixel between its grey value and its class's colour; white lines between classes."""
    none = no_class_value(n_classes)
    present = [int(c) for c in np.unique(labels) if c < n_classes]
    colours = class_colours(max(present, default=0) + 1).astype(np.float32)
    grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    index = np.where(labels == none, 0, labels)
    soft = 0.55 * grey[..., None] + 0.45 * image
    out = (1 - _TINT) * soft + _TINT * colours[index]
    out[labels == none] = (0.45 * grey[labels == none] + 12)[:, None]
    lines = _borders(labels, max(1, round(max(labels.shape) / 700)))
    out[lines] = 0.25 * out[lines] + 0.75 * 255
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def _borders(labels: ClassMap, width: int) -> npt.NDArray[np.bool_]:
    lines = np.zeros(labels.shape, bool)
    for step in range(1, width + 1):
        lines[:, step:] |= labels[:, step:] != labels[:, :-step]
        lines[step:] |= labels[step:] != labels[:-step]
    return lines


def _write_labels(picture: Pillow.Image, labels: ClassMap, names: Sequence[str]) -> None:
    """Name each large region at its widest place, where the name has room and none is yet."""
    height, width = labels.shape
    step = max(1, -(-max(height, width) // _LABEL_SIDE))
    grid = labels[step // 2 :: step, step // 2 :: step]
    size = max(11, round(max(height, width) / 48))
    draw = ImageDraw.Draw(picture, "RGBA")
    colours = class_colours(len(names))
    taken: list[tuple[float, float, float, float]] = []
    regions: list[tuple[int, float, float, float, int]] = []
    parts = connected_parts(grid)
    depth = depths(parts)
    for part, area in enumerate(np.bincount(parts.ravel())):
        if area < _LEAST_LABELLED * grid.size:
            continue
        inside = np.where(parts == part, depth, 0)
        y, x = divmod(int(inside.argmax()), grid.shape[1])
        if grid[y, x] < len(names):
            regions.append((int(area), x, y, float(inside.max()), int(grid[y, x])))
    for _, x, y, room, value in sorted(regions, reverse=True):
        text = fitted(names[value], size, width // 3)
        half_width, half_height = text_width(text, size) / 2 + 0.5 * size, 0.78 * size
        centre_x = min(max((x + 0.5) * step, half_width + 2), width - half_width - 2)
        centre_y = min(max((y + 0.5) * step, half_height + 2), height - half_height - 2)
        box = (
            centre_x - half_width,
            centre_y - half_height,
            centre_x + half_width,
            centre_y + half_height,
        )
        narrow = room * step < 0.6 * half_height
        if narrow or any(_overlap(box, other) for other in taken):
            continue
        taken.append(box)
        ground = tuple(int(0.42 * channel) for channel in colours[value])
        pill(draw, (centre_x, centre_y), text, size, (ground[0], ground[1], ground[2], 225))


def connected_parts(labels: ClassMap) -> npt.NDArray[np.int64]:
    """Number of the connected part (4 neighbours, one value) that each pixel lies in, from 0."""
    import higra

    if labels.size == 1:
        return np.zeros(labels.shape, np.int64)
    graph = higra.get_4_adjacency_graph(labels.shape)
    differs = higra.weight_graph(graph, labels.astype(np.float64), higra.WeightFunction.L0)
    parts: npt.NDArray[np.int64] = higra.graph_cut_2_labelisation(graph, differs).astype(np.int64)
    return parts.reshape(labels.shape) - 1


def depths(parts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Steps from each pixel to the nearest one outside its part or the picture; at least 1."""
    depth = np.ones(parts.shape, np.int64)
    edged = np.pad(parts, 1, constant_values=-1)
    left = np.ones(parts.shape, bool)
    for there in _around(edged):
        left &= there == parts
    while left.any():
        depth += left
        edged_left = np.pad(left, 1)
        left = left & np.logical_and.reduce(_around(edged_left))
    return depth


def _around(edged: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The four neighbours of each pixel of an array that has an edge of one pixel."""
    return [edged[:-2, 1:-1], edged[2:, 1:-1], edged[1:-1, :-2], edged[1:-1, 2:]]


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _legend(height: int, labels: ClassMap, names: Sequence[str]) -> Pillow.Image:
    """Colours, names and shares of the classes that occur, largest first."""
    shares = class_shares(labels, len(names))
    order = [int(c) for c in np.argsort(-shares, kind="stable") if shares[c] > 0]
    rest = 1.0 - float(shares.sum())
    size = min(20, max(12, round(height / 36)))
    row = round(1.75 * size)
    room = max(1, (height - row) // row)
    rows: list[tuple[tuple[int, int, int] | None, str, float]] = []
    colours = class_colours(len(names))
    for c in order:
        red, green, blue = (int(v) for v in colours[c])
        rows.append(((red, green, blue), names[c], float(shares[c])))
    if rest > 1e-6:
        rows.append(((70, 70, 70), "no class", rest))
    if len(rows) > room:
        hidden = rows[room - 1 :]
        more = (None, f"{len(hidden)} more", sum(share for *_, share in hidden))
        rows = [*rows[: room - 1], more]
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
