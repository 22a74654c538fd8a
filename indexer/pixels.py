"""An opened picture of any colour model to upright 8-bit RGB of a bounded size.

The rules, in one place:

- 16-bit values are scaled by their own range (65535), never clipped to 8 bits.
- 32-bit integers: divided so that 65535, or the largest value when that is larger, is white.
- Floats: 0..1 is black to white; values up to 255 are taken as 8-bit; anything else is
  stretched from its smallest to its largest finite value. NaN is black, infinity white.
- Transparent parts show `BACKGROUND` behind them, as an image viewer would.
- CMYK with Adobe's marker is stored inverted and is turned back; an embedded colour profile
  that is not sRGB is applied, a broken one ignored.
- Sizes are those after EXIF orientation; an invalid orientation counts as none.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageChops, ImageCms

from usearch.records import Image

BACKGROUND = (255, 255, 255)
"""RGB shown behind transparent pixels: white, which most viewers show."""

_STRIP = 4_000_000
"""Pixels that are turned into an array at once."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""EXIF orientation (TIFF 6.0, tag 274) to the transposition that makes it upright."""


def fit(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size with the longest side at most `max_side`; never enlarged, never below 1."""
    longest = max(width, height)
    if longest <= max_side:
        return width, height
    return (
        max(1, round(width * max_side / longest)),
        max(1, round(height * max_side / longest)),
    )


def upright_rgb(picture: Pillow.Image, max_side: int) -> tuple[Image, int, int]:
    """Pixels of an opened picture, at most `max_side` long.

    A JPEG is decoded at a half, a quarter or an eighth of its size when that is still at
    least the size asked for: the rest of the reduction is an ordinary resampling.

    Args:
        picture: Opened, not yet loaded; its first frame is used.
        max_side: Longest side of the result in pixels.

    Returns:
        uint8 [H, W, 3] RGB, upright, and the full width and height as shown.
    """
    stored = picture.size
    target = fit(*stored, max_side)
    if min(stored[0] // target[0], stored[1] // target[1]) >= 2:
        picture.draft(picture.mode, target)  # only JPEG has one; others ignore it
    picture.load()
    orientation = _orientation(picture)
    small = _resized(_resizable(picture), target)
    if picture.mode == "CMYK" and picture.format == "JPEG" and "adobe" not in picture.info:
        # Pillow takes every CMYK JPEG for an inverted one; without Adobe's marker it is not.
        small = ImageChops.invert(small)
    rgb = _rgb(small, picture.info.get("icc_profile"))
    width, height = stored
    turn = _TURNS.get(orientation)
    if turn is not None:
        rgb = rgb.transpose(turn)
        if orientation >= 5:
            width, height = height, width
    return _pixels_of(rgb), width, height


def _pixels_of(rgb: Pillow.Image) -> Image:
    """An array of an RGB picture. Pillow's own way holds two copies of it for a moment."""
    if rgb.width * rgb.height <= _STRIP:
        return np.array(rgb, dtype=np.uint8)
    pixels = np.empty((rgb.height, rgb.width, 3), np.uint8)
    rows = max(1, _STRIP // rgb.width)
    for top in range(0, rgb.height, rows):
        bottom = min(rgb.height, top + rows)
        pixels[top:bottom] = np.asarray(rgb.crop((0, top, rgb.width, bottom)))
    return pixels


def _orientation(picture: Pillow.Image) -> int:
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - hostile EXIF raises anything; the pixels are fine
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _resizable(picture: Pillow.Image) -> Pillow.Image:
    """The picture in a mode whose values can be averaged: L, LA, RGB, RGBA, CMYK, LAB, ..."""
    mode = picture.mode
    if mode == "P" or mode == "PA":
        clear = mode == "PA" or "transparency" in picture.info
        return picture.convert("RGBA" if clear else "RGB")
    if mode in ("1", "L", "RGB") and "transparency" in picture.info:
        return picture.convert("LA" if mode in ("1", "L") else "RGBA")
    if mode == "1":
        return picture.convert("L")
    if mode.startswith("I") or mode == "F":
        return Pillow.fromarray(_to_8_bit(np.asarray(picture)))
    return picture


def _to_8_bit(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Grey values of more than 8 bits to uint8, by the module's rules."""
    if values.dtype.kind in "iu" and values.dtype.itemsize == 2:
        high_byte: npt.NDArray[np.uint8] = (values.astype(np.uint16) >> 8).astype(np.uint8)
        return high_byte
    grey = values.astype(np.float32)
    finite = np.isfinite(grey)
    if not finite.any():
        return np.zeros(grey.shape, np.uint8)
    low, high = float(grey[finite].min()), float(grey[finite].max())
    if values.dtype.kind in "iu":
        low, high = 0.0, max(high, 65535.0)
    elif low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    elif low >= 0.0 and high <= 255.0:
        low, high = 0.0, 255.0
    grey = np.nan_to_num(grey, nan=low, posinf=high, neginf=low)
    scaled = (np.clip(grey, low, high) - low) * (255.0 / max(high - low, 1e-30))
    rounded: npt.NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return rounded


def _resized(picture: Pillow.Image, target: tuple[int, int]) -> Pillow.Image:
    if picture.size == target:
        return picture
    # HAMMING is as sharp as a bicubic when shrinking, at a bilinear's cost. Pillow weighs
    # colours by their alpha while it averages.
    return picture.resize(target, Pillow.Resampling.HAMMING, reducing_gap=2.0)


def _rgb(picture: Pillow.Image, profile: object) -> Pillow.Image:
    """Opaque RGB of a picture in a mode that `_resizable` gives."""
    alpha = None
    if picture.mode in ("LA", "La", "RGBA", "RGBa"):
        picture = picture.convert({"La": "LA", "RGBa": "RGBA"}.get(picture.mode, picture.mode))
        alpha = picture.getchannel("A")
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    rgb = _in_srgb(picture, profile)
    if alpha is None:
        return rgb
    return Pillow.composite(rgb, Pillow.new("RGB", rgb.size, BACKGROUND), alpha)


def _in_srgb(picture: Pillow.Image, profile: object) -> Pillow.Image:
    """RGB of a picture, through its colour profile where that is a usable one."""
    if picture.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
        return picture.convert("RGB") if converted is None else converted
    if isinstance(profile, bytes) and profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(own).lower():
                srgb = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(picture, own, srgb, outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: the plain conversion below shows the picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")
