"""Class files as people really have them."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch.errors import InputError, UsageError
from usearch.text.class_lists import parse_classes, read_class_list


def written(tmp_path, data):
    path = tmp_path / "classes.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_one_class_a_line_with_synonyms(tmp_path):
    classes = read_class_list(written(tmp_path, "person, man, woman\nsky\nroad , street\n"))
    assert classes.names == [["person", "man", "woman"], ["sky"], ["road", "street"]]
    assert classes.titles == ["person", "sky", "road"]
    assert len(classes) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"sky\r\nroad\r\n",
        b"sky\rroad",
        b"\n  sky  \n\n\t\nroad\n\n",
        codecs.BOM_UTF8 + b"sky\nroad\n",
        codecs.BOM_UTF16_LE + "sky\nroad\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "sky\r\nroad".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "sky\nroad\n".encode("utf-32-le"),
    ],
    ids=["crlf", "cr", "blanks", "bom8", "bom16le", "bom16be", "bom32le"],
)
def test_line_ends_blanks_and_byte_order_marks_change_nothing(tmp_path, data):
    assert read_class_list(written(tmp_path, data)).titles == ["sky", "road"]


def test_blank_lines_take_no_value_and_lines_are_remembered(tmp_path):
    classes = read_class_list(written(tmp_path, "\nsky\n\n\nroad\n"))
    assert classes.titles.index("road") == 1
    assert classes.lines == [2, 5]


def test_a_comma_inside_a_name_is_written_with_a_backslash(tmp_path):
    classes = read_class_list(written(tmp_path, "Paris\\, Texas, town\n"))
    assert classes.names == [["Paris, Texas", "town"]]


def test_a_name_repeated_within_a_line_counts_once(tmp_path):
    assert read_class_list(written(tmp_path, "Sky, sky, heaven")).names == [["Sky", "heaven"]]


@pytest.mark.parametrize("data", ["", "\n \n\r\n", codecs.BOM_UTF8])
def test_a_file_without_classes_is_unusable(tmp_path, data):
    with pytest.raises(InputError, match="names no class"):
        read_class_list(written(tmp_path, data))


def test_a_name_in_two_lines_names_both_lines(tmp_path):
    with pytest.raises(UsageError, match="'Sky' stands in line 1 and in line 4"):
        read_class_list(written(tmp_path, "sky\n\nroad\ntree, Sky\n"))


def test_an_unknown_encoding_names_the_byte(tmp_path):
    with pytest.raises(InputError, match=r"byte 0xe4 at offset 7 \(line 2\)"):
        read_class_list(written(tmp_path, b"sky\nb\xc3\xa4\xe4r\n"))


def test_an_odd_number_of_utf16_bytes_is_named_too(tmp_path):
    with pytest.raises(InputError, match="UTF-16-LE"):
        read_class_list(written(tmp_path, codecs.BOM_UTF16_LE + b"s\0k"))


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0", "sky\nroad".encode("utf-16-le")])
def test_a_binary_file_is_not_a_class_list(tmp_path, data):
    with pytest.raises(InputError, match=r"not a text file|not UTF-8"):
        read_class_list(written(tmp_path, data))


def test_columns_are_refused_rather_than_guessed_at(tmp_path):
    with pytest.raises(InputError, match="line 2: a tab"):
        read_class_list(written(tmp_path, "sky\n1\tthing\tperson\n"))


@pytest.mark.parametrize("line", ["sky,", ",sky", "sky,,heaven", ","])
def test_an_empty_name_names_its_line(tmp_path, line):
    with pytest.raises(InputError, match="line 2: there is an empty name"):
        read_class_list(written(tmp_path, f"road\n{line}\n"))


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="there is no class file"):
        read_class_list(tmp_path / "none.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_class_list(tmp_path)


NAMES = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="\\,\t>#"),
    min_size=1,
    max_size=8,
)


@given(st.lists(NAMES, min_size=1, max_size=20, unique_by=str.casefold))
def test_any_script_survives(names):
    classes = parse_classes(names, "list")
    assert classes.titles == names


def test_lines_that_begin_with_a_hash_explain_and_take_no_value(tmp_path):
    classes = read_class_list(written(tmp_path, "# far\nsky\n  # a, b\nroad # wet\n\\#1\n"))
    assert classes.names == [["sky"], ["road # wet"], ["#1"]]
    assert classes.lines == [2, 4, 5]


def test_a_part_knows_its_whole_whatever_name_of_it_is_used(tmp_path):
    classes = read_class_list(written(tmp_path, "cup, mug\ntable\nmug > handle, grip\ncup > rim\n"))
    assert classes.names == [["cup", "mug"], ["table"], ["handle", "grip"], ["rim"]]
    assert classes.wholes == [-1, -1, 0, 0]
    assert classes.titles == ["cup", "table", "cup > handle", "cup > rim"]


def test_a_whole_without_a_line_stands_before_its_first_part(tmp_path):
    classes = read_class_list(written(tmp_path, "sky\ncar, auto > wheel\ncar > window\n"))
    assert classes.titles == ["sky", "car", "car > wheel", "car > window"]
    assert classes.names[1] == ["car", "auto"]


def test_a_line_of_its_own_counts_wherever_it_stands(tmp_path):
    classes = read_class_list(written(tmp_path, "car > wheel > rim\ncar > wheel, tyre\nsky\ncar\n"))
    assert classes.titles == ["car > wheel > rim", "car > wheel", "sky", "car"]
    assert classes.wholes == [1, 3, -1, -1]


def test_a_list_without_parts_names_no_wholes(tmp_path):
    classes = read_class_list(written(tmp_path, "a\\>b\nc\n"))
    assert classes.wholes == []
    assert not classes.has_parts
    assert classes.titles == ["a>b", "c"]


def test_parts_of_two_wholes_may_share_a_name_and_of_one_may_not(tmp_path):
    assert len(read_class_list(written(tmp_path, "cup > handle\ndoor > handle\nhandle\n"))) == 5
    with pytest.raises(UsageError, match="'Handle' stands in line 1 and in line 2"):
        read_class_list(written(tmp_path, "cup > handle\ncup > Handle\n"))


def test_a_whole_is_named_as_in_its_own_line(tmp_path):
    with pytest.raises(UsageError, match="line 2: 'beaker' is no name of the class 'cup'"):
        read_class_list(written(tmp_path, "cup, mug\ncup, beaker > handle\n"))


@pytest.mark.parametrize("line", ["cup >", "> handle", "cup > > handle", "cup > handle,"])
def test_a_part_or_whole_without_a_name_names_its_line(tmp_path, line):
    with pytest.raises(InputError, match="line 1: there is an empty name"):
        read_class_list(written(tmp_path, line))


def test_messages_speak_of_what_the_list_came_from():
    with pytest.raises(UsageError, match=r"--class: 'sky' stands in no\. 1 and in no\. 2"):
        parse_classes(["sky", "heaven, sky"], "--class", "no.")
