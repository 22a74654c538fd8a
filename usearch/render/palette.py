"""Colours of classes: far apart, of even strength, the same for the same line number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))
_FIRST_HUE = 0.25
_LIGHTNESS = np.array([0.74, 0.58, 0.84, 0.66, 0.48])
_CHROMA = np.array([0.15, 0.15, 0.13, 0.16, 0.12])
"""Five of them: golden hues come close again after 8, 13 and 21 steps, never after 5."""


def class_colours(n: int) -> npt.NDArray[np.uint8]:
    """uint8 [n, 3] sRGB. Neighbours in the list differ most; colour i never depends on n.

    Hues step by the golden angle in OKLCH (Ottosson 2020), where equal steps look equal;
    lightness cycles, so that far entries with a like hue still differ.
    """
    i = np.arange(n)
    hue = _FIRST_HUE + i * _GOLDEN_ANGLE
    lightness = _LIGHTNESS[i % len(_LIGHTNESS)]
    chroma = _CHROMA[i % len(_CHROMA)]
    return _oklab_to_srgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))


def _oklab_to_srgb(
    lightness: npt.NDArray[np.float64], a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        ],
        axis=1,
    )
    linear = np.clip(linear, 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(srgb * 255).astype(np.uint8)


BACKGROUND, UNKNOWN, NONE = (72, 76, 86), (158, 158, 162), (0, 0, 0)
"""Colours of what is no class: won by a contrast class, explained by none, not covered."""


def png_palette(n: int) -> bytes:
    """768 bytes for an indexed PNG: up to 253 classes, background, unknown, no class."""
    table = np.zeros((256, 3), np.uint8)
    table[: min(n, 253)] = class_colours(min(n, 253))
    table[253:] = BACKGROUND, UNKNOWN, NONE
    return table.tobytes()
