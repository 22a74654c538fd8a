"""Outlines as SVG paths: filling one gives the mask back; smoothing stays near."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from usearch.errors import InputError
from usearch.masks import encode
from usearch.render.outlines import outline_path

MASKS = arrays.arrays(
    bool, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.booleans()
)


def corners(path):
    """Closed polygons of a path of M, h, v, l and z, as lists of points: a reader of its own."""
    found, at = [], (0.0, 0.0)
    for letter, rest in re.findall(r"([Mhvlz])([^Mhvlz]*)", path):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        if letter == "M":
            at = (numbers[0], numbers[1])
            found.append([at])
        elif letter != "z":
            dx, dy = {"h": (*numbers, 0), "v": (0, *numbers), "l": tuple(numbers)}[letter]
            at = (at[0] + dx, at[1] + dy)
            found[-1].append(at)
    return found


def filled(path, height, width):
    """Even-odd: which pixel centres a ray to the left crosses an odd number of edges from."""
    inside = np.zeros((height, width), bool)
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    for loop in corners(path):
        for (x0, y0), (x1, y1) in zip(loop, [*loop[1:], loop[0]], strict=True):
            rows = (y >= min(y0, y1)) & (y < max(y0, y1))
            if y0 != y1:
                at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                inside ^= rows[:, None] & (x[None] > at[:, None])
    return inside


@given(MASKS)
def test_filling_the_exact_outline_gives_the_mask(mask):
    height, width = mask.shape
    path = outline_path(encode(mask), mask.shape, width, height, tolerance=0)
    np.testing.assert_array_equal(filled(path, height, width), mask)


@given(MASKS, st.integers(1, 5), st.integers(1, 5))
def test_it_is_drawn_in_pixels_of_the_photo(mask, across, down):
    height, width = mask.shape
    path = outline_path(encode(mask), mask.shape, width * across, height * down, tolerance=0)
    np.testing.assert_array_equal(
        filled(path, height * down, width * across), mask.repeat(down, 0).repeat(across, 1)
    )


@given(MASKS, st.floats(0.05, 2000), st.floats(0.05, 2000))
def test_odd_scales_are_as_exact(mask, width, height):
    rows, columns = mask.shape
    path = outline_path(encode(mask), mask.shape, width, height, tolerance=0)
    for loop in corners(path):
        grid = np.array(loop) * (columns / width, rows / height)
        assert np.abs(grid - np.rint(grid)).max() < 0.01


@given(MASKS, st.floats(0.1, 1.0))
def test_a_smoothed_outline_stays_near_the_exact_one(mask, tolerance):
    big = mask[:8, :8].repeat(6, 0).repeat(6, 1)
    height, width = big.shape
    smooth = filled(outline_path(encode(big), big.shape, width, height, tolerance), height, width)
    padded = np.pad(big, 2)
    around = [padded[2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
              for dy in range(-2, 3) for dx in range(-2, 3)]  # fmt: skip
    deep = np.logical_and.reduce(around)
    clear = ~np.logical_or.reduce(around)
    assert smooth[deep].all()
    assert not smooth[clear].any()


def disc(side, radius):
    y, x = np.mgrid[:side, :side]
    return (x - side / 2) ** 2 + (y - side / 2) ** 2 < radius**2


def test_a_ring_has_an_outer_and_an_inner_loop():
    ring = disc(100, 40) & ~disc(100, 20)
    path = outline_path(encode(ring), ring.shape, 100, 100)
    assert path.count("M") == path.count("z") == 2
    share = (filled(path, 100, 100) ^ ring).sum() / ring.sum()
    assert share < 0.02


def test_smoothing_makes_a_path_much_shorter():
    big = disc(600, 240)
    exact = outline_path(encode(big), big.shape, 600, 600, tolerance=0)
    smooth = outline_path(encode(big), big.shape, 600, 600)
    assert len(smooth) < len(exact) / 3
    assert (filled(smooth, 600, 600) ^ big).sum() < 0.005 * big.sum()


def test_one_pixel_is_a_square_and_never_smoothed_away():
    mask = np.zeros((10, 20), bool)
    mask[4, 7] = True
    assert outline_path(encode(mask), mask.shape, 20, 10) == "M7 4h1v1h-1z"


def test_pixels_that_meet_at_a_corner_are_both_outlined():
    mask = np.eye(2, dtype=bool)
    path = outline_path(encode(mask), mask.shape, 2, 2, tolerance=0)
    np.testing.assert_array_equal(filled(path, 2, 2), mask)


def test_an_empty_mask_has_no_outline():
    mask = np.zeros((5, 5), bool)
    assert outline_path(encode(mask), mask.shape, 50, 50) == ""


def test_a_path_holds_nothing_but_numbers_and_commands():
    path = outline_path(encode(disc(60, 25)), (60, 60), 641.5, 333)
    assert re.fullmatch(r"[Mhvlz0-9. -]+", path)


def test_bytes_that_are_no_mask_are_refused():
    with pytest.raises(InputError):
        outline_path(b"\xff", (5, 5), 50, 50)
