"""Values of label files become class rows; what would silently change a score is refused."""

import dataset_files as files
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eval.datasets import NO_LABEL, MapPhoto, name_list, open_dataset, read_map
from eval.datasets.labels import raw_values, sample_values, to_rows
from eval.datasets.lists import ade_class_numbers
from eval.datasets.pascal_order import _VOC_FIRST
from usearch.errors import InputError


@pytest.mark.parametrize(
    ("name", "images", "folder", "words"),
    [
        ("ade847", "images_detectron2/validation", "annotations_detectron2/validation",
         {254: "dome", 255: "pier", 256: "shanties"}),
        ("pc459", "images/validation", "annotations_ctx459/validation",
         {254: "money", 255: "monkey", 430: "unknown"}),
    ],
)  # fmt: skip
def test_255_is_a_class_of_the_long_lists(tmp_path, name, images, folder, words):
    files.write(tmp_path, images, folder, {"a": [[*words, 65535]]}, ".tif", 16)
    found = open_dataset(name, tmp_path)
    labels = read_map(found, found.photos[0])
    assert labels.tolist() == [[*words, NO_LABEL]]
    assert [found.names[row][0] for row in labels[0, :-1]] == list(words.values())


def test_labels_of_a_long_list_in_8_bits_are_refused(tmp_path):
    files.write(tmp_path, "images_detectron2/validation", "annotations_detectron2/validation",
                {"a": [[0, 255]]}, ".tif", 8)  # fmt: skip
    with pytest.raises(InputError, match="8 bits a pixel: class numbers above 255 are lost"):
        open_dataset("ade847", tmp_path)


def test_a_value_of_no_class_in_a_looked_at_file_is_refused_with_the_file(tmp_path):
    files.write(tmp_path, "images/validation", "annotations/validation", {"bad": [[0, 251]]})
    with pytest.raises(InputError, match=r"bad\.png holds the value 251"):
        open_dataset("ade150", tmp_path)


def test_a_value_of_no_class_in_any_other_file_is_refused_when_it_is_read(tmp_path):
    files.write(tmp_path, "images/validation", "annotations/validation", {"a": [[1, 150]]})
    found = open_dataset("ade150", tmp_path)
    files.labels(tmp_path / "annotations/validation/a.png", [[1, 251, 252]])
    with pytest.raises(InputError, match=r"a\.png holds the value 251 \(2 pixels"):
        read_map(found, found.photos[0])


def test_a_palette_picture_is_read_by_its_indices(tmp_path):
    picture = Image.fromarray(np.array([[0, 20], [15, 255]], np.uint8)).convert("P")
    picture.putpalette([i * 7 % 256 for i in range(768)])
    picture.putdata([0, 20, 15, 255])
    picture.save(tmp_path / "a.png")
    assert raw_values(tmp_path / "a.png").tolist() == [[0, 20], [15, 255]]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("end", [".png", ".tif"])
def test_index_pictures_keep_their_values(tmp_path, bits, end):
    raw = [[0, 255 if bits == 8 else 300], [7, 2**bits - 1]]
    files.labels(tmp_path / f"a{end}", raw, bits)
    assert raw_values(tmp_path / f"a{end}").tolist() == raw


def test_an_index_picture_stored_as_grey_rgb_is_read(tmp_path):
    Image.fromarray(np.array([[0, 9]], np.uint8)).convert("RGB").save(tmp_path / "a.png")
    assert raw_values(tmp_path / "a.png").tolist() == [[0, 9]]


@pytest.mark.parametrize("content", [b"", b"no picture", None])
@pytest.mark.parametrize("encoding", ["index", "ade-rgb", "mat"])
def test_an_unreadable_label_file_is_named(tmp_path, content, encoding):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png"):
        raw_values(path, encoding)


def test_a_matlab_file_of_something_else_is_named(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"Other": np.zeros((2, 2))})
    with pytest.raises(InputError, match="no 'LabelMap'"):
        raw_values(tmp_path / "a.mat", "mat")
    savemat(tmp_path / "b.mat", {"LabelMap": np.zeros((2, 2)) + 0.5})
    with pytest.raises(InputError, match="no map of class numbers"):
        raw_values(tmp_path / "b.mat", "mat")


@given(
    raw=st.lists(st.integers(0, NO_LABEL), min_size=1, max_size=30),
    values=st.lists(st.integers(0, NO_LABEL), min_size=1, max_size=20, unique=True),
    ignore=st.none() | st.lists(st.integers(0, NO_LABEL), max_size=3),
)
def test_rows_are_places_in_the_list_of_values(raw, values, ignore):
    rows = to_rows(np.array([raw], np.uint16), values, ignore)[0]
    for value, row in zip(raw, rows.tolist(), strict=True):
        if ignore is not None and value in ignore:
            assert row == NO_LABEL
        elif value in values:
            assert values[row] == value
        else:
            assert row == (NO_LABEL if ignore is None else NO_LABEL - 1)


def test_original_labels_of_ade847_are_scaled_as_published_ones_were(tmp_path):
    raw = np.zeros((600, 900), int)
    raw[300:, 450:] = 2978
    files.write(tmp_path, "images/ADE/validation", "images/ADE/validation", {"a": raw},
                "_seg.png", 24)  # fmt: skip
    found = open_dataset("ade847", tmp_path)
    labels = read_map(found, found.photos[0])
    assert labels.shape == (512, 768)
    np.testing.assert_array_equal(np.argwhere(labels == 0)[[0, -1]], [[256, 384], [511, 767]])
    whole = open_dataset("ade847", tmp_path, label_size="original")
    assert read_map(whole, whole.photos[0]).shape == (600, 900)


@pytest.mark.parametrize("size", [(513, 700), (601, 514), (512, 900)])
def test_scaled_labels_are_what_opencv_makes_of_them(tmp_path, size):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is the judge")
    raw = np.random.default_rng(7).choice(ade_class_numbers(), size)
    files.write(tmp_path, "images/ADE/validation", "images/ADE/validation", {"a": raw},
                "_seg.png", 24)  # fmt: skip
    found = open_dataset("ade847", tmp_path)
    short = min(size)
    height, width = (side if short <= 512 else 512 if side == short else round(side / short * 512)
                     for side in size)  # fmt: skip
    expected = cv2.resize(raw.astype(np.int32), (width, height), interpolation=cv2.INTER_NEAREST)
    numbers = np.array(ade_class_numbers())
    np.testing.assert_array_equal(numbers[read_map(found, found.photos[0])], expected)


def context(root, raws):
    files.write(root, "JPEGImages", "annotations_detectron2/pc59_val", raws)


def rows_of(found, word):
    return next(row for row, names in enumerate(found.names) if word in names)


def test_the_order_of_59_classes_is_told_by_photos_that_voc_lists_as_dogs(tmp_path):
    lists = tmp_path / "ImageSets/Main/dog_val.txt"
    lists.parent.mkdir(parents=True)
    lists.write_text("a  1\nb -1\n")
    for value, order in ((22, "alphabetical"), (11, "VOC classes first")):
        context(tmp_path, {"a": [[value, 30]], "b": [[255, 3]]})
        found = open_dataset("pc59", tmp_path)
        assert read_map(found, found.photos[0])[0, 0] == rows_of(found, "dog")
        assert any(order in note and "1 of 1 photos" in note for note in found.found.notes)


@pytest.mark.parametrize(
    ("order", "sky"), [("alphabetical label order", 46), ("VOC classes first", 49)]
)
def test_without_lists_the_order_is_told_by_what_fills_most_photos(tmp_path, order, sky):
    context(tmp_path, {"a": [[sky, sky, sky, 2]]})
    found = open_dataset("pc59", tmp_path)
    assert read_map(found, found.photos[0])[0, 0] == rows_of(found, "sky")
    assert any(order in note for note in found.found.notes)


def test_an_order_that_cannot_be_told_is_said(tmp_path):
    context(tmp_path, {"a": [[2, 3, 255]]})
    notes = open_dataset("pc59", tmp_path).found.notes
    assert any("cannot be told" in note for note in notes)


def test_both_orders_hold_the_same_59_classes():
    assert sorted(_VOC_FIRST) == sorted(n[0] for n in name_list("pc59", "official").names)
    assert [_VOC_FIRST.index(word) for word in ("dog", "person", "sky")] == [11, 14, 49]


def test_values_are_counted_over_evenly_spread_files(tmp_path):
    files.write(tmp_path, "images", "masks", {f"{i:02}": [[i, 255]] for i in range(20)})
    photos = [MapPhoto(tmp_path, path) for path in sorted((tmp_path / "masks").iterdir())]
    sample = sample_values(photos, "index", 5)
    assert (sample.files, sample.bits) == (5, 8)
    assert sample.pixels == {0: 1, 4: 1, 8: 1, 12: 1, 16: 1, 255: 5}
    assert sample.first[8] == photos[8].mask
    assert sample_values(photos, "index", 0).files == 20
