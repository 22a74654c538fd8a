"""Any labelled folder can be measured on; how its values are read is told or asked for."""

import dataset_files as files
import pytest
from PIL import Image

from eval.datasets import open_folder, read_map
from usearch.errors import InputError, UsageError


def folder(root, raws, classes="wall\nfloor, ground\ndoor\n", **options):
    files.write(root, "images", "masks", raws, **options)
    (root / "classes.txt").write_text(classes)
    return root / "images", root / "masks", root / "classes.txt"


def read(found, at=0):
    return read_map(found, found.photos[at]).tolist()


@pytest.mark.parametrize(
    ("raw", "first", "expected", "said"),
    [
        ([[0, 1, 2, 255]], None, [[0, 1, 2, None]], "values 0 to 2 are the 3 classes (0 and the"),
        ([[0, 1, 2, 3]], None, [[None, 0, 1, 2]], "values 1 to 3 are the 3 classes (the highest"),
        ([[0, 1, 1]], 0, [[0, 1, 1]], "as --first-index says"),
        ([[0, 1, 1]], 1, [[None, 0, 0]], "as --first-index says"),
        ([[0, 3, 255]], 1, [[None, 2, None]], "0 and 255 are not labelled"),
    ],
)
def test_the_first_class_is_told_by_values_or_by_the_user(tmp_path, raw, first, expected, said):
    found = open_folder(*folder(tmp_path, {"a": raw}), first_index=first)
    assert read(found) == files.rows(expected)
    assert said in found.found.encoding


@pytest.mark.parametrize("raw", [[[0, 1]], [[1, 2]], [[255]]])
def test_values_that_can_be_read_in_two_ways_are_asked_for(tmp_path, raw):
    with pytest.raises(InputError, match="can be read in two ways") as caught:
        open_folder(*folder(tmp_path, {"a": raw}))
    assert "--first-index" in caught.value.hint


def test_a_list_that_begins_with_background_begins_at_0(tmp_path):
    found = open_folder(*folder(tmp_path, {"a": [[0, 1]]}, "background\ncar\nbus\n"))
    assert read(found) == [[0, 1]]


def test_synonyms_are_names_of_one_class_and_the_list_has_an_id(tmp_path):
    found = open_folder(*folder(tmp_path, {"a": [[0, 1, 2]]}))
    assert found.names == (("wall",), ("floor", "ground"), ("door",))
    assert found.list_id.startswith("classes.txt@")
    other = open_folder(*folder(tmp_path, {"a": [[0, 1, 2]]}, "wall\nfloor\ndoor\n"))
    assert other.list_id != found.list_id


def test_two_classes_may_share_a_name_as_in_published_lists(tmp_path):
    found = open_folder(*folder(tmp_path, {"a": [[0, 1]]}, "blind, screen\ncrt, screen\n"))
    assert found.names == (("blind", "screen"), ("crt", "screen"))


def test_a_class_file_may_give_values(tmp_path):
    text = "# COCO ids minus 1\n0\tperson\n11\t\n181\twood, timber\n"
    found = open_folder(*folder(tmp_path, {"a": [[0, 181, 255]]}, text))
    assert found.names == (("person",), ("wood", "timber"))
    assert read(found) == files.rows([[0, 1, None]])
    with pytest.raises(UsageError, match="its value"):
        open_folder(tmp_path / "images", tmp_path / "masks", tmp_path / "classes.txt", 0)


def test_an_ignored_class_leaves_the_list(tmp_path):
    found = open_folder(*folder(tmp_path, {"a": [[0, 1, 2]]}, "road\ncar\nunlabelled\n"), ignore=2)
    assert found.names == (("road",), ("car",))
    assert read(found) == files.rows([[0, 1, None]])
    assert any("class 'unlabelled' (value 2) has an ignored value" in n for n in found.found.notes)


def test_a_class_that_is_called_unlabelled_is_none(tmp_path):
    found = open_folder(*folder(tmp_path, {"a": [[0, 1, 2]]}, "road\ncar\nUnlabelled\n"))
    assert found.names == (("road",), ("car",))
    assert read(found) == files.rows([[0, 1, None]])
    assert any("not labelled by its name" in note for note in found.found.notes)
    with pytest.raises(InputError, match="leaves no class"):
        open_folder(*folder(tmp_path, {"a": [[0]]}, "void\n"), first_index=0)


def test_ignoring_0_means_that_classes_begin_at_1(tmp_path):
    found = open_folder(*folder(tmp_path, {"a": [[0, 1, 2]]}), ignore=0)
    assert read(found) == files.rows([[None, 0, 1]])


def test_values_that_no_class_has_are_refused_with_a_file(tmp_path):
    with pytest.raises(InputError, match=r"b\.png holds the value 11 and 1 more") as caught:
        open_folder(*folder(tmp_path, {"a": [[0, 1, 2]], "b": [[11, 12, 0]]}))
    assert "--ignore" in caught.value.hint


def test_255_is_a_class_where_the_list_is_that_long(tmp_path):
    text = "".join(f"class {i}\n" for i in range(300))
    paths = folder(tmp_path, {"a": [[0, 255, 299, 65535]]}, text, bits=16, end=".tif")
    found = open_folder(*paths)
    assert read(found) == files.rows([[0, 255, 299, None]])


def test_photos_in_folders_are_paired_by_path(tmp_path):
    files.write(tmp_path, "images/x", "masks/x", {"a": [[0]]})
    files.write(tmp_path, "images/y", "masks/y", {"a": [[2]]})
    (tmp_path / "classes.txt").write_text("wall\nfloor\ndoor\n")
    found = open_folder(tmp_path / "images", tmp_path / "masks", tmp_path / "classes.txt")
    assert [read(found, i) for i in (0, 1)] == [[[0]], [[2]]]


def test_photos_and_index_pictures_may_lie_in_one_folder(tmp_path):
    files.write(tmp_path, "all", "all", {"a": [[0, 1, 2]]})
    (tmp_path / "classes.txt").write_text("wall\nfloor\ndoor\n")
    found = open_folder(tmp_path / "all", tmp_path / "all", tmp_path / "classes.txt")
    assert [photo.path.name for photo in found.photos] == ["a.jpg"]


def test_what_has_no_counterpart_is_counted(tmp_path):
    paths = folder(tmp_path, {"a": [[0, 1, 2]]})
    files.photo(tmp_path / "images/b.jpg")
    files.labels(tmp_path / "masks/c.png", [[0]])
    notes = "\n".join(open_folder(*paths).found.notes)
    assert "1 have no photo" in notes
    assert "1 have no label file" in notes


def test_names_that_do_not_pair_are_shown(tmp_path):
    files.photo(tmp_path / "images/a.jpg")
    files.labels(tmp_path / "masks/a_mask.png", [[0]])
    (tmp_path / "classes.txt").write_text("wall\n")
    with pytest.raises(InputError, match="first a_mask") as caught:
        open_folder(tmp_path / "images", tmp_path / "masks", tmp_path / "classes.txt")
    assert "the same name" in caught.value.hint


def test_a_smaller_index_picture_is_taken_and_said(tmp_path):
    paths = folder(tmp_path, {"a": [[0, 1, 2]]})
    files.photo(tmp_path / "images/a.jpg", (30, 10))
    assert any("another size" in note for note in open_folder(*paths).found.notes)


def test_an_index_picture_of_another_shape_is_refused(tmp_path):
    paths = folder(tmp_path, {"a": [[0, 1, 2]]})
    files.photo(tmp_path / "images/a.jpg", (30, 40))
    with pytest.raises(InputError, match="3 x 1 pixels, its photo 30 x 40"):
        open_folder(*paths)


def test_an_index_picture_that_lies_as_the_camera_did_is_refused(tmp_path):
    paths = folder(tmp_path, {"a": [[0, 1, 2]]})
    exif = Image.Exif()
    exif[0x0112] = 6
    files.photo(tmp_path / "images/a.jpg", (3, 1), exif)
    with pytest.raises(InputError, match="EXIF data turn it"):
        open_folder(*paths)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"first_index": 2}, "first index 2"), ({"ignore": -1}, "no value -1")],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        open_folder(*folder(tmp_path, {"a": [[0]]}), **options)


@pytest.mark.parametrize("text", ["", "a > b\n", "1\tcar\n1\tbus\n", "a\tb\tc\n"])
def test_unusable_class_files_are_named(tmp_path, text):
    with pytest.raises(InputError, match=r"classes\.txt"):
        open_folder(*folder(tmp_path, {"a": [[1]]}, text))


def test_missing_folders_and_files_are_named(tmp_path):
    images, masks, classes = folder(tmp_path, {"a": [[0, 1, 2]]})
    for gone in ((tmp_path / "x", masks, classes), (images, tmp_path / "x", classes),
                 (images, masks, tmp_path / "x")):  # fmt: skip
        with pytest.raises(InputError, match="x"):
            open_folder(*gone)


def test_street_scenes_of_the_development_sets_are_a_folder(shared):
    root = shared / "data/camvid60"
    found = open_folder(root / "images", root / "masks", root / "classes.txt")
    assert (len(found.photos), len(found.names)) == (60, 11)
    assert set(range(11)) >= {row for line in read(found) for row in line} - {65535}
