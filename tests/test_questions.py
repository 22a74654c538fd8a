"""Questions: how they are typed, what a list of them means, what Python may ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch.errors import InputError, UsageError
from usearch.question_syntax import parse_place, parse_term, place_in, read_questions
from usearch.questions import (
    LONGEST_TEXT,
    AnyOf,
    Picture,
    Point,
    Question,
    Region,
    SegmentId,
    Term,
    Text,
    any_of,
    as_question,
    checked_text,
)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b", "\x00\x1b"])
def test_an_empty_question_is_refused(text):
    with pytest.raises(UsageError, match="empty"):
        checked_text(text)


def test_a_whole_book_is_refused():
    with pytest.raises(UsageError, match="100000 characters"):
        checked_text("a" * 100_000)


def test_a_question_that_is_not_text_is_refused():
    with pytest.raises(UsageError, match="UTF-8"):
        checked_text("caf\udce9")


@pytest.mark.parametrize("text", ["красная машина", "赤い車", "🚗", "قطة", "%s {} ' ; drop table"])
def test_a_question_in_any_script_is_taken(text):
    assert checked_text(f"  {text}\n") == text


@pytest.mark.parametrize(
    ("typed", "weight", "content"),
    [
        ("red car", 1, Text("red car")),
        ("2:red car", 2, Text("red car")),
        (".5:red", 0.5, Text("red")),
        ("0.25: red", 0.25, Text("red")),
        ("16:9 screen", 1, Text("16:9 screen")),
        ("2: 4 candles", 1, Text("2: 4 candles")),
        (r"2:\4 candles", 2, Text("4 candles")),
        (r"\2:red", 1, Text("2:red")),
        ("nan:red", 1, Text("nan:red")),
        ("1e9:red", 1, Text("1e9:red")),
        ("-2:red", 1, Text("-2:red")),
        ("note: red", 1, Text("note: red")),
        ("a.jpg", 1, Text("a.jpg")),
        ("a.jpg@3,4", 1, Text("a.jpg@3,4")),
        ("segment: 12", 1, Text("segment: 12")),
        ("me@home", 1, Text("me@home")),
        ("...", 1, Text("...")),
        (r"\./a.jpg", 1, Text("./a.jpg")),
        (r"\segment:12", 1, Text("segment:12")),
        ("segment:12", 1, SegmentId(12)),
        ("3:segment:12", 3, SegmentId(12)),
        ("./a.jpg", 1, Picture(Path("./a.jpg"))),
        ("../b c.png", 1, Picture(Path("../b c.png"))),
        ("/x/a.jpg@3,4.5", 1, Point(Path("/x/a.jpg"), 3, 4.5)),
        ("2:./a.jpg@10,20,30,40", 2, Region(Path("./a.jpg"), (10, 20, 40, 60))),
        ("./me@home.jpg", 1, Picture(Path("./me@home.jpg"))),
    ],
)
def test_a_term_is_a_text_unless_it_looks_like_something_else(typed, weight, content):
    term = parse_term(f" {typed} ")
    assert (term.weight, term.content) == (weight, content)


def test_the_home_folder_is_meant_by_a_tilde():
    assert parse_term("~/a.jpg").content == Picture(Path.home() / "a.jpg")


def test_a_file_whose_name_ends_like_a_place_is_that_file(tmp_path):
    odd = tmp_path / "a@3,4"
    odd.touch()
    assert parse_place(str(odd)) == Picture(odd)
    assert parse_place(f"{odd}@5,6") == Point(odd, 5, 6)


@pytest.mark.parametrize("typed", ["0:red", "0.0:red"])
def test_a_term_without_weight_is_refused(typed):
    with pytest.raises(UsageError, match="weight of 0"):
        parse_term(typed)


@pytest.mark.parametrize("typed", ["1,2,3", "1", "1,2,3,4,5", "a,b", "nan,1", "inf,1", "1,,2", ""])
def test_a_place_is_two_or_four_numbers(typed):
    with pytest.raises(UsageError, match="no place"):
        place_in(Path("a.jpg"), typed)


@pytest.mark.parametrize("typed", ["1,2,0,5", "1,2,5,0", "1,2,-3,5"])
def test_an_empty_box_is_refused(typed):
    with pytest.raises(UsageError, match="empty"):
        place_in(Path("a.jpg"), typed)


def test_a_list_has_a_question_a_line_and_comments():
    lines = "\ufeff# animals\r\n\r\n  dog \n2:cat\n\\#1 jersey\n   \nsegment:7".encode()
    terms = read_questions(lines, "list.txt")
    assert [(term.weight, term.content) for term in terms] == [
        (1, Text("dog")), (2, Text("cat")), (1, Text("#1 jersey")), (1, SegmentId(7)),
    ]  # fmt: skip


@pytest.mark.parametrize("lines", [b"", b"\n \n", b"# only\n"])
def test_a_list_without_a_question_is_refused(lines):
    with pytest.raises(InputError, match=r"list\.txt holds no question"):
        read_questions(lines, "list.txt")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"dog\n\ncaf\xe9\n", "line 3 of list.txt is not UTF-8"),
        (b"dog\n0:cat\n", "line 2 of list.txt: .*weight of 0"),
        (b"\x00\x01\x02\n", "line 1 of list.txt: the question is empty"),
        (b"dog\n" + b"x" * (LONGEST_TEXT + 1), "line 2 of list.txt: the question has 2001"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(lines, message):
    with pytest.raises(InputError, match=message):
        read_questions(lines, "list.txt")


@given(st.binary(max_size=60))
def test_a_list_of_any_bytes_gives_terms_or_says_what_is_wrong(lines):
    try:
        terms = read_questions(lines, "list.txt")
    except InputError as error:
        assert "list.txt" in error.message
    else:
        assert all(term.weight > 0 for term in terms)


@given(st.text(max_size=40))
def test_any_text_can_be_asked_with_a_backslash_in_front(text):
    try:
        words = checked_text(text)
    except UsageError:
        return
    assert parse_term("\\" + text) == Term(Text(words))


def test_python_asks_texts_pictures_and_mixes_of_them():
    assert as_question("./a.jpg").terms == (Term(Text("./a.jpg")),)
    assert as_question(Path("a.jpg")).terms == (Term(Picture(Path("a.jpg"))),)
    mixed = as_question(["red", (Path("a.jpg"), 2), (SegmentId(7), -1)], minus=["toy"])
    assert mixed.label == "red +2:a.jpg -segment:7 -toy"
    assert [term.weight for term in mixed.terms] == [1, 2, -1, -1]


def test_one_thing_that_is_not_wanted_needs_no_list():
    assert as_question("dog", "cage") == as_question("dog", ["cage"])
    assert as_question("dog", Path("cage.jpg")).label == "dog -cage.jpg"


def test_what_is_not_wanted_counts_for_each_of_several_questions():
    several = as_question(any_of("dog", "cat", "dog"), minus="cage")
    assert isinstance(several, AnyOf)
    assert [question.label for question in several.questions] == ["dog -cage", "cat -cage"]


def test_a_label_of_many_questions_stays_short():
    several = any_of(*(f"thing {i}" for i in range(1000)))
    assert several.label.endswith("| thing 7 | ... 992 more")


@pytest.mark.parametrize("weight", [0, float("nan"), float("inf"), -float("inf")])
def test_a_weight_is_a_finite_number_other_than_0(weight):
    with pytest.raises(UsageError, match="weight"):
        as_question([("red", weight)])


@pytest.mark.parametrize("asked", [[("red", -1)], [], ()])
def test_a_question_wants_something(asked):
    with pytest.raises(UsageError, match=r"not wanted|nothing was asked"):
        as_question(asked, minus=["toy"] if asked else [])
    with pytest.raises(UsageError, match="nothing was asked"):
        any_of()


@pytest.mark.parametrize("asked", [None, 7, b"red", {"red"}, object()])
def test_other_things_are_no_questions(asked):
    with pytest.raises(UsageError, match="is no question"):
        as_question(asked)


def test_a_question_says_what_was_typed():
    terms = (Term(Text("red car")), Term(Text("van"), 0.5), Term(Text("toy"), -2))
    assert Question(terms).label == "red car +0.5:van -2:toy"
