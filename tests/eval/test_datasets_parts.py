"""PartImageNet is read from COCO json in both layouts, and its broken annotations are counted."""

import json

import dataset_files as files
import pytest

from eval.datasets import MapSet, RegionSet, name_list, open_dataset, read_map
from usearch.errors import InputError

SQUARE = [[0, 0, 2, 0, 2, 2, 0, 2]]
NAMES = [one[0] for one in name_list("partimagenet", "official").names]


def annotations(names=NAMES, segmentations=(SQUARE, [[1, 2]])):
    return json.dumps({
        "images": [{"id": 1, "file_name": "n02071294_1.JPEG", "width": 3, "height": 2},
                   {"id": 2, "file_name": "n02071294_2.JPEG", "width": 3, "height": 2}],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        "annotations": [{"id": i, "image_id": 1, "category_id": 25, "segmentation": s}
                        for i, s in enumerate(segmentations)],
    })  # fmt: skip


LAYOUTS = [
    ("vlpart", "val/n02071294", "val.json"),
    ("vlpart", "val", "val_format.json"),
    ("coco", "images/val", "annotations/val/val.json"),
    ("coco", "JPEGImages/val", "annotations/val.json"),
]


def write(root, photos, json_file, text):
    for number in (1, 2):
        files.photo(root / photos / f"n02071294_{number}.JPEG")
    (root / json_file).parent.mkdir(parents=True, exist_ok=True)
    (root / json_file).write_text(text)


@pytest.mark.parametrize(("layout", "photos", "json_file"), LAYOUTS)
def test_parts_have_their_names_and_broken_polygons_are_counted(
    tmp_path, layout, photos, json_file
):
    write(tmp_path / "partimagenet", photos, json_file, annotations())
    found = open_dataset("partimagenet", tmp_path)
    assert isinstance(found, RegionSet)
    assert (found.found.layout, len(found.things), found.stuff) == (layout, 40, ())
    assert [photo.path.is_file() for photo in found.photos] == [True, True]
    assert [region.name for region in found.photos[0].regions] == ["car tire"]
    assert any("1 annotations have no usable mask" in note for note in found.found.notes)
    assert any("PartImageNet has 2,957" in note for note in found.found.notes)


def test_other_names_in_the_json_are_taken_by_id_and_said(tmp_path):
    names = ["Motor Vehicle Tier" if name == "Car Tier" else name for name in NAMES]
    write(tmp_path, *LAYOUTS[0][1:], annotations(names))
    found = open_dataset("partimagenet", tmp_path)
    assert found.photos[0].regions[0].name == "car tire"
    assert any("1 classes have other names" in note for note in found.found.notes)


def test_photos_that_are_missing_are_counted(tmp_path):
    write(tmp_path, *LAYOUTS[0][1:], annotations())
    (tmp_path / "val/n02071294/n02071294_2.JPEG").unlink()
    found = open_dataset("partimagenet", tmp_path)
    assert len(found.photos) == 1
    assert any("1 photos of the json are missing" in note for note in found.found.notes)
    (tmp_path / "val/n02071294/n02071294_1.JPEG").unlink()
    with pytest.raises(InputError, match="none of the 2 photos"):
        open_dataset("partimagenet", tmp_path)


def test_a_json_of_other_classes_is_refused(tmp_path):
    write(tmp_path, *LAYOUTS[0][1:], annotations(NAMES[:39], [SQUARE]))
    with pytest.raises(InputError, match="39 classes, not the 40 parts"):
        open_dataset("partimagenet", tmp_path)


def test_the_edition_with_index_pictures_is_a_set_of_maps(tmp_path):
    files.write(tmp_path, "images/val/n02071294", "annotations/val_part/n02071294",
                {"x": [[0, 39, 40]]}, suffix=".JPEG")  # fmt: skip
    found = open_dataset("partimagenet", tmp_path)
    assert isinstance(found, MapSet)
    assert read_map(found, found.photos[0]).tolist() == files.rows([[0, 39, None]])
    assert any("part AP cannot be measured" in note for note in found.found.notes)


def test_nothing_of_it_says_what_was_looked_for(tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"Looked for: val\.json.*Found: other"):
        open_dataset("partimagenet", tmp_path)
