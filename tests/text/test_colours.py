"""Colour words and pixels meet on the same axes."""

import numpy as np
import pytest

from usearch.text.colours import (
    BARE_COLOUR_WEIGHT,
    COLOUR_WEIGHT,
    TERMS,
    colour_words,
    pixel_colours,
    text_colours,
    text_weight,
    with_colours,
)

SWATCHES = {  # CSS colours whose names nobody disputes
    "red": ["#ff0000", "#b22222"], "green": ["#008000", "#228b22"], "blue": ["#0000ff", "#1e90ff"],
    "yellow": ["#ffff00", "#ffd700"], "orange": ["#ffa500", "#ff8c00"],
    "pink": ["#ffc0cb", "#ff69b4"], "purple": ["#800080", "#9932cc"],
    "brown": ["#8b4513", "#a0522d"], "black": ["#000000", "#0c0c0c"],
    "white": ["#ffffff", "#f5f5f5"], "grey": ["#808080", "#696969"],
}  # fmt: skip


@pytest.mark.parametrize("word", TERMS)
def test_a_colour_word_finds_its_pixels(word):
    pixels = np.array([[list(bytes.fromhex(h[1:])) for h in SWATCHES[word]]], np.uint8)
    for share in pixel_colours(pixels)[0]:
        assert TERMS[int((text_colours(word) @ np.diag(share)).argmax())] == word
        assert TERMS[int(share.argmax())] == word


def test_each_pixel_is_shared_out_completely():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    shares = pixel_colours(image)
    assert shares.shape == (40, 50, len(TERMS))
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-5)


def test_texts_without_colour_have_no_colour_part():
    assert not text_colours("a car").any()
    assert not text_colours("a predator reading").any()  # "red" within words


@pytest.mark.parametrize(
    "text",
    ["black and white photo of a dog", "a glass of red wine", "greenhouse", "orange juice"],
)
def test_words_that_name_no_visible_colour(text):
    assert colour_words(text) == []


def test_several_colours_and_shades():
    both = text_colours("a red and white bus")
    assert both[TERMS.index("red")] == pytest.approx(both[TERMS.index("white")])
    assert text_colours("GRAY cat").argmax() == TERMS.index("grey")
    assert text_colours("maroon")[TERMS.index("red")] > 0.5


def test_a_bare_colour_is_mostly_colour_but_an_orange_is_a_fruit():
    assert text_weight("the colour red") == BARE_COLOUR_WEIGHT
    assert text_weight("red car") == COLOUR_WEIGHT
    assert text_weight("an orange") == COLOUR_WEIGHT


def test_joined_vectors_have_unit_length_and_keep_the_name_when_no_colour_is_known():
    names = np.eye(3, 5, dtype=np.float32)
    colours = np.stack([text_colours(t) for t in ("red car", "car", "red")])
    joined = with_colours(names, colours, np.array([0.38, 0.38, 0.94], np.float32))
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(joined[1, :5], names[1])


def test_red_car_prefers_red_cars_to_blue_cars_and_both_to_red_dogs():
    car, dog = np.eye(2, dtype=np.float32)
    query = with_colours(car[None], text_colours("red car")[None], np.float32([0.38]))[0]
    red, blue = np.uint8([[[190, 30, 35]]]), np.uint8([[[40, 80, 190]]])
    segments = [(car, red), (car, blue), (dog, red)]
    scores = [
        float(with_colours(n[None], pixel_colours(p)[0], np.float32([0.38]))[0] @ query)
        for n, p in segments
    ]
    assert scores[0] > scores[1] > scores[2]
