"""COCO label files as pairs: masks as pycocotools reads them, everything wrong is named."""

import io
import json

import numpy as np
import pytest
from label_files import block, instances, list_rle, photo, text_rle, write_coco, write_json
from PIL import Image
from pycocotools import mask as coco
from pycocotools.coco import COCO

from trainer.pairs import read_pairs, write_pairs
from trainer.readers import Report, open_pairs
from usearch.errors import InputError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools


def opened(path, **options):
    return list(open_pairs(path, **options))


def mask_of(photo, segment):
    return segment.mask(photo.height, photo.width)


def test_polygons_run_lengths_crowds_and_boxes_become_segments(tmp_path):
    first, second = opened(write_coco(tmp_path, instances()))
    cat, sky = first.segments
    assert (cat.kind, cat.texts, cat.weight) == ("object", ("cat",), 1.0)
    polygon = coco.decode(coco.frPyObjects([[10, 5, 25, 5, 25, 20, 10, 20]], 30, 40))[..., 0]
    np.testing.assert_array_equal(mask_of(first, cat), polygon.astype(bool))
    assert (sky.kind, sky.texts) == ("stuff", ("sky",))  # sky-other, as people say it
    np.testing.assert_array_equal(mask_of(first, sky), block(0, 0, 40, 4))
    crowd, box = second.segments
    assert crowd.kind == "stuff"  # a mask over many things of the name
    np.testing.assert_array_equal(mask_of(second, crowd), block(3, 3, 30, 9))
    assert (box.kind, box.box, box.rle) == ("box", (5.5, 6.0, 15.5, 18.0), None)
    assert box.weight < cat.weight


def test_photos_are_named_by_their_files_and_keep_bytes_and_terms(tmp_path):
    path = write_coco(tmp_path, instances())
    first, second = opened(path)
    assert [p.id for p in (first, second)] == ["coco-instances/001", "coco-instances/002"]
    assert first.jpeg == (tmp_path / "images" / "001.jpg").read_bytes()
    assert first.licence.startswith("photo CC BY-NC 2.0, http://creativecommons.org")
    assert [p.id for p in opened(path, name="mine")] == ["mine/001", "mine/002"]
    assert {p.split for p in opened(path, split="held")} == {"held"}


def test_the_same_photo_is_in_the_same_part_whatever_label_file_it_is_from(tmp_path):
    data = instances()
    data["images"] = [
        {"id": i, "file_name": f"{i:012d}.jpg", "width": 40, "height": 30} for i in range(1, 90)
    ]
    data["annotations"] = [
        {"image_id": i, "category_id": 7, "bbox": [1, 1, 9, 9]} for i in range(1, 90)
    ]
    captions = {**data, "annotations": [{"image_id": i, "caption": "a"} for i in range(1, 90)]}
    one = opened(write_coco(tmp_path, data))
    two = opened(write_json(tmp_path / "captions.json", captions))
    assert [p.split for p in one] == [p.split for p in two]
    assert {p.split for p in one} == {"train", "held"}
    assert not {p.id for p in one} & {p.id for p in two}


def test_captions_are_texts_of_the_whole_photo(tmp_path):
    data = instances()
    data["annotations"] = [
        {"image_id": 1, "caption": "A cat.\n"},
        {"image_id": 1, "caption": "a  cat under a sky"},
        {"image_id": 1, "caption": "  "},
        {"image_id": 2, "caption": ""},
    ]
    report = Report()
    (only,) = opened(write_coco(tmp_path, data, "captions_val2017.json"), report=report)
    assert [(s.kind, s.texts, s.box) for s in only.segments] == [
        ("caption", ("A cat.", "a cat under a sky"), (0.0, 0.0, 40.0, 30.0))
    ]
    assert report.left_out["blank texts"] == 2
    assert report.left_out["photos without segments"] == 1


def test_lvis_words_are_synonyms_and_its_addresses_name_photos(tmp_path):
    data = instances()
    data["images"] = [
        {"id": 1, "coco_url": "http://x.org/val2017/001.jpg", "width": 40, "height": 30}
    ]
    data["annotations"] = [{"image_id": 1, "category_id": 7, "bbox": [1, 1, 9, 9]}]
    data["categories"] = [
        {
            "id": 7,
            "name": "bow_(decorative_ribbons)",
            "synonyms": ["bow_(x)", "hair_bow", "bow-tie"],
        }
    ]
    photo(tmp_path / "images" / "001.jpg")
    (only,) = opened(write_json(tmp_path / "lvis.json", data))
    assert only.segments[0].texts == ("bow", "hair bow", "bow-tie")
    assert only.segments[0].text_weights[0] == 1.0 > only.segments[0].text_weights[1]


def test_names_that_say_nothing_and_photos_without_segments_are_left_out_and_counted(tmp_path):
    data = instances()
    data["categories"][1]["name"] = "other"
    data["annotations"] = data["annotations"][:2]
    report = Report()
    (only,) = opened(write_coco(tmp_path, data), report=report)
    assert len(only.segments) == 1
    assert report.left_out == {"segments named 'other'": 1, "photos without segments": 1}


def test_boxes_are_cut_at_the_border_and_boxes_beyond_it_are_left_out(tmp_path):
    data = instances()
    data["annotations"] = [
        {"image_id": 1, "category_id": 7, "bbox": box}
        for box in ([-4, -4, 10, 10], [30, 20, 99, 99], [41, 2, 5, 5], [3, 3, 0, 9], [1, 1, 0.5, 9])
    ]
    report = Report()
    (only,) = opened(write_coco(tmp_path, data), report=report)
    assert [s.box for s in only.segments] == [(0, 0, 6, 6), (30, 20, 40, 30)]
    assert report.left_out["boxes cut at the photo's border"] == 2
    assert report.left_out["boxes without a pixel of the photo"] == 3


def test_masks_without_a_pixel_are_left_out_and_counted(tmp_path):
    data = instances()
    data["annotations"][1]["segmentation"] = text_rle(np.zeros((30, 40), bool))
    data["annotations"][2]["segmentation"] = list_rle(np.zeros((30, 40), bool))
    report = Report()
    assert sum(len(p.segments) for p in opened(write_coco(tmp_path, data), report=report)) == 2
    assert report.left_out["empty masks"] == 2


WRONG = {
    "a mask of another size": (
        lambda d: d["annotations"][1].update(segmentation=text_rle(block(size=(31, 40)))),
        "annotations[1].segmentation: mask of size [31, 40] (height, width) in a photo of 40 x 30",
    ),
    "run lengths that do not fill": (
        lambda d: d["annotations"][2].update(segmentation={"size": [30, 40], "counts": [5, 6]}),
        "annotations[2].segmentation: mask run lengths sum to 11",
    ),
    "run lengths of odd bytes": (
        lambda d: d["annotations"][1].update(segmentation={"size": [30, 40], "counts": "a b"}),
        "annotations[1].segmentation: mask run lengths hold bytes",
    ),
    "a polygon of two points": (
        lambda d: d["annotations"][0].update(segmentation=[[1, 2, 3, 4]]),
        "annotations[0].segmentation: polygon [1, 2, 3, 4] is no list of at least three pairs",
    ),
    "a polygon with NaN": (
        lambda d: d["annotations"][0].update(segmentation=[[1, 2, 3, 4, float("nan"), 6]]),
        "annotations[0].segmentation: polygon",
    ),
    "a box with NaN": (
        lambda d: d["annotations"][3].update(bbox=[1, 2, float("nan"), 4]),
        "annotations[3].bbox:",
    ),
    "neither mask nor box": (
        lambda d: d["annotations"][3].pop("bbox"),
        "annotations[3].bbox: None is no box, and there is no segmentation",
    ),
    "an unknown class": (
        lambda d: d["annotations"][0].update(category_id=99),
        "annotations[0].category_id: there is no category with id 99",
    ),
    "an unknown photo": (
        lambda d: d["annotations"][0].update(image_id=99),
        "annotations[0].image_id: there is no image with id 99",
    ),
    "an id used twice": (
        lambda d: d["images"][1].update(id=1),
        "images[1].id: 1 was used before",
    ),
    "a class id used twice": (
        lambda d: d["categories"][1].update(id=7),
        "categories[1].id: 7 was used before",
    ),
    "a nameless class": (
        lambda d: d["categories"][0].update(name=" "),
        "categories[0].name: ' ' is no name",
    ),
    "a name that leads out": (
        lambda d: d["images"][0].update(file_name="../../etc/passwd"),
        "images[0]: file_name '../../etc/passwd' leads out of the folder",
    ),
    "a size of nonsense": (
        lambda d: d["images"][0].update(width=-3),
        "images[0]: width -3, height 30 is no size",
    ),
    "labels of a photo of another size": (
        lambda d: d["images"][0].update(width=80, height=60),
        "001.jpg has 40 x 30 pixels as it is shown, the labels are for 80 x 60",
    ),
    "an entry that is no object": (
        lambda d: d["annotations"].append(5),
        "annotations[4]: 5 is no object",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_file_entry_and_field(tmp_path, case):
    spoil, words = WRONG[case]
    data = instances()
    spoil(data)
    path = write_coco(tmp_path, data)
    with pytest.raises(InputError) as error:
        opened(path)
    told = error.value.message + error.value.excerpt
    assert words in told
    assert "instances.json" in told
    assert "--skip-invalid" in error.value.hint
    report = Report(skip_invalid=True)
    kept = opened(path, report=report)
    assert kept and report.n_problems >= 1
    assert any(words in line for line in report.problems)


def test_missing_photos_are_named_and_can_be_skipped(tmp_path):
    path = write_coco(tmp_path, instances())
    (tmp_path / "images" / "002.jpg").unlink()
    with pytest.raises(InputError, match=r"images\[1\]\.file_name: there is no photo 002\.jpg"):
        opened(path)
    report = Report(skip_invalid=True)
    assert [p.id for p in opened(path, report=report)] == ["coco-instances/001"]
    assert report.n_problems == 1


def test_many_problems_are_counted_and_the_first_are_shown(tmp_path):
    data = instances()
    data["annotations"] += [{"image_id": 1, "category_id": 99, "bbox": [1, 1, 5, 5]}] * 100
    path = write_coco(tmp_path, data)
    with pytest.raises(InputError) as error:
        opened(path)
    assert "and 19 more problems, and reading ended there" in error.value.message
    assert len(error.value.excerpt.splitlines()) == 19
    report = Report(skip_invalid=True)
    opened(path, report=report)
    assert report.n_problems == 100 and len(report.problems) == 20


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as json"),
        (b'{"images": [', "cannot be read as json"),
        (b'{"images": [{}], "annotations"', "cannot be read as json"),
        (b"\xff\xfe\x00", "cannot be read as json"),
        (b"3", "neither a list nor an object"),
        (b'{"images": [], "categories": []}', "no lists 'images' and 'annotations'"),
        (b'{"images": [], "annotations": [], "categories": []}', "gives no pairs"),
        (b'{"images": ' + b"[" * 100_000, "cannot be read as json"),
    ],
)
def test_files_that_are_no_labels_are_refused_in_a_line(tmp_path, content, words):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words.replace("'", ".")):
        opened(path)


def test_photos_are_looked_for_beside_the_labels_or_where_it_is_said(tmp_path):
    data = instances()
    path = write_json(tmp_path / "annotations" / "instances_train2017.json", data)
    for i in (1, 2):
        photo(tmp_path / "train2017" / f"00{i}.jpg")
    assert len(opened(path)) == 2
    (tmp_path / "train2017").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"001\.jpg lies in none of") as error:
        opened(path)
    assert "--images" in error.value.hint
    assert len(opened(path, images=tmp_path / "elsewhere")) == 2
    with pytest.raises(InputError, match="there is no folder"):
        opened(path, images=tmp_path / "nowhere")


def test_damaged_photos_are_problems(tmp_path):
    path = write_coco(tmp_path, instances())
    whole = (tmp_path / "images" / "001.jpg").read_bytes()
    (tmp_path / "images" / "001.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "images" / "002.jpg").write_text("<html>")
    report = Report(skip_invalid=True)
    with pytest.raises(InputError, match=r"gives no pairs: .*2 wrong entries"):
        opened(path, report=report)
    assert "ends too early" in report.problems[0] and "web page" in report.problems[1]


def test_photos_that_are_turned_by_exif_are_stored_upright(tmp_path):
    data = instances()
    path = write_coco(tmp_path, data)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees: stored 30 wide, 40 high
    photo(tmp_path / "images" / "001.jpg", 30, 40, exif=exif, quality=95)
    first = opened(path)[0]
    assert (first.width, first.height) == (40, 30)
    with Image.open(io.BytesIO(first.jpeg)) as stored:
        assert stored.size == (40, 30) and not stored.getexif()
    assert first.pixels().shape == (30, 40, 3)


def test_photos_that_are_no_jpeg_become_one(tmp_path):
    data = instances()
    data["images"][0]["file_name"] = "001.png"
    path = write_coco(tmp_path, data)
    first = opened(path)[0]
    assert first.jpeg.startswith(b"\xff\xd8")
    with Image.open(tmp_path / "images" / "001.png") as picture:
        apart = np.abs(first.pixels().astype(int) - np.asarray(picture.convert("RGB"), int))
    assert apart.mean() < 4


def test_larger_photos_are_reduced_with_their_masks(tmp_path):
    data = instances()
    first, second = opened(write_coco(tmp_path, data), max_side=20)
    assert (first.width, first.height) == (20, 15)
    assert first.pixels().shape == (15, 20, 3)
    np.testing.assert_array_equal(mask_of(first, first.segments[1]), block(0, 0, 20, 2, (15, 20)))
    assert second.segments[1].box == (2.75, 3.0, 7.75, 9.0)


def test_paths_are_kept_instead_of_bytes(tmp_path):
    path = write_coco(tmp_path / "set", instances())
    photos = opened(path, paths=True)
    assert photos[0].jpeg == b"" and photos[0].path.endswith("001.jpg")
    write_pairs(photos, tmp_path / "set" / "pairs.parquet")
    assert (tmp_path / "set" / "pairs.parquet").stat().st_size < 20_000
    (tmp_path / "set").rename(tmp_path / "moved")  # pairs and photos move together
    (back, _) = read_pairs(tmp_path / "moved" / "pairs.parquet")
    with Image.open(tmp_path / "moved" / "images" / "001.jpg") as picture:
        np.testing.assert_array_equal(back.pixels(), np.asarray(picture.convert("RGB")))
    photo(tmp_path / "moved" / "images" / "001.jpg", 60, 30)
    with pytest.raises(InputError, match="60 x 30 pixels, its pairs are for 40 x 30"):
        back.pixels()
    (tmp_path / "moved" / "images" / "001.jpg").unlink()
    with pytest.raises(InputError, match="photo coco-instances/001, path"):
        back.pixels()
    with pytest.raises(UsageError, match="exclude each other"):
        opened(tmp_path / "moved" / "instances.json", paths=True, max_side=20)


def test_what_is_written_is_read_back(tmp_path):
    photos = opened(write_coco(tmp_path, instances()))
    assert write_pairs(photos, tmp_path / "p.parquet") == 2
    assert list(open_pairs(tmp_path / "p.parquet")) == photos


@pytest.mark.parametrize("name", ["coco-captions80", "lvis7"])
def test_real_masks_are_those_of_pycocotools(shared, name, capsys):
    path = shared / "data" / name / "annotations.json"
    judge = COCO(path)
    capsys.readouterr()
    with path.open() as file:
        listed = [image["id"] for image in json.load(file)["images"]]
    for image_id, found in list(zip(listed, open_pairs(path), strict=True))[:12]:
        wanted = [judge.annToMask(a).astype(bool) for a in judge.imgToAnns[image_id]]
        assert len(wanted) == len(found.segments)
        for mask, segment in zip(wanted, found.segments, strict=True):
            np.testing.assert_array_equal(mask_of(found, segment), mask)
