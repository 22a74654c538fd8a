"""Benchmarks are found in every layout that people have them in, and say what was read how."""

import dataset_files as files
import numpy as np
import pytest

from eval.datasets import MapSet, open_dataset, read_map
from eval.datasets.describe import describe, main
from usearch.errors import InputError, UsageError

CONTEXT_LISTS = {"VOC2010/ImageSets/Main/val.txt": "a\nb\n", "VOC2010/labels.txt": ""}
MMSEG_LIST = {"VOC2010/ImageSets/SegmentationContext/val.txt": "a\nb\n"}
VOC_LIST = {"VOC2012/ImageSets/Segmentation/val.txt": "a\nb\n"}

# data set, layout, photos, labels, end of label names, bits, values of a photo, their rows, lists
LAYOUTS = [
    ("ade150", "detectron2", "ADEChallengeData2016/images/validation",
     "ADEChallengeData2016/annotations_detectron2/validation", ".png", 8,
     [[0, 149, 255]], [[0, 149, None]], {}),
    ("ade150", "original", "ADEChallengeData2016/images/validation",
     "ADEChallengeData2016/annotations/validation", ".png", 8,
     [[0, 1, 150]], [[None, 0, 149]], {}),
    ("ade150", "flat", "images", "masks", ".png", 8, [[0, 1, 150]], [[None, 0, 149]], {}),
    ("ade847", "detectron2", "ADE20K_2021_17_01/images_detectron2/validation",
     "ADE20K_2021_17_01/annotations_detectron2/validation", ".tif", 16,
     [[0, 255, 846, 65535]], [[0, 255, 846, None]], {}),
    ("ade847", "original", "ADE20K_2021_17_01/images/ADE/validation/urban/street",
     "ADE20K_2021_17_01/images/ADE/validation/urban/street", "_seg.png", 24,
     [[2978, 312, 1857, 1180, 0]], [[0, 1, 255, None, None]], {}),
    ("ade847", "original-2016", "ADE20K_2016_07_26/images/validation/a/abbey",
     "ADE20K_2016_07_26/images/validation/a/abbey", "_seg.png", 24,
     [[2978, 0]], [[0, None]], {}),
    ("ade847", "flat", ".", ".", "_seg.png", 24, [[2978, 0]], [[0, None]], {}),
    ("pc59", "fc-clip", "pascal_ctx_d2/images/validation",
     "pascal_ctx_d2/annotations_ctx59/validation", ".png", 8,
     [[46, 28, 255]], [[46, 28, None]], {}),
    ("pc59", "detectron2", "VOC2010/JPEGImages", "VOC2010/annotations_detectron2/pc59_val", ".png",
     8, [[46, 28, 255]], [[46, 28, None]], {}),
    ("pc59", "maft+", "VOC2010/images", "VOC2010/annotations_detectron2_ovs/pc59_val", ".png", 8,
     [[46, 28, 255]], [[46, 28, None]], {}),
    ("pc59", "san", "pcontext/val/image", "pcontext/val/label", ".png", 8,
     [[46, 28, 255]], [[46, 28, None]], {}),
    ("pc59", "mmseg", "VOC2010/JPEGImages", "VOC2010/SegmentationClassContext", ".png", 8,
     [[0, 1, 59]], [[None, 0, 58]], MMSEG_LIST),
    ("pc59", "original", "VOC2010/JPEGImages", "VOC2010/trainval", ".mat", 0,
     [[0, 2, 458, 1]], [[None, 0, 58, None]], CONTEXT_LISTS),
    ("pc459", "fc-clip", "pascal_ctx_d2/images/validation",
     "pascal_ctx_d2/annotations_ctx459/validation", ".tif", 16,
     [[0, 255, 458, 65535]], [[0, 255, 458, None]], {}),
    ("pc459", "detectron2", "VOC2010/JPEGImages", "VOC2010/annotations_detectron2/pc459_val",
     ".tif", 16, [[0, 255, 458, 459]], [[0, 255, 458, None]], {}),
    ("pc459", "maft+", "VOC2010/images", "VOC2010/annotations_detectron2_ovs/pc459_val", ".tif", 16,
     [[0, 255, 458, 65535]], [[0, 255, 458, None]], {}),
    ("pc459", "san", "pcontext_full/val/image", "pcontext_full/val/label", ".tif", 16,
     [[0, 255, 458, 65535]], [[0, 255, 458, None]], {}),
    ("pc459", "original", "VOC2010/JPEGImages", "VOC2010/trainval", ".mat", 0,
     [[0, 1, 256, 459]], [[None, 0, 255, 458]], CONTEXT_LISTS),
    ("voc20", "fc-clip", "pascal_voc_d2/images/validation",
     "pascal_voc_d2/annotations_pascal20/validation", ".png", 8, [[0, 19, 255]], [[0, 19, None]],
     {}),
    ("voc20", "san", "VOC2012/images_detectron2/val", "VOC2012/annotations_detectron2/val", ".png",
     8, [[0, 19, 255]], [[0, 19, None]], {}),
    ("voc20", "detectron2", "VOC2012/JPEGImages", "VOC2012/annotations_detectron2/val", ".png", 8,
     [[0, 19, 255]], [[0, 19, None]], {}),
    ("voc20", "maft+", "VOC2012/images", "VOC2012/annotations_ovs/val", ".png", 8,
     [[0, 19, 255]], [[0, 19, None]], {}),
    ("voc20", "original", "VOC2012/JPEGImages", "VOC2012/SegmentationClass", ".png", 8,
     [[0, 1, 20, 255]], [[None, 0, 19, None]], VOC_LIST),
    ("voc21", "fc-clip", "pascal_voc_d2/images/validation",
     "pascal_voc_d2/annotations_pascal21/validation", ".png", 8, [[0, 20, 255]], [[0, 20, None]],
     {}),
    ("voc21", "original", "VOC2012/JPEGImages", "VOC2012/SegmentationClass", ".png", 8,
     [[0, 1, 20, 255]], [[0, 1, 20, None]], VOC_LIST),
    ("cocostuff", "detectron2", "coco/val2017", "coco/stuffthingmaps_detectron2/val2017", ".png", 8,
     [[0, 170, 11, 255]], [[0, 170, 11, None]], {}),
    ("cocostuff", "cat-seg", "coco-stuff/images/val2017",
     "coco-stuff/annotations_detectron2/val2017", ".png", 8,
     [[0, 170, 11, 255]], [[0, 170, 11, None]], {}),
    ("cocostuff", "mmseg", "coco_stuff164k/images/val2017", "coco_stuff164k/annotations/val2017",
     "_labelTrainIds.png", 8, [[0, 170, 11, 255]], [[0, 170, 11, None]], {}),
    ("cocostuff", "original", "coco/val2017", "coco/stuffthingmaps/val2017", ".png", 8,
     [[0, 12, 181, 255]], [[0, 11, 170, None]], {}),
    ("cocostuff", "pixelmaps", "coco-stuff/images/val2017", "coco-stuff/annotations/val2017",
     ".png", 8, [[0, 12, 181, 255]], [[0, 11, 170, None]], {}),
    ("cocostuff", "mmseg-10k", "coco_stuff10k/images/test2014",
     "coco_stuff10k/annotations/test2014", "_labelTrainIds.png", 8,
     [[0, 1, 171]], [[None, 0, 170]], {}),
]  # fmt: skip
NAMED = [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in LAYOUTS]


def write_case(root, images, folder, end, bits, raw, lists):
    files.write(root, images, folder, {"a": raw, "b": raw}, end, bits)
    for name, text in lists.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def depths(images):
    """Folders to give as --root: the set, and the one and two levels above it."""
    deep = 0 if images in (".", "images") else images.split("/")[0].count("/") + 1
    return ["."] if deep == 0 else [".", images.split("/")[0]]


@pytest.mark.parametrize(
    ("name", "layout", "images", "folder", "end", "bits", "raw", "expected", "lists"), NAMED
)
def test_every_layout_is_found_and_its_values_become_the_same_rows(
    tmp_path, name, layout, images, folder, end, bits, raw, expected, lists
):
    holder = tmp_path / "data" if images not in (".", "images") else tmp_path
    write_case(holder, images, folder, end, bits, raw, lists)
    for root in dict.fromkeys([tmp_path, *(holder / one for one in depths(images))]):
        found = open_dataset(name, root)
        assert isinstance(found, MapSet)
        assert [photo.path.name for photo in found.photos] == ["a.jpg", "b.jpg"]
        assert (found.found.layout, found.found.root) == (layout, root)
        assert read_map(found, found.photos[1]).tolist() == files.rows(expected)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ade150", 150),
        ("ade847", 847),
        ("pc59", 59),
        ("pc459", 459),
        ("voc20", 20),
        ("voc21", 21),
        ("cocostuff", 171),
    ],
)
def test_a_set_has_all_its_classes_by_name_whatever_occurs(tmp_path, name, count):
    case = next(case for case in LAYOUTS if case[0] == name)
    write_case(tmp_path, *case[2:7], case[8])
    found = open_dataset(name, tmp_path)
    assert len(found.names) == len(found.values) == count
    assert found.list_id.startswith(f"{name}/synonyms@")


def ade(root, raws, folder="annotations"):
    files.write(root, "images/validation", f"{folder}/validation", raws)


@pytest.mark.parametrize(
    ("folder", "raw", "expected"),
    [
        ("annotations", [[0, 255, 149]], [[0, None, 149]]),
        ("annotations_detectron2", [[0, 1, 150]], [[None, 0, 149]]),
    ],
)
def test_pixels_are_believed_where_the_folders_name_says_otherwise(tmp_path, folder, raw, expected):
    ade(tmp_path, {"a": raw}, folder)
    found = open_dataset("ade150", tmp_path)
    assert read_map(found, found.photos[0]).tolist() == files.rows(expected)
    assert any("the folder's name stands for" in note for note in found.found.notes)


def test_coco_ids_in_a_folder_of_train_ids_are_noticed(tmp_path):
    files.write(tmp_path, "val2017", "stuffthingmaps_detectron2/val2017", {"a": [[181, 91, 255]]})
    found = open_dataset("cocostuff", tmp_path)
    assert read_map(found, found.photos[0]).tolist() == files.rows([[170, 80, None]])


def test_generated_labels_are_preferred_and_the_others_are_named(tmp_path):
    ade(tmp_path, {"a": [[1, 150]]})
    ade(tmp_path, {"a": [[0, 149, 255]]}, "annotations_detectron2")
    found = open_dataset("ade150", tmp_path)
    assert found.found.layout == "detectron2"
    assert any("not taken: original" in note for note in found.found.notes)
    assert open_dataset("ade150", tmp_path, layout="original").found.layout == "original"


def test_of_two_years_of_voc_the_one_with_more_listed_photos_is_taken(tmp_path):
    for year, stems in (("VOC2007", ["a"]), ("VOC2012", ["a", "b"])):
        files.write(tmp_path / year, "JPEGImages", "SegmentationClass",
                    {stem: [[0, 20]] for stem in "abc"})  # fmt: skip
        listed = tmp_path / year / "ImageSets/Segmentation/val.txt"
        listed.parent.mkdir(parents=True)
        listed.write_text("".join(f"{stem}\n" for stem in stems))
    found = open_dataset("voc21", tmp_path)
    assert [photo.path.parent.parent.name for photo in found.photos] == ["VOC2012", "VOC2012"]


def test_listed_photos_without_labels_and_labels_without_photos_are_counted(tmp_path):
    files.write(tmp_path, "JPEGImages", "SegmentationClass", {"a": [[0]], "b": [[0]]})
    (tmp_path / "JPEGImages/b.jpg").unlink()
    listed = tmp_path / "ImageSets/Segmentation/val.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("a\nb\nc\n")
    found = open_dataset("voc20", tmp_path)
    assert len(found.photos) == 1
    notes = "\n".join(found.found.notes)
    assert "1 have no photo" in notes
    assert "first b" in notes
    assert "1 have no label file" in notes
    assert "first c" in notes


def test_a_partial_set_says_that_scores_are_not_comparable(tmp_path):
    ade(tmp_path, {"a": [[0, 1]]})
    found = open_dataset("ade150", tmp_path).found
    assert (found.photos, found.expected, found.complete) == (1, 2000, False)
    assert any("1 photos, ADE20K-150 has 2,000" in note for note in found.notes)


def test_train_photos_are_another_split(tmp_path):
    files.write(tmp_path, "images/training", "annotations/training", {"t": [[0, 1]]})
    assert open_dataset("ade150", tmp_path, split="train").found.expected == 20210
    with pytest.raises(InputError, match="validation"):
        open_dataset("ade150", tmp_path)


def test_names_of_the_set_itself_are_compared_with_ours(tmp_path):
    ade(tmp_path, {"a": [[0, 1]]})
    (tmp_path / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tName\n1\t0\t0\t0\tfence\n")
    notes = open_dataset("ade150", tmp_path).found.notes
    assert any("objectInfo150.txt differs from our list" in note for note in notes)


def test_an_empty_folder_says_what_was_looked_for_and_where_the_set_comes_from(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InputError) as caught:
        open_dataset("ade150", tmp_path)
    for part in ("ADE20K-150", str(tmp_path), "annotations/validation", "Found: only holiday"):
        assert part in caught.value.message
    assert "ADEChallengeData2016" in caught.value.hint


def test_an_archive_is_said_to_be_one(tmp_path):
    (tmp_path / "ADEChallengeData2016.zip").write_bytes(b"")
    with pytest.raises(InputError, match=r"ADEChallengeData2016\.zip, not unpacked"):
        open_dataset("ade150", tmp_path)


@pytest.mark.parametrize("part", ["images", "images/validation", "annotations"])
def test_a_part_of_a_set_as_root_names_the_whole(tmp_path, part):
    ade(tmp_path, {"a": [[0, 1]]})
    with pytest.raises(InputError, match="that is a part of it") as caught:
        open_dataset("ade150", tmp_path / part)
    assert str(tmp_path) in caught.value.hint


def test_names_of_files_may_end_in_capitals(tmp_path):
    files.write(tmp_path, "images/validation", "annotations/validation", {"a": [[0, 1]]}, ".PNG",
                suffix=".JPG")  # fmt: skip
    assert len(open_dataset("ade150", tmp_path).photos) == 1


def test_photos_without_their_labels_are_a_partial_set(tmp_path):
    files.photo(tmp_path / "ADE/images/validation/a.jpg")
    (tmp_path / "ADE/annotations/validation").mkdir(parents=True)
    with pytest.raises(InputError, match=r"Found: no \*\.png in .*annotations/validation"):
        open_dataset("ade150", tmp_path)


def test_labels_without_their_photos_are_a_partial_set(tmp_path):
    files.labels(tmp_path / "annotations/validation/a.png", [[0]])
    with pytest.raises(InputError, match=r"annotations/validation without images/validation"):
        open_dataset("ade150", tmp_path)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"name": "ade20k"}, "ade150"),
        ({"split": "test"}, "val, train"),
        ({"layout": "san"}, "detectron2"),
        ({"names": "mine"}, "synonyms"),
        ({"label_size": "big"}, "published"),
    ],
)
def test_unknown_choices_list_the_known_ones(tmp_path, options, hint):
    with pytest.raises(UsageError) as caught:
        open_dataset(**({"name": "ade150", "root": tmp_path} | options))
    assert hint in caught.value.hint


def test_a_missing_root_is_named(tmp_path):
    for name in ("ade150", "partimagenet"):
        with pytest.raises(InputError, match="no folder"):
            open_dataset(name, tmp_path / "gone")


def test_what_was_found_is_described_for_people(tmp_path, capsys):
    ade(tmp_path, {"a\u202e": [[0, 150]]})
    assert main(["ade150", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for part in ("layout original", "1 of 2,000", "150,", "ade150/synonyms@", "values 1 to 150"):
        assert part in out
    assert dict(describe(open_dataset("ade150", tmp_path)))["photos"] == "1 of 2,000"


def test_a_set_that_is_not_there_is_no_traceback(tmp_path, capsys):
    assert main(["voc20", str(tmp_path)]) == 3
    assert "no PASCAL VOC-20" in capsys.readouterr().err


def occurring(found, photos=None):
    """Rows of the classes that occur."""
    counts = np.zeros(65536, int)
    for photo in photos or found.photos:
        counts += np.bincount(read_map(found, photo).reshape(-1), minlength=65536)
    return set(np.flatnonzero(counts[:65535]).tolist())


def test_the_development_samples_are_read_as_their_description_states(shared):
    scenes = open_dataset("ade150", shared / "data/ade150")
    assert (len(scenes.photos), len(occurring(scenes))) == (17, 68)
    streets = open_dataset("ade847", shared / "data/ade-full", label_size="original")
    words = {streets.names[row][0] for row in occurring(streets, streets.photos[:1])}
    assert {"building", "sky", "car", "tree", "sidewalk"} <= words
    maps = open_dataset("cocostuff", shared / "data/coco-stuffmap8")
    assert len(occurring(maps)) == 69
