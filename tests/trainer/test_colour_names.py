"""Colour names: given when clear, withheld when not."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

from trainer.colours import TERMS, colour_of, colour_texts, lab, pixel_terms


def plain(rgb, size=20):
    return np.full((size, size, 3), rgb, np.uint8)


ALL = np.ones((20, 20), bool)


@pytest.mark.parametrize(
    ("rgb", "term"),
    [
        ((255, 0, 0), "red"),
        ((178, 34, 34), "red"),
        ((255, 140, 0), "orange"),
        ((255, 220, 0), "yellow"),
        ((34, 139, 34), "green"),
        ((107, 142, 35), "green"),
        ((0, 0, 255), "blue"),
        ((65, 105, 225), "blue"),
        ((135, 206, 235), "blue"),
        ((128, 0, 128), "purple"),
        ((255, 105, 180), "pink"),
        ((255, 192, 203), "pink"),
        ((120, 80, 50), "brown"),
        ((139, 69, 19), "brown"),
        ((15, 15, 15), "black"),
        ((250, 250, 250), "white"),
        ((128, 128, 128), "grey"),
    ],
)
def test_typical_colours_have_their_name(rgb, term):
    assert colour_of(plain(rgb), ALL) == term


@pytest.mark.parametrize(
    "rgb", [(0, 128, 128), (210, 180, 140), (224, 172, 140), (255, 0, 255), (60, 60, 60)]
)
def test_colours_between_two_terms_have_none(rgb):
    assert colour_of(plain(rgb), ALL) is None


def test_a_red_car_with_black_wheels_is_red():
    image = plain((200, 20, 30))
    image[14:] = 8
    assert colour_of(image, ALL) == "red"


def test_a_patchwork_has_no_colour():
    image = plain((200, 20, 30))
    image[:10] = (20, 60, 200)
    assert colour_of(image, ALL) is None


def test_only_the_mask_counts():
    image = plain((200, 20, 30))
    image[:, :10] = (20, 60, 200)
    left = np.zeros((20, 20), bool)
    left[:, :10] = True
    assert colour_of(image, left) == "blue"
    assert colour_of(image, ~left) == "red"


def test_a_few_pixels_have_no_colour():
    few = np.zeros((20, 20), bool)
    few[:2, :2] = True
    assert colour_of(plain((255, 0, 0)), few) is None


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_lab_agrees_with_an_independent_conversion(rgb):
    ours = lab(np.array([rgb], np.uint8))[0]
    theirs = rgb2lab(np.array([[rgb]], np.uint8))[0, 0]
    np.testing.assert_allclose(ours, theirs, atol=0.15)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_every_pixel_has_one_term_or_none(h, s, v):
    rgb = np.array([[round(c * 255) for c in colorsys.hsv_to_rgb(h, s, v)]], np.uint8)
    assert -1 <= pixel_terms(lab(rgb))[0] < len(TERMS)


def test_texts_name_the_thing_and_the_colour():
    assert colour_texts("car", "red") == ("red car", "something red")
