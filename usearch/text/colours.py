"""Colour words and pixel colours on the same eleven axes.

English has eleven basic colour terms (Berlin and Kay, 1969). A text gets one axis for each colour
word in it; a pixel is shared out among the terms by its distance, in CIELAB, to samples of each.
Since both sides use the same axes, "red car" prefers red cars without anything being learnt, and
the mean over the pixels of a segment is the colour part of the segment's vector.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.records import FloatArray, Image

TERMS = (
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown",
)  # fmt: skip
COLOUR_DIM = len(TERMS)
COLOUR_WEIGHT = 0.38
"""Length of the colour part in a unit vector of a segment, or of a text that names a colour."""
BARE_COLOUR_WEIGHT = 0.94
"""The same for a text that names a colour and nothing else."""

_SAMPLES: dict[str, str] = {
    "black": "000000 121212 1c1c1c 14141e 1e1814 0a0f14",
    "white": "ffffff f0f0f0 f0f0e6 e1e4eb e4e0d8 dcdcdc",
    "grey": "808080 5a5a5a aaaaaa 6e737d 3f3f41 96908c c0c0c0 7d8791",
    "red": "c8141e a0141e e62828 780f14 cd3c3c b43232 8c2828 ff3b30",
    "orange": "f0821e ffa500 dc6e28 fa9650 e65a14 f5a046",
    "yellow": "fadc28 e6c83c fff078 c8aa28 fff000 e6dc8c",
    "green": "288c3c 506e32 64a050 1e5028 96b464 3c5a32 78c878 6e7846 2d3c20 a0c88c 008060",
    "blue": "2850c8 6496dc 1e326e 87beeb 3c78aa 00a0c8 141e46 46648c aad2f0 0000ff 28465f",
    "purple": "783296 5a3278 a06ebe 966496 4b1e50 c8a0dc",
    "pink": "faaabe f078aa ff69b4 f5c8cd dc8296 e6508c ffb6c1",
    "brown": "784b28 5a371e 966946 462d1e b48c64 8c5a3c 3c2814 a08264 c8a078",
}
_SPREAD = 11.0  # CIELAB units; about the distance at which people change the name of a colour

_MIXES: dict[str, str] = {
    "gray": "grey", "silver": "grey", "silvery": "grey", "charcoal": "grey black",
    "crimson": "red", "scarlet": "red", "maroon": "red brown", "burgundy": "red purple",
    "golden": "yellow orange", "gold": "yellow orange", "blonde": "yellow brown",
    "blond": "yellow brown", "beige": "brown white", "tan": "brown", "khaki": "brown green",
    "turquoise": "blue green", "teal": "blue green", "cyan": "blue", "aqua": "blue",
    "navy": "blue black", "indigo": "blue purple", "azure": "blue", "emerald": "green",
    "violet": "purple", "magenta": "pink purple", "mauve": "purple pink", "lilac": "purple",
    "reddish": "red", "greenish": "green", "bluish": "blue", "yellowish": "yellow",
    "brownish": "brown", "whitish": "white", "blackish": "black", "greyish": "grey",
    "grayish": "grey", "pinkish": "pink", "purplish": "purple", "reds": "red",
}  # fmt: skip
# Phrases in which a colour word does not say what the eye sees.
_NOT_A_COLOUR = re.compile(
    r"\b(?:black and white (?=photo|picture|image)|white wine|red wine|green ?house|white ?board"
    r"|black ?board|white house|red ?wood|brown bread|orange juice|gold ?fish|green ?grocer"
    r"|red cross|blue ?print|black ?out|pink ?eye|brown ?ie|(?:black|silver) ?smith)\b"
)
_LITTLE_WORDS = frozenset({"a", "an", "the", "and", "or", "color", "colour", "thing", "things"})
_WORD = re.compile(r"[a-z]+")


@cache
def _axes() -> dict[str, FloatArray]:
    """Colour word -> unit vector over the terms."""
    axes = {term: np.eye(COLOUR_DIM, dtype=np.float32)[i] for i, term in enumerate(TERMS)}
    for word, mix in _MIXES.items():
        total = np.sum([axes[term] for term in mix.split()], axis=0)
        axes[word] = (total / np.linalg.norm(total)).astype(np.float32)
    return axes


def colour_words(text: str) -> list[str]:
    """The colour words of a text in their order, lower case."""
    seen = _NOT_A_COLOUR.sub(" ", text.lower())
    return [word for word in _WORD.findall(seen) if word in _axes()]


def text_colours(text: str) -> FloatArray:
    """Which colours a text names.

    Returns:
        float32 [11], unit length, or all zero when the text names no colour.
    """
    words = colour_words(text)
    if not words:
        return np.zeros(COLOUR_DIM, np.float32)
    total: FloatArray = np.sum([_axes()[word] for word in words], axis=0)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def with_colours(names: FloatArray, colours: FloatArray, weights: FloatArray) -> FloatArray:
    """Puts a colour part behind each name part.

    Args:
        names: float32 [n, D], unit length.
        colours: float32 [n, 11], of any length.
        weights: float32 [n] in 0..1, length of the colour part in the result; a row without
            colour (all zero) is given none.

    Returns:
        float32 [n, D + 11], unit length.
    """
    lengths = np.linalg.norm(colours, axis=1, keepdims=True)
    weight = np.where(lengths > 0, weights[:, None], 0.0)
    parts = [names * np.sqrt(1 - weight**2), colours / np.maximum(lengths, 1e-9) * weight]
    joined: FloatArray = np.hstack(parts).astype(np.float32)
    return joined


def text_weight(text: str) -> float:
    """Length of the colour part of a text's vector, if it names a colour at all."""
    words = set(_WORD.findall(text.lower())) - _LITTLE_WORDS
    if words == {"orange"}:  # more often the fruit
        return COLOUR_WEIGHT
    return BARE_COLOUR_WEIGHT if words <= _axes().keys() else COLOUR_WEIGHT


def _cielab(rgb: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """CIELAB under D65, [..., 3], of sRGB in 0..1, [..., 3]."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)
    return np.asarray(lab, np.float32)


@cache
def _table() -> FloatArray:
    """float32 [32768, 11]: shares of the terms for each colour of 5 bits a channel."""
    steps = (np.arange(32, dtype=np.float32) * 8 + 4) / 255
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    lab = _cielab(grid)
    shares = np.empty((len(grid), COLOUR_DIM), np.float32)
    for i, term in enumerate(TERMS):
        samples = np.array([list(bytes.fromhex(s)) for s in _SAMPLES[term].split()], np.float32)
        gaps = ((lab[:, None] - _cielab(samples / 255)[None]) ** 2).sum(-1)
        shares[:, i] = gaps.min(1)
    shares = np.exp(-(shares - shares.min(1, keepdims=True)) / (2 * _SPREAD**2))
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)


def pixel_colours(image: Image) -> FloatArray:
    """Shares of the eleven terms at each pixel.

    Args:
        image: uint8 [H, W, 3], RGB.

    Returns:
        float32 [H, W, 11], each pixel sums to 1. The colour part of a segment is the mean over
        its pixels, divided by its length.
    """
    bins = image >> 3
    index = (bins[..., 0].astype(np.int32) << 10) | (bins[..., 1].astype(np.int32) << 5)
    shares: FloatArray = _table()[index | bins[..., 2]]
    return shares
