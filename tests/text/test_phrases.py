"""What a phrase names, under its template, article, plural and colours."""

import random

import pytest

from trainer.text.corpus import misspell, wrap
from trainer.text.phrases import clauses, content, plural, singular, without_colours
from usearch.text.templates import TEMPLATES


@pytest.mark.parametrize(
    "text",
    ["dog", "a dog", "The dog.", "a photo of a dog", "There is a dog in the scene", "  A  DOG ",
     "a close-up photo of the dog.", "this is a picture of a dog", "my dog", "itap of my dog."],
)  # fmt: skip
def test_the_content_of_a_dog_is_a_dog(text):
    assert content(text) == "dog"


def test_photographic_templates_of_the_literature_are_seen_through():
    plain = [
        t for t in TEMPLATES["vild14"] if not any(s in t for s in ("small", "medium", "large"))
    ]
    assert {content(t.replace("{}", "fire hydrant")) for t in plain} == {"fire hydrant"}


def test_nothing_is_left_empty():
    for text in ("a photo", "the", "a", "photo of", "there is", "picture of the"):
        assert content(text)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("dog", "dogs"),
        ("bus", "buses"),
        ("person", "people"),
        ("city", "cities"),
        ("knife", "knives"),
        ("wine glass", "wine glasses"),
        ("teddy bear", "teddy bears"),
        ("scissors", "scissors"),
        ("bench", "benches"),
        ("toy", "toys"),
        ("sheep dog", "sheep dogs"),
    ],
)
def test_plurals_go_both_ways(one, many):
    assert plural(one) == many
    if one not in ("wine glass",):  # "glasses" alone are spectacles
        assert singular(many) == one


def test_words_that_only_look_like_plurals_stay():
    for word in ("grass", "glasses", "bus", "pants", "tennis", "gas"):
        assert singular(word) == word


def test_colours_are_taken_off_and_the_rest_stays():
    assert without_colours("red and white car") == "car"
    assert without_colours("dark blue jacket") == "jacket"
    assert without_colours("dark room") == "dark room"
    assert without_colours("red") == ""


def test_clauses_split_at_prepositions():
    assert clauses("dog on a red couch") == [["dog"], ["red", "couch"]]


def test_wrapped_names_keep_their_meaning():
    rng = random.Random(0)
    for _ in range(300):
        core = content(wrap("teddy bear", rng))
        assert "teddy bear" in core


def test_a_slip_changes_a_word_of_five_letters_and_no_shorter_one():
    rng = random.Random(0)
    assert misspell("a dog", rng) == "a dog"
    slips = {misspell("elephant", rng) for _ in range(50)}
    assert len(slips) > 10
    assert all(abs(len(s) - 8) <= 1 for s in slips)
