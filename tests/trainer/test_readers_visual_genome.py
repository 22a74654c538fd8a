"""Visual Genome files as pairs: boxes with phrases or names, photos in two folders."""

import pytest
from label_files import photo, write_json

from trainer.pairs import split_of
from trainer.readers import Report, open_pairs
from usearch.errors import InputError


def opened(path, **options):
    return list(open_pairs(path, **options))


def vg_photo(tmp_path, number=1, folder="VG_100K"):
    return photo(tmp_path / folder / f"{number}.jpg")


def test_visual_genome_phrases_are_texts_of_boxes(tmp_path):
    vg_photo(tmp_path)
    vg_photo(tmp_path, 2, "VG_100K_2")
    region = {"region_id": 5, "image_id": 1, "x": 3, "y": 4, "width": 10, "height": 12}
    data = [
        {
            "id": 1,
            "regions": [
                region | {"phrase": "a red\n cat"},
                region | {"phrase": "A Cat"},
                region | {"phrase": " ", "x": 20},
                region | {"phrase": "beyond", "x": -5, "width": 99},
            ],
        },
        {"id": 2, "regions": [region | {"phrase": "sky"}]},
    ]
    report = Report()
    first, second = opened(write_json(tmp_path / "region_descriptions.json", data), report=report)
    joined, beyond = first.segments
    assert (joined.kind, joined.box) == ("box", (3.0, 4.0, 13.0, 16.0))
    assert joined.texts == ("a red cat", "A Cat")
    assert joined.text_weights == (1.0, 1.0)
    assert beyond.box == (0.0, 4.0, 40.0, 16.0)
    assert report.left_out["blank texts"] == 1
    assert (first.id, second.id) == ("visual-genome-regions/1", "visual-genome-regions/2")
    assert "CC BY 4.0" in first.licence


def test_visual_genome_objects_have_names_and_photos_of_coco_keep_its_split(tmp_path):
    numbers = range(1, 60)
    for number in numbers:
        vg_photo(tmp_path, number)
    box = {"x": 1, "y": 2, "w": 5, "h": 6}
    data = [
        {"image_id": n, "objects": [box | {"names": ["cat", "kitten"], "synsets": ["cat.n.01"]}]}
        for n in numbers
    ]
    path = write_json(tmp_path / "objects.json", data)
    listed = [{"image_id": n, "coco_id": 1000 + n} for n in numbers]
    write_json(tmp_path / "image_data.json", listed)
    found = opened(path)
    assert found[0].segments[0].texts == ("cat", "kitten")
    assert found[0].segments[0].text_weights[1] < 1
    assert [p.split for p in found] == [split_of(f"{1000 + n:012d}") for n in numbers]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"id": 1, "regions": "x"}, "[1].regions: 'x' is no list"),
        ({"id": "?", "regions": []}, "[1].image_id: '?' is no whole number"),
        ({"id": 0, "regions": []}, "[1].image_id: 0 was used before"),
        ({"id": 9, "regions": []}, "[1]: there is no photo 9.jpg"),
        ({"id": 1, "regions": [{"x": "1", "phrase": "a"}]}, "[1].regions[0].x:"),
        ({"id": 1, "regions": [3]}, "[1].regions[0]: 3 is no object"),
        ({"id": 1}, "has neither 'regions' nor 'objects'"),
    ],
)
def test_what_is_wrong_with_visual_genome_is_named(tmp_path, entry, words):
    vg_photo(tmp_path, 0)
    vg_photo(tmp_path, 1)
    region = {"x": 1, "y": 2, "width": 5, "height": 6, "phrase": "a"}
    path = write_json(tmp_path / "vg.json", [{"id": 0, "regions": [region]}, entry])
    with pytest.raises(InputError) as error:
        opened(path)
    assert words in error.value.message
    assert len(opened(path, report=Report(skip_invalid=True))) == 1


def test_without_photos_visual_genome_says_where_it_looked(tmp_path):
    path = write_json(tmp_path / "vg.json", [{"id": 1, "regions": []}])
    with pytest.raises(InputError, match=r"no photos \(such as 1\.jpg\)") as error:
        opened(path)
    assert "VG_100K" in error.value.hint
