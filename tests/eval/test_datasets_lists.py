"""Names of classes are published ones, and a list is known by its hash."""

import json

import pytest

from eval.datasets import DATASETS, list_kinds, name_list, part_wholes
from eval.datasets.lists import ade_class_numbers
from eval.datasets.pascal_order import CONTEXT_59
from usearch.errors import UsageError

COUNTS = {
    "ade150": 150, "ade847": 847, "pc59": 59, "pc459": 459, "voc20": 20, "voc21": 21,
    "cocostuff": 171, "partimagenet": 40,
}  # fmt: skip


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_list_names_every_class(dataset):
    for kind in list_kinds(dataset):
        names = name_list(dataset, kind).names
        assert len(names) == COUNTS[dataset]
        assert all(one and all(name == name.strip() != "" for name in one) for one in names)
        assert all(len(set(one)) == len(one) for one in names)


@pytest.mark.parametrize(
    ("dataset", "count"),
    [("ade150", 402), ("ade847", 1341), ("pc59", 160), ("pc459", 559), ("voc21", 151)],
)
def test_the_prompt_engineered_lists_are_as_long_as_published(dataset, count):
    # As published 403, 1342, 153: "kitchen range", "bag" and "tiles" stand there twice in a line.
    assert sum(map(len, name_list(dataset, "openseg").names)) == count


def test_a_change_of_a_list_does_not_go_unnoticed():
    ids = {
        name_list(dataset, kind).list_id
        for dataset in ("ade150", "pc459")
        for kind in ("synonyms", "first", "official", "openseg")
    }
    assert ids == {
        "ade150/synonyms@b9ab98a9",
        "ade150/first@ffd47f2f",
        "ade150/official@598a1c2a",
        "ade150/openseg@899b50ab",
        "pc459/synonyms@57221f37",
        "pc459/first@bccd0c87",
        "pc459/official@c9fe8ff7",
        "pc459/openseg@69da001d",
    }


def test_commas_divide_synonyms_and_official_names_keep_them():
    door = 14
    assert name_list("ade150", "official").names[door] == ("door, double door",)
    assert name_list("ade150").names[door] == ("door", "double door")
    assert name_list("ade150", "first").names[door] == ("door",)


@pytest.mark.parametrize(
    ("dataset", "official", "plain"),
    [
        ("voc20", "pottedplant", "potted plant"),
        ("cocostuff", "wall-brick", "brick wall"),
        ("cocostuff", "sky-other", "sky"),
        ("partimagenet", "Car Tier", "car tire"),
        ("pc459", "casette recorder", "cassette recorder"),
    ],
)
def test_names_are_as_people_type_them_and_official_ones_as_published(dataset, official, plain):
    row = name_list(dataset, "official").names.index((official,))
    assert name_list(dataset).names[row][0] == plain


def test_the_backgrounds_of_voc21_are_a_list_of_their_own():
    assert "corrclip" in list_kinds("voc21")
    backgrounds = name_list("voc21", "corrclip").names[0]
    assert (len(backgrounds), backgrounds[0]) == (26, "sky")
    assert name_list("voc21").names[0] == ("background",)


def test_an_unknown_list_names_the_known_ones():
    with pytest.raises(UsageError) as caught:
        name_list("partimagenet", "openseg")
    assert caught.value.hint == "one of synonyms, first, official"


def test_class_numbers_of_ade_are_those_of_an_alphabetical_list():
    numbers = dict(zip(ade_class_numbers(), name_list("ade847", "official").names, strict=True))
    older = [numbers[number][0].lower() for number in sorted(numbers) if number < 3100]
    assert len(numbers) == 847
    assert older == sorted(older)


def test_class_numbers_of_ade_agree_with_real_files(shared):
    numbers = dict(zip(ade_class_numbers(), name_list("ade847", "official").names, strict=True))
    lines = (shared / "data/ade-full/classes.tsv").read_text().splitlines()[1:]
    real = {int(number): name for number, name in (line.split("\t") for line in lines)}
    common = numbers.keys() & real.keys()
    assert len(common) == 29
    assert all(numbers[number] == (real[number],) for number in common)


@pytest.mark.parametrize("dataset", ["ade847", "pc59", "pc459"])
def test_the_order_is_that_of_published_per_class_figures(shared, dataset):
    published = json.loads((shared / f"data/golden/{dataset}_san_vitl14.json").read_bytes())
    assert [one[0] for one in name_list(dataset, "official").names] == list(published["per_class"])


def test_the_59_context_classes_are_59_of_the_459():
    all_names = name_list("pc459", "official").names
    own = name_list("pc59", "official").names
    differ = [(all_names[number - 1][0], name[0])
              for number, name in zip(CONTEXT_59, own, strict=True)
              if all_names[number - 1] != name]  # fmt: skip
    assert differ == [("table", "diningtable")]


def test_parts_belong_to_eleven_wholes():
    wholes = part_wholes()
    assert len(wholes) == 11
    assert sum(map(len, wholes.values())) == 40
    assert wholes["quadruped"] == (
        "quadruped head", "quadruped body", "quadruped foot", "quadruped tail",
    )  # fmt: skip
