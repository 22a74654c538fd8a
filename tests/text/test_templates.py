"""Template sets are data of the literature: counted, complete, filled letter by letter."""

import pytest

from usearch.errors import UsageError
from usearch.text.templates import TEMPLATES, fill, get_templates


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("name", 1),
        ("single", 1),
        ("use4", 4),
        ("vild14", 14),
        ("imagenet80", 80),
        ("maskclip85", 85),
    ],
)
def test_each_set_has_its_published_number_of_different_sentences(name, count):
    assert len(set(get_templates(name))) == len(get_templates(name)) == count
    assert all(sentence.count("{}") == 1 for sentence in get_templates(name))


def test_maskclip_is_imagenet_and_five_scenes():
    assert TEMPLATES["maskclip85"][:80] == TEMPLATES["imagenet80"]
    assert all("in the scene" in sentence for sentence in TEMPLATES["maskclip85"][80:])


def test_published_wording_is_kept_with_its_mistakes():
    assert "a origami {}." in TEMPLATES["imagenet80"]
    assert "itap of a {}." in TEMPLATES["imagenet80"]
    assert "There is {} in the scene" in TEMPLATES["use4"]


def test_a_name_may_hold_braces_and_percent_signs():
    assert fill(("a photo of a {}.",), "{0} 100%") == ["a photo of a {0} 100%."]


def test_an_unknown_set_is_a_usage_error_that_names_the_known_ones():
    with pytest.raises(UsageError, match="imagenet90") as caught:
        get_templates("imagenet90")
    assert "maskclip85" in caught.value.hint
