"""Pictures in which errors of decoding show, and what is said of files that are refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from indexer.photos import REASONS, PhotoError, decode

RED, BLUE, GREEN = (220, 30, 30), (30, 30, 220), (30, 160, 60)


def landscape(width=120, height=80):
    """A picture in which every orientation and colour error shows: red top left, blue bottom
    right, a smooth green ramp between them."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[...] = np.linspace(40, 200, width)[None, :, None] * np.array([0.3, 1.0, 0.4])
    pixels[: height // 3, : width // 3] = RED
    pixels[-height // 3 :, -width // 3 :] = BLUE
    return Image.fromarray(pixels)


def saved(folder, picture, name, **options):
    path = folder / name
    picture.save(path, **options)
    return path


def reason(path, **options):
    with pytest.raises(PhotoError) as caught:
        decode(path, **options)
    assert caught.value.reason in REASONS
    assert "\n" not in caught.value.detail and caught.value.detail
    return caught.value.reason


def difference(one, other):
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


def png_of(width, height, bits, rows):
    """An RGB PNG with a header of its own choosing."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
