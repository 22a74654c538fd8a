"""Words in pictures: a font that is always there, text cut to a width, pills behind it."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageDraw, ImageFont

from usearch.render.safe_text import printable

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int] | tuple[int, int, int, int]

_WIDE_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf")

_IN_PILLOWS_FONT = frozenset("…“”’·")
"""What Pillow's own font has beside ASCII, and pictures use."""


@lru_cache(maxsize=64)
def font(size: int, beyond_ascii: bool = False) -> Font:
    """A font of `size` pixels: Pillow's own, or one of the system where that lacks letters."""
    if beyond_ascii:
        for name in _WIDE_FONTS:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)


def font_for(text: str, size: int) -> Font:
    """The font that can show a text, as far as one is installed."""
    return font(size, any(ord(char) > 126 and char not in _IN_PILLOWS_FONT for char in text))


def text_width(text: str, size: int) -> int:
    """Pixels that a text takes from left to right."""
    return round(font_for(text, size).getlength(text))


def fitted(text: str, size: int, width: int) -> str:
    """The text as one safe line, cut with an ellipsis where it is wider than `width` pixels."""
    line = printable(text)
    if text_width(line, size) <= width:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(line[:middle].rstrip() + "…", size) <= width:
            low = middle
        else:
            high = middle - 1
    return line[:low].rstrip() + "…"


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour = (255, 255, 255),
    anchor: str = "lm",
) -> None:
    """Write one line; `anchor` as Pillow's (`lm`: `at` is the left end at middle height)."""
    draw.text(at, text, fill=colour, font=font_for(text, size), anchor=anchor)


def pill(
    draw: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    text: str,
    size: int,
    ground: Colour,
    colour: Colour = (255, 255, 255),
) -> None:
    """Write one line, centred, on a rounded ground."""
    half_width, half_height = text_width(text, size) / 2 + 0.5 * size, 0.78 * size
    x, y = centre
    draw.rounded_rectangle(
        (x - half_width, y - half_height, x + half_width, y + half_height),
        radius=0.4 * size,
        fill=ground,
    )
    write(draw, centre, text, size, colour, "mm")
