"""Names for the colour of a segment: the eleven basic colour terms, given only when clear.

The terms are those of Berlin and Kay (1969). A pixel gets a term from its CIE L*a*b* (D65)
lightness, chroma and hue; the ranges leave gaps between neighbours (teal, magenta, beige), so
that a doubtful pixel has no name. A segment gets a term when most of its pixels share it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from usearch.masks import Mask
from usearch.records import FloatArray, Image

TERMS = (
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)

_SRGB_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32
)
_WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)
_LINEAR = np.arange(256, dtype=np.float32) / 255
_LINEAR = np.where(_LINEAR <= 0.04045, _LINEAR / 12.92, ((_LINEAR + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)

# term, hue from..to in degrees (from > to wraps), chroma from..to, lightness from..to
_RULES: tuple[tuple[str, float, float, float, float, float, float], ...] = (
    ("black", 0, 360, 0, 9, 0, 17),
    ("white", 0, 360, 0, 7, 86, 101),
    ("grey", 0, 360, 0, 5, 35, 75),
    ("red", 14, 46, 42, 200, 20, 60),
    ("red", 0, 14, 42, 200, 20, 52),
    ("orange", 50, 76, 52, 200, 56, 85),
    ("yellow", 84, 108, 48, 200, 68, 101),
    ("green", 112, 175, 20, 200, 15, 95),
    ("blue", 225, 294, 20, 200, 20, 88),
    ("blue", 294, 308, 60, 200, 8, 50),
    ("purple", 308, 334, 25, 90, 15, 65),
    ("purple", 298, 308, 25, 60, 35, 70),
    ("pink", 338, 14, 24, 200, 62, 95),
    ("pink", 14, 30, 20, 50, 72, 95),
    ("brown", 40, 72, 18, 52, 16, 44),
)

MIN_SHARE = 0.6
"""Share of a segment's pixels that must have the term."""
_MIN_SHARE_GREY = 0.75
_MIN_PIXELS = 60
_SHADOW = 12.0


def lab(pixels: npt.NDArray[np.uint8]) -> FloatArray:
    """CIE L*a*b* (D65, 2 degrees) of sRGB pixels, uint8 [..., 3] -> float32 [..., 3]."""
    xyz = (_LINEAR[pixels] @ _SRGB_TO_XYZ.T) / _WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    out = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )
    return out.astype(np.float32)


def pixel_terms(values: FloatArray) -> npt.NDArray[np.int8]:
    """Index into `TERMS` of L*a*b* pixels, float32 [n, 3]; -1 where no term is clear."""
    light = values[:, 0]
    chroma = np.hypot(values[:, 1], values[:, 2])
    hue = np.degrees(np.arctan2(values[:, 2], values[:, 1])) % 360
    out = np.full(len(values), -1, np.int8)
    for term, h0, h1, c0, c1, l0, l1 in _RULES:
        in_hue = (hue >= h0) & (hue < h1) if h0 <= h1 else (hue >= h0) | (hue < h1)
        fits = in_hue & (chroma >= c0) & (chroma < c1) & (light >= l0) & (light < l1)
        out[fits] = TERMS.index(term)
    return out


def colour_of(image: Image, mask: Mask) -> str | None:
    """The basic colour term of a segment, or None when no term is clear.

    Deep shadow is left out of a coloured segment's count: a red car has black wheels and a
    dark side and is still a red car.

    Args:
        image: uint8 [H, W, 3], RGB.
        mask: bool [H, W].
    """
    pixels = image[mask]
    if len(pixels) < _MIN_PIXELS:
        return None
    values = lab(pixels)
    terms = pixel_terms(values)
    counts = np.bincount(terms[terms >= 0], minlength=len(TERMS))
    best = int(counts.argmax())
    term = TERMS[best]
    if term in ("black", "white", "grey"):
        share = counts[best] / len(terms)
        return term if share >= _MIN_SHARE_GREY else None
    lit = int((values[:, 0] >= _SHADOW).sum())
    if lit < len(terms) / 2:
        return None
    return term if counts[best] / lit >= MIN_SHARE else None


def colour_texts(name: str, colour: str) -> tuple[str, str]:
    """What is said of a coloured thing: ("red car", "something red")."""
    return f"{colour} {name}", f"something {colour}"
