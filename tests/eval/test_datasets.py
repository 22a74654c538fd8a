"""Labelled photos are read as plain records, whatever form their labels have."""

import json

import numpy as np
import pytest
from PIL import Image

from eval import datasets
from usearch import masks
from usearch.errors import InputError, UsageError
from usearch.text.plain_names import plain_name

SQUARE = np.zeros((20, 30), bool)
SQUARE[5:15, 10:20] = True


def plain_rle(mask):
    return {"size": list(mask.shape), "counts": masks.mask_to_counts(mask).tolist()}


def compressed_rle(mask):
    return {"size": list(mask.shape), "counts": masks.encode(mask).decode()}


def write_coco(folder, segmentations, **changes):
    data = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 30, "height": 20}],
        "categories": [
            {"id": 1, "name": "cat"},
            {"id": 92, "name": "sky-other", "isthing": 0},
        ],
        "annotations": [
            {"id": i, "image_id": 7, "category_id": [1, 92][i % 2], "segmentation": s}
            for i, s in enumerate(segmentations)
        ],
    } | changes
    path = folder / "annotations.json"
    path.write_text(json.dumps(data))
    return path


def test_polygons_and_both_run_length_forms_give_the_same_mask(tmp_path):
    polygon = [[10, 5, 20, 5, 20, 15, 10, 15]]
    forms = [polygon, plain_rle(SQUARE), compressed_rle(SQUARE)]
    photo = datasets.read_coco(write_coco(tmp_path, forms), tmp_path).photos[0]
    for region in photo.regions:
        np.testing.assert_array_equal(masks.decode(region.rle, photo.size), SQUARE)
        assert region.box == (10, 5, 20, 15)
        assert region.area == 100


def test_things_and_stuff_keep_their_names_and_kind(tmp_path):
    found = datasets.read_coco(write_coco(tmp_path, [plain_rle(SQUARE)] * 2), tmp_path)
    assert found.things == ("cat",)
    assert found.stuff == ("sky",)
    assert [(r.name, r.thing) for r in found.photos[0].regions] == [("cat", True), ("sky", False)]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("sky-other", "sky"),
        ("desk-stuff", "desk"),
        ("floor-wood", "wood floor"),
        ("waterdrops", "water drops"),
        ("street_sign", "street sign"),
        ("hot dog", "hot dog"),
    ],
)
def test_data_set_names_become_words_that_people_type(name, plain):
    assert plain_name(name) == plain


def test_a_mask_without_pixels_is_left_out(tmp_path):
    empty = plain_rle(np.zeros((20, 30), bool))
    found = datasets.read_coco(write_coco(tmp_path, [empty, plain_rle(SQUARE)]), tmp_path)
    assert len(found.photos[0].regions) == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"size": [30, 20], "counts": [600]},
        {"size": [20, 30], "counts": [599]},
        {"size": [20, 30], "counts": [-1, 601]},
        {"size": [20, 30], "counts": "\u00e9"},
        [],
        [[1, 2, 3]],
        [[1, 2, float("nan"), 4, 5, 6]],
        None,
    ],
)
def test_an_unusable_mask_is_named_with_its_annotation(tmp_path, bad):
    with pytest.raises(InputError, match="annotation 0"):
        datasets.read_coco(write_coco(tmp_path, [bad]), tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"images": 3}'])
def test_a_file_that_is_not_coco_is_refused_by_name(tmp_path, text):
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"labels\.json"):
        datasets.read_coco(path, tmp_path)


def test_a_region_of_an_unknown_photo_is_refused(tmp_path):
    path = write_coco(tmp_path, [plain_rle(SQUARE)], images=[])
    with pytest.raises(InputError, match="not a COCO instances file"):
        datasets.read_coco(path, tmp_path)


def test_a_missing_label_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no label file"):
        datasets.read_coco(tmp_path / "none.json", tmp_path)


def test_segments_of_a_photo_are_what_an_embedder_takes(tmp_path):
    forms = [plain_rle(SQUARE), plain_rle(~SQUARE)]
    photo = datasets.read_coco(write_coco(tmp_path, forms), tmp_path).photos[0]
    segments = datasets.segments_of(photo, [1])
    assert (len(segments), segments.size) == (1, (20, 30))
    assert segments.areas.tolist() == [500]


def test_in_a_label_map_the_smaller_region_lies_on_top(tmp_path):
    forms = [plain_rle(SQUARE), plain_rle(np.ones_like(SQUARE))]
    photo = datasets.read_coco(write_coco(tmp_path, forms), tmp_path).photos[0]
    labels = datasets.label_map(photo, {"cat": 0, "sky": 1})
    np.testing.assert_array_equal(labels == 0, SQUARE)
    assert (datasets.label_map(photo, {"cat": 0})[~SQUARE] == datasets.NO_LABEL).all()
    assert (datasets.label_map(photo, {"cat": 0}, rest=5)[~SQUARE] == 5).all()


def write_maps(folder, values, dtype=np.uint8):
    for name in ("images", "masks"):
        (folder / name).mkdir()
    Image.new("RGB", (2, 2)).save(folder / "images" / "a.jpg")
    Image.fromarray(np.array(values, dtype)).save(folder / "masks" / "a.png")
    return folder / "images", folder / "masks"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_index_values_become_class_rows(tmp_path, dtype):
    folders = write_maps(tmp_path, [[0, 1], [2, 255]], dtype)
    found = datasets.read_folders(*folders, [["wall"], ["sky", "clouds"]], values=[1, 2])
    labels = datasets.read_labels(found.photos[0], found.values)
    assert labels.tolist() == [[datasets.NO_LABEL, 0], [1, datasets.NO_LABEL]]


def test_a_colour_picture_is_no_index_map(tmp_path):
    images, folder = write_maps(tmp_path, [[0, 1], [2, 3]])
    Image.new("RGB", (2, 2), "red").save(folder / "a.png")
    found = datasets.read_folders(images, folder, [["wall"]])
    with pytest.raises(InputError, match="colours"):
        datasets.read_labels(found.photos[0], found.values)


def test_a_photo_without_index_map_is_named(tmp_path):
    images, folder = write_maps(tmp_path, [[0]])
    Image.new("RGB", (2, 2)).save(images / "b.jpg")
    with pytest.raises(InputError, match=r"b\.jpg"):
        datasets.read_folders(images, folder, [["wall"]])


@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_missing_folder_is_named(tmp_path, part):
    folders = dict(zip(("images", "masks"), write_maps(tmp_path, [[0]]), strict=True))
    folders[part] = tmp_path / "gone"
    with pytest.raises(InputError, match="gone"):
        datasets.read_folders(folders["images"], folders["masks"], [["wall"]])


def test_boxes_are_read_with_their_photo(tmp_path):
    path = tmp_path / "boxes.json"
    box = {"class": "Ice cream", "xyxy": [1, 2, 3, 4], "group": True}
    path.write_text(json.dumps([{"file_name": "a.jpg", "width": 9, "height": 8, "boxes": [box]}]))
    photo = datasets.read_boxes(path)[0]
    assert (photo.path, photo.size) == (tmp_path / "a.jpg", (8, 9))
    assert (photo.names, photo.groups) == (("ice cream",), (True,))
    assert photo.boxes.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("text", ["", "3", "[3]", '[{"file_name": "a"}]'])
def test_a_box_file_of_another_form_is_refused(tmp_path, text):
    path = tmp_path / "boxes.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"boxes\.json"):
        datasets.read_boxes(path)


def test_a_photo_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"a\.jpg"):
        datasets.read_image(path)


@pytest.mark.parametrize("read", [datasets.region_set, datasets.map_set])
def test_an_unknown_development_set_lists_the_known_ones(tmp_path, read):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "coco")
    assert "one of" in caught.value.hint


def test_the_development_sets_hold_what_their_description_states(shared):
    data = shared / "data"
    stuff = datasets.region_set(data, "coco-stuff100")
    assert (len(stuff.photos), len(stuff.things), len(stuff.stuff)) == (100, 80, 91)
    assert sum(len(photo.regions) for photo in stuff.photos) == 1237
    assert not set(stuff.things) & set(stuff.stuff)
    street = datasets.map_set(data, "camvid60")
    assert (len(street.photos), len(street.names)) == (60, 11)
    labels = datasets.read_labels(street.photos[0], street.values)
    assert labels.shape == (360, 480)
    assert set(np.unique(labels)) <= {*range(11), datasets.NO_LABEL}
    assert datasets.map_set(data, "ade150").names[1] == ("building", "edifice")
    assert len(datasets.box_photos(data)) == 32
