"""Boundary maps: how likely an object ends between two neighbouring pixels.

A map is float32 [h, w] in 0..1, one value a pixel. `colour_boundary` makes one from the
pixels alone; a network's map (any grid) is brought to the working grid by `resize_map` and
mixed in by `mix`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image as PillowImage

from usearch.records import FloatArray, Image

Boundary = Callable[[Image], FloatArray | None]
"""A learned boundary map of a photo, float32 [h, w] in 0..1 on any grid; None where it has none."""

_BLUR = 1.0
"""Pixels of the working grid: takes away grain and JPEG blocks, keeps thin things."""
_HALF_CONTRAST = 8.0
"""Lab difference between neighbours that reads as a boundary with value one half."""

_TO_XYZ = np.array(
    [
        [0.433953, 0.376219, 0.189828],
        [0.212671, 0.715160, 0.072169],
        [0.017758, 0.109477, 0.872765],
    ],
    np.float32,
)  # sRGB to XYZ over the white of D65
_STEPS = np.arange(256, dtype=np.float32) / 255
_LINEAR = np.where(_STEPS > 0.04045, ((_STEPS + 0.055) / 1.055) ** 2.4, _STEPS / 12.92).astype(
    np.float32
)


def to_lab(image: Image) -> FloatArray:
    """CIE Lab (D65) of an sRGB image: float32 [H, W, 3], L in 0..100."""
    xyz = _LINEAR[image] @ _TO_XYZ.T
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + np.float32(16 / 116))
    lab = np.empty_like(root)
    lab[..., 0] = 116 * root[..., 1] - 16
    lab[..., 1] = 500 * (root[..., 0] - root[..., 1])
    lab[..., 2] = 200 * (root[..., 1] - root[..., 2])
    return lab


def shrink(image: Image, longest: int) -> Image:
    """The image with its longest side at most `longest`, never enlarged, no side below 1."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale == 1.0:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = PillowImage.fromarray(image).resize(
        size, PillowImage.Resampling.BICUBIC, reducing_gap=2.0
    )
    return np.asarray(small)


def resize_map(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """A map on another grid, bilinear; `size` is (height, width). Values are cut to 0..1."""
    finite = np.nan_to_num(np.asarray(values, np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    if finite.shape != size:
        picture = PillowImage.fromarray(np.ascontiguousarray(finite))
        resized = picture.resize((size[1], size[0]), PillowImage.Resampling.BILINEAR)
        finite = np.asarray(resized, np.float32)
    return np.clip(finite, 0.0, 1.0)


def neighbour_contrast(lab: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lab distance between 4-neighbours after a light blur.

    Returns:
        across: float32 [h, w - 1], between a pixel and the one to its right.
        down: float32 [h - 1, w], between a pixel and the one below.
    """
    smooth = blur(blur(lab, 0), 1)
    across = np.sqrt(((smooth[:, 1:] - smooth[:, :-1]) ** 2).sum(2))
    down = np.sqrt(((smooth[1:] - smooth[:-1]) ** 2).sum(2))
    return across, down


def blur(values: FloatArray, axis: int) -> FloatArray:
    """Gaussian blur along one axis; what lies outside is as the nearest pixel."""
    reach = int(4 * _BLUR + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _BLUR) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    size = values.shape[axis]
    out: FloatArray = np.zeros_like(values)
    for offset, weight in zip(range(-reach, reach + 1), kernel, strict=True):
        rows = np.clip(np.arange(size) + offset, 0, size - 1)
        out += weight * np.take(values, rows, axis)
    return out


def edge_strengths(lab: FloatArray, learned: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Boundary strength in 0..1 between 4-neighbours.

    Args:
        lab: float32 [h, w, 3].
        learned: float32 [h, w] in 0..1 on the same grid, or None.

    Returns:
        As `neighbour_contrast`.
    """
    pair = neighbour_contrast(lab)
    across, down = (c / (c + _HALF_CONTRAST) for c in pair)
    if learned is not None:
        across = 0.3 * across + 0.7 * np.maximum(learned[:, 1:], learned[:, :-1])
        down = 0.3 * down + 0.7 * np.maximum(learned[1:], learned[:-1])
    return across, down
