"""Large pictures become arrays in strips: the same pixels, less memory."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from indexer import pixels


@pytest.mark.parametrize("strip", [1, 100, 1000, 10_000])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_strips_hold_the_pixels_of_the_whole(monkeypatch, strip, mode):
    image = np.random.default_rng(0).integers(0, 256, (45, 67, 3)).astype(np.uint8)
    picture = Image.fromarray(image).convert(mode)
    whole, *size = pixels.upright_rgb(picture, 100)
    monkeypatch.setattr(pixels, "_STRIP", strip)
    in_strips, *same_size = pixels.upright_rgb(picture, 100)
    np.testing.assert_array_equal(in_strips, whole)
    assert size == same_size == [67, 45]
    assert in_strips.flags.writeable
    assert in_strips.flags.c_contiguous
