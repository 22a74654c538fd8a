"""Pictures of hits: the segment in colour and outlined, all else dimmed; sheets of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter

from usearch.masks import Mask, decode
from usearch.records import Image
from usearch.render.lettering import fitted, pill, text_width, write

if TYPE_CHECKING:
    from usearch.hits import Hit, ReadPhoto

ACCENT = (255, 176, 32)
_GROUND = (18, 20, 24)
_WORDS = (236, 238, 240)
_QUIET = (150, 156, 164)


def spotlight(image: Image, mask: Mask, accent: tuple[int, int, int] = ACCENT) -> Image:
    """The photo with all but the segment dimmed, and the segment's outline drawn.

    Args:
        image: uint8 [H, W, 3] RGB.
        mask: bool [h, w] over the same picture; it is scaled smoothly.
        accent: Colour of the outline.

    Returns:
        uint8 [H, W, 3].
    """
    height, width = image.shape[:2]
    inside = _scaled(mask, (width, height))
    stroke = max(2, round(max(height, width) / 260))
    soft = np.asarray(_grown(inside, stroke).filter(ImageFilter.GaussianBlur(stroke)), np.float32)
    light = np.maximum(soft / 255, inside)[..., None]
    grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    dim = 0.5 * (0.75 * grey[..., None] + 0.25 * image)
    out = light * image + (1 - light) * dim
    for colour, ring in (
        ((255, 255, 255), _ring(inside, stroke + max(1, stroke // 2))),
        (accent, _ring(inside, stroke)),
    ):
        out = ring * np.array(colour, np.float32) + (1 - ring) * out
    # Where the segment reaches the edge of the photo, the outline runs inside.
    frame = inside.copy()
    frame[stroke:-stroke, stroke:-stroke] = False
    out[frame] = accent
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def _scaled(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at (width, height), its steps rounded off; small ones are kept as they are."""
    grey = Pillow.fromarray(mask.astype(np.uint8) * 255).resize(size, Pillow.Resampling.BILINEAR)
    smooth: Mask = np.asarray(grey.filter(ImageFilter.GaussianBlur(max(size) / 320))) >= 128
    if smooth.sum() > 0.8 * (np.asarray(grey) >= 128).sum():
        return smooth
    return np.asarray(grey) > 0


def _grown(mask: Mask, pixels: int) -> Pillow.Image:
    """The mask with a border of `pixels`, as a grey picture."""
    grey = Pillow.fromarray(mask.astype(np.uint8) * 255)
    return grey.filter(ImageFilter.MaxFilter(2 * pixels + 1))


def _ring(mask: Mask, pixels: int) -> npt.NDArray[np.float32]:
    """float32 [H, W, 1]: how much of each pixel the outline outside the mask covers."""
    grown = np.asarray(_grown(mask, pixels).filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    return (np.where(mask, 0, grown) / 255)[..., None].astype(np.float32)


def view_around(
    size: tuple[int, int], box: tuple[float, float, float, float], aspect: float
) -> tuple[int, int, int, int]:
    """The part of a photo to show a segment in: its box with surroundings, of a given shape.

    Args:
        size: (width, height) of the photo.
        box: x0, y0, x1, y1 of the segment in pixels.
        aspect: Width over height of the part wanted; kept where the photo allows.

    Returns:
        x0, y0, x1, y1 in whole pixels, inside the photo, around the box.
    """
    width, height = size
    x0, y0, x1, y1 = box
    side = max((x1 - x0) * 1.7, (y1 - y0) * 1.7 * aspect, 0.45 * min(width, height * aspect))
    wide, high = min(side, width), min(side / aspect, height)
    left = min(max((x0 + x1 - wide) / 2, 0), width - wide)
    top = min(max((y0 + y1 - high) / 2, 0), height - high)
    return round(left), round(top), round(left + wide), round(top + high)


def hit_view(hit: Hit, read_photo: ReadPhoto, aspect: float = 4 / 3, side: int = 1024) -> Image:
    """The segment of a hit, lit, with what is around it.

    Args:
        hit: Any.
        read_photo: Gives pixels.
        aspect: Width over height of the view, where the photo allows.
        side: Longest side of the whole photo, of which the view is a part.

    Returns:
        uint8 [H, W, 3].

    Raises:
        InputError: The photo cannot be read any more.
    """
    image = read_photo(hit.image, side)
    lit = spotlight(image, decode(hit.rle, hit.mask_size))
    height, width = image.shape[:2]
    across, down = width / hit.width, height / hit.height
    x0, y0, x1, y1 = hit.box
    box = (x0 * across, y0 * down, x1 * across, y1 * down)
    left, top, right, bottom = view_around((width, height), box, aspect)
    return lit[top : max(bottom, top + 1), left : max(right, left + 1)]


@dataclass(frozen=True, slots=True)
class Tile:
    """One hit of a sheet: a picture, what it is, and its score 0..1 (None: not shown)."""

    picture: Image
    caption: str
    score: float | None = None


def contact_sheet(title: str, tiles: Sequence[Tile], width: int = 1200) -> Image:
    """Hits in rows of equal height that fill the width, under a title.

    Args:
        title: What was asked.
        tiles: At least one.
        width: Of the sheet, in pixels.

    Returns:
        uint8 [H, width, 3].
    """
    gap, size = 12, 18
    rows = _justified([tile.picture.shape[1] / tile.picture.shape[0] for tile in tiles], width, gap)
    head, foot = 3 * size, round(2.2 * size)
    heights = [round(height) for _, height in rows]
    total = head + sum(heights) + len(rows) * (foot + gap // 2) + gap // 2
    sheet = Pillow.new("RGB", (width, total), _GROUND)
    draw = ImageDraw.Draw(sheet, "RGBA")
    write(draw, (gap, head / 2), fitted(title, 24, width - 2 * gap), 24, _WORDS)
    y = head
    for (members, exact), height in zip(rows, heights, strict=True):
        x = float(gap)
        for i in members:
            tile = tiles[i]
            wide = exact * tile.picture.shape[1] / tile.picture.shape[0]
            left, right = round(x), round(x + wide)
            picture = Pillow.fromarray(tile.picture)
            sheet.paste(
                picture.resize((max(1, right - left), height), Pillow.Resampling.LANCZOS), (left, y)
            )
            _caption(draw, (left, right), y + height + foot // 2, tile, size)
            x += wide + gap
        y += height + foot + gap // 2
    return np.asarray(sheet)


def _caption(
    draw: ImageDraw.ImageDraw, span: tuple[int, int], middle: int, tile: Tile, size: int
) -> None:
    left, right = span
    room = right - left
    if tile.score is not None:
        text = f"{tile.score:.2f}"
        half = text_width(text, size - 3) / 2 + 0.5 * (size - 3)
        ground = (38, 110, 66) if tile.score >= 0.5 else (82, 84, 90)
        pill(draw, (right - half, middle), text, size - 3, ground)
        room -= round(2 * half) + 8
    if room > 2 * size:
        write(draw, (left, middle), fitted(tile.caption, size - 2, room), size - 2, _QUIET)


def _justified(
    aspects: Sequence[float], width: int, gap: int, height: float = 250
) -> list[tuple[list[int], float]]:
    """Rows of pictures that fill the width: indices and the row's height.

    A row is closed when its natural height falls to `height`; the last one is not blown up.
    """
    rows: list[tuple[list[int], float]] = []
    row: list[int] = []
    for i, _ in enumerate(aspects):
        row.append(i)
        fill = (width - gap * (len(row) + 1)) / sum(aspects[j] for j in row)
        if fill <= height:
            rows.append((row, fill))
            row = []
    if row:
        fill = (width - gap * (len(row) + 1)) / sum(aspects[j] for j in row)
        rows.append((row, min(fill, height)))
    return rows
