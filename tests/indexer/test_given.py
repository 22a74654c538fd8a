"""Masks from a COCO json: what is read, what is refused, and where they end up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from indexer.photos import PhotoError
from indexer.segmenters.given import GivenSegmenter
from indexer.segmenters.polygons import polygons_counts
from usearch import masks
from usearch.errors import InputError, UsageError
from usearch.render.safe_text import json_name

HEIGHT, WIDTH = 40, 60
SQUARE = [10.0, 5.0, 30.0, 5.0, 30.0, 25.0, 10.0, 25.0]


def image(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH} | changes


def annotation(segmentation: Any, **changes: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 1, "category_id": 1, "segmentation": segmentation} | changes


def write(folder: Path, images: list[Any], annotations: list[Any]) -> Path:
    path = folder / "masks.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def photo(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def decoded(segments: Any) -> list[np.ndarray]:
    return [masks.decode(rle, segments.size) for rle in segments.rles]


coordinate = st.one_of(
    st.integers(-20, 80).map(float), st.integers(-100, 400).map(lambda v: v / 5), st.floats(-30, 90)
)


@given(
    st.lists(st.lists(coordinate, min_size=6, max_size=20).filter(lambda p: len(p) % 2 == 0),
             min_size=1, max_size=3),
    st.integers(1, 50),
    st.integers(1, 50),
)  # fmt: skip
def test_polygons_are_rasterised_pixel_for_pixel_as_pycocotools_does(
    polygons: list[list[float]], height: int, width: int
) -> None:
    ours = masks.counts_to_mask(polygons_counts(polygons, (height, width)), (height, width))
    theirs = coco.merge(coco.frPyObjects(polygons, height, width))["counts"]
    np.testing.assert_array_equal(ours, masks.decode(theirs, (height, width)))


def test_the_three_forms_of_a_segmentation_give_the_same_segment(tmp_path: Path) -> None:
    compressed = coco.merge(coco.frPyObjects([SQUARE], HEIGHT, WIDTH))
    plain = masks.rle_to_counts(compressed["counts"], (HEIGHT, WIDTH)).tolist()
    forms = [
        [SQUARE],
        {"size": [HEIGHT, WIDTH], "counts": plain},
        {"size": [HEIGHT, WIDTH], "counts": compressed["counts"].decode()},
    ]
    found = [
        GivenSegmenter(write(tmp_path, [image()], [annotation(form)])).segment_photo(
            photo(), "/photos/a.jpg"
        )
        for form in forms
    ]
    assert [s.rles for s in found] == [[compressed["counts"]]] * 3
    assert found[0].boxes.tolist() == [[10, 5, 30, 25]]


def test_a_single_polygon_needs_no_list_around_it(tmp_path: Path) -> None:
    flat = GivenSegmenter(write(tmp_path, [image()], [annotation(SQUARE)]))
    nested = GivenSegmenter(write(tmp_path, [image()], [annotation([SQUARE])]))
    found = flat.segment_photo(photo(), "a.jpg")
    assert found.rles == nested.segment_photo(photo(), "a.jpg").rles


def test_several_polygons_are_one_mask(tmp_path: Path) -> None:
    other = [40.0, 5.0, 50.0, 5.0, 50.0, 15.0, 40.0, 15.0]
    path = write(tmp_path, [image()], [annotation([SQUARE, other])])
    found = GivenSegmenter(path).segment_photo(photo(), "a.jpg")
    assert found.areas.tolist() == [500]
    assert found.boxes.tolist() == [[10, 5, 50, 25]]


def test_a_crowd_is_a_segment_like_any_other(tmp_path: Path) -> None:
    runs = {"size": [HEIGHT, WIDTH], "counts": [400, 800, 1200]}
    path = write(tmp_path, [image()], [annotation(runs, iscrowd=1)])
    assert GivenSegmenter(path).segment_photo(photo(), "a.jpg").areas.tolist() == [800]


def test_a_mask_that_is_there_twice_counts_once_with_the_better_score(tmp_path: Path) -> None:
    rows = [
        annotation([SQUARE], score=0.3),
        annotation([[0, 0, 9, 0, 9, 9, 0, 9]], score=0.5),
        annotation([SQUARE], score=0.9),
    ]
    found = GivenSegmenter(write(tmp_path, [image()], rows)).segment_photo(photo(), "a.jpg")
    assert found.areas.tolist() == [400, 81]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])


def test_masks_come_best_first_and_nested(tmp_path: Path) -> None:
    inner = [14.0, 8.0, 20.0, 8.0, 20.0, 14.0, 14.0, 14.0]
    rows = [annotation([inner], score=0.3), annotation([SQUARE], score=0.9)]
    segments = GivenSegmenter(write(tmp_path, [image()], rows)).segment_photo(photo(), "a.jpg")
    assert segments.scores.tolist() == pytest.approx([0.9, 0.3])
    assert segments.parents.tolist() == [-1, 0]
    assert segments.depths.tolist() == [0, 1]


@pytest.mark.parametrize("scale", [0.5, 0.25])
def test_masks_of_the_full_photo_are_scaled_to_the_decoded_one(
    tmp_path: Path, scale: float
) -> None:
    path = write(tmp_path, [image()], [annotation([SQUARE])])
    small = photo(int(HEIGHT * scale), int(WIDTH * scale))
    segments = GivenSegmenter(path).segment_photo(small, "a.jpg")
    assert segments.size == small.shape[:2]
    assert segments.areas[0] == pytest.approx(400 * scale**2, rel=0.15)


def test_a_mask_too_small_for_the_decoded_grid_keeps_a_pixel(tmp_path: Path) -> None:
    dot = np.zeros((HEIGHT, WIDTH), bool)
    dot[21, 33] = True
    form = {"size": [HEIGHT, WIDTH], "counts": masks.encode(dot).decode()}
    path = write(tmp_path, [image()], [annotation(form)])
    segments = GivenSegmenter(path).segment_photo(photo(4, 6), "a.jpg")
    assert segments.areas.tolist() == [1]
    assert decoded(segments)[0][2, 3]


def test_the_longest_matching_file_name_wins(tmp_path: Path) -> None:
    images = [image(), image(id=2, file_name="cats/a.jpg")]
    rows = [annotation([SQUARE]), annotation([[0, 0, 9, 0, 9, 9, 0, 9]], image_id=2)]
    given_masks = GivenSegmenter(write(tmp_path, images, rows))
    assert given_masks.segment_photo(photo(), "/x/cats/a.jpg").areas.tolist() == [81]
    assert given_masks.segment_photo(photo(), "/x/dogs/a.jpg").areas.tolist() == [400]


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\tb.jpg", "caf\udce9.jpg", 'weird "q" \u202e.jpg'])
def test_any_name_that_a_file_can_have_is_found_as_export_writes_it(
    name: str, tmp_path: Path
) -> None:
    path = write(tmp_path, [image(file_name=json_name(name))], [annotation([SQUARE])])
    assert GivenSegmenter(path).segment_photo(photo(), "/x/" + name).areas.tolist() == [400]


def test_a_photo_that_the_file_does_not_know_says_so(tmp_path: Path) -> None:
    given_masks = GivenSegmenter(write(tmp_path, [image()], [annotation([SQUARE])]))
    with pytest.raises(PhotoError) as caught:
        given_masks.segment_photo(photo(), "/photos/b.jpg")
    assert caught.value.reason == "no_masks"


def test_masks_of_a_photo_turned_by_exif_are_refused_not_squeezed(tmp_path: Path) -> None:
    given_masks = GivenSegmenter(write(tmp_path, [image()], [annotation([SQUARE])]))
    with pytest.raises(PhotoError, match="60 x 40") as caught:
        given_masks.segment_photo(photo(WIDTH, HEIGHT), "a.jpg")
    assert caught.value.reason == "mask_size"


def test_without_a_file_name_there_is_nothing_to_find(tmp_path: Path) -> None:
    given_masks = GivenSegmenter(write(tmp_path, [image()], [annotation([SQUARE])]))
    with pytest.raises(UsageError, match="file name"):
        given_masks.segment(photo())


def test_annotations_without_a_pixel_are_left_out(tmp_path: Path) -> None:
    nothing = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}
    outside = [[70.0, 5.0, 90.0, 5.0, 90.0, 20.0]]
    rows = [annotation(s) for s in ([], nothing, outside, [SQUARE])]
    segments = GivenSegmenter(write(tmp_path, [image()], rows)).segment_photo(photo(), "a.jpg")
    assert segments.areas.tolist() == [400]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"file_name": "../a.jpg"}, "leads out"),
        ({"file_name": "x/../../a.jpg"}, "leads out"),
        ({"file_name": "/etc/passwd"}, "leads out"),
        ({"file_name": "C:\\a.jpg"}, "leads out"),
        ({"file_name": "..\\a.jpg"}, "leads out"),
        ({"file_name": "a\0.jpg"}, "zero byte"),
        ({"file_name": ""}, "no file name"),
        ({"file_name": 7}, "no file name"),
        ({"id": "1"}, "not a whole number"),
        ({"width": -5}, "no size"),
        ({"width": 60.5}, "not whole numbers"),
        ({"width": 10**9}, "no size"),
        ({"height": float("nan")}, "not whole numbers"),
    ],
)
def test_row_37_and_38_image_entries(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = write(tmp_path, [image(id=9, file_name="ok.jpg"), image(**changes)], [])
    with pytest.raises(InputError, match=said) as caught:
        GivenSegmenter(path)
    assert "images[1]" in caught.value.message


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (annotation([SQUARE], image_id=5), "no image with id 5"),
        (annotation([SQUARE], image_id="1"), "no image with id '1'"),
        (annotation([SQUARE], image_id=[1]), "no image with id"),
        (annotation([SQUARE], score=2), "score 2"),
        (annotation([SQUARE], score=float("nan")), "score nan"),
        (annotation("x"), "neither polygons nor run lengths"),
        (annotation([[1, 2, 3, 4]]), "at least three pairs"),
        (annotation([[1, 2, 3, 4, 5, 6, 7]]), "at least three pairs"),
        (annotation([[1, 2, 3, 4, 5, float("inf")]]), "no pixel coordinate"),
        (annotation([[1, 2, 3, 4, 5, "6"]]), "no pixel coordinate"),
        (annotation([SQUARE[0]]), "at least three pairs"),
        (annotation({"size": [WIDTH, HEIGHT], "counts": [2400]}), "mask of size"),
        (annotation({"counts": [2400]}), "mask of size"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": [2399]}), "sum to 2399"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": [-1, 2401]}), "not whole numbers"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": [2400.0]}), "not whole numbers"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": [10**30]}), "not whole numbers"),
        (annotation({"size": [HEIGHT, WIDTH]}), "not whole numbers"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": ""}), "never has"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": "\u00e9\n"}), "never has|do not fill"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": "oooooooo"}), "middle of a number"),
        (annotation({"size": [HEIGHT, WIDTH], "counts": "0"}), "do not fill"),
        (7, "not an object"),
    ],
)
def test_row_38_and_39_annotation_entries(tmp_path: Path, row: Any, said: str) -> None:
    path = write(tmp_path, [image()], [annotation([SQUARE]), row])
    with pytest.raises(InputError, match=said) as caught:
        GivenSegmenter(path)
    assert "annotations[1]" in caught.value.message


def test_all_problems_are_counted_and_twenty_are_shown(tmp_path: Path) -> None:
    path = write(tmp_path, [image()], [annotation([SQUARE], image_id=i) for i in range(50, 80)])
    with pytest.raises(InputError, match="30 problems") as caught:
        GivenSegmenter(path)
    assert "annotations[19]" in caught.value.message
    assert "annotations[20]" not in caught.value.message
    assert "10 more" in caught.value.message


def test_wrong_entries_can_be_skipped_and_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, [image(), image()], [annotation("x"), annotation([SQUARE])])
    given_masks = GivenSegmenter(path, skip_invalid=True)
    assert [line.split(":")[0] for line in given_masks.problems] == ["images[1]", "annotations[0]"]
    assert len(given_masks.segment_photo(photo(), "a.jpg")) == 1


def test_more_masks_than_the_cap_are_a_problem_and_the_best_can_be_kept(tmp_path: Path) -> None:
    rows = [annotation([[0, 0, 9, 0, 9, i, 0, i]], score=i / 10) for i in range(1, 6)]
    path = write(tmp_path, [image()], rows)
    with pytest.raises(InputError, match="5 masks"):
        GivenSegmenter(path, max_masks=3)
    kept = GivenSegmenter(path, max_masks=3, skip_invalid=True).segment_photo(photo(), "a.jpg")
    assert kept.scores.tolist() == pytest.approx([0.5, 0.4, 0.3])


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"images": []}', "[" * 100_000, "\xff"])
def test_what_is_no_coco_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "masks.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"masks\.json"):
        GivenSegmenter(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no mask file"):
        GivenSegmenter(tmp_path / "none.json")


def test_settings_change_with_the_content_of_the_file(tmp_path: Path) -> None:
    first = GivenSegmenter(write(tmp_path, [image()], [annotation([SQUARE])])).settings
    second = GivenSegmenter(write(tmp_path, [image()], [])).settings
    assert first["content"] != second["content"]
    json.dumps(first)


def test_real_coco_masks_equal_pycocotools(shared: Path) -> None:
    folder = shared / "data" / "coco-stuff100"
    given_masks = GivenSegmenter(folder / "annotations.json")
    data = json.loads((folder / "annotations.json").read_text())
    for entry in data["images"][:8]:
        size = entry["height"], entry["width"]
        segments = given_masks.segment_photo(photo(*size), folder / "images" / entry["file_name"])
        ours = set(segments.rles)
        for row in data["annotations"]:
            form = row["segmentation"]
            if row["image_id"] != entry["id"]:
                continue
            if isinstance(form, list):
                form = coco.merge(coco.frPyObjects(form, *size))
            elif isinstance(form["counts"], list):
                form = coco.frPyObjects(form, *size)
            text = form["counts"]
            assert (text.encode() if isinstance(text, str) else text) in ours
