"""Panoptic PNGs and folders of index PNGs: values become segments, nothing is guessed silently."""

import json

import numpy as np
import pytest
from label_files import HEIGHT, WIDTH, block, instances, photo, write_coco
from PIL import Image

from trainer.readers import Report, open_pairs
from usearch.errors import InputError


def opened(path, **options):
    return list(open_pairs(path, **options))


def masks_of(photo):
    return {s.texts[0]: s.mask(photo.height, photo.width) for s in photo.segments}


def panoptic(folder, **changes):
    """One photo: a cat (id 1), sky (id 70000) and a crowd of cats (id 300)."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint32)
    ids[block()] = 1
    ids[block(0, 0, 40, 4)] = 70000
    ids[block(0, 25, 40, 30)] = 300
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], 2).astype(np.uint8)
    (folder / "panoptic").mkdir(parents=True)
    Image.fromarray(colours).save(folder / "panoptic" / "001.png")
    data = instances()
    data["images"] = data["images"][:1]
    entry = {
        "image_id": 1,
        "file_name": "001.png",
        "segments_info": [
            {"id": 1, "category_id": 7},
            {"id": 70000, "category_id": 9},
            {"id": 300, "category_id": 7, "iscrowd": 1},
        ],
    }
    data["annotations"] = [entry | changes]
    return write_coco(folder, data, "panoptic.json")


def test_panoptic_colours_are_segments(tmp_path):
    (only,) = opened(panoptic(tmp_path))
    assert [(s.kind, s.texts) for s in only.segments] == [
        ("object", ("cat",)),
        ("stuff", ("sky",)),
        ("stuff", ("cat",)),
    ]
    np.testing.assert_array_equal(only.segments[0].mask(30, 40), block())
    np.testing.assert_array_equal(only.segments[2].mask(30, 40), block(0, 25, 40, 30))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file_name": "nowhere.png"}, "no PNG"),
        ({"segments_info": None}, "None is no list of segments"),
        ({"segments_info": [{"id": 5, "category_id": 7}]}, "segments_info[0].id: 5 is not in"),
        (
            {"segments_info": [{"id": 1, "category_id": 7}]},
            "001.png has the id 300 and 1 more, which the json lacks",
        ),
    ],
)
def test_what_is_wrong_with_panoptic_labels_is_named(tmp_path, changes, words):
    with pytest.raises(InputError) as error:
        opened(panoptic(tmp_path, **changes))
    assert words in error.value.message + error.value.excerpt or "lies in none of" in str(
        error.value
    )


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (Image.new("RGB", (80, 60)), "has 80 x 60 pixels, its photo 40 x 30"),
        (Image.new("P", (40, 30)), "holds no 8-bit colours (its mode is P)"),
        (Image.new("I;16", (40, 30)), "holds no 8-bit colours"),
    ],
)
def test_panoptic_pngs_of_another_size_or_make_are_refused(tmp_path, picture, words):
    path = panoptic(tmp_path)
    picture.save(tmp_path / "panoptic" / "001.png")
    with pytest.raises(InputError) as error:
        opened(path)
    assert words in error.value.message


def test_real_panoptic_areas_are_those_of_the_labels(shared):
    path = shared / "data" / "coco-panoptic4" / "panoptic.json"
    listed = json.loads(path.read_text())
    areas = {a["image_id"]: [s["area"] for s in a["segments_info"]] for a in listed["annotations"]}
    for image, found in zip(listed["images"], open_pairs(path), strict=True):
        ours = [int(s.mask(found.height, found.width).sum()) for s in found.segments]
        assert ours == areas[image["id"]]


def labelled(folder, values, names=("wall", "floor", "sky"), name="a"):
    """A folder of one photo and its index PNG."""
    photo(folder / "images" / f"{name}.jpg")
    (folder / "masks").mkdir(exist_ok=True)
    picture = values if isinstance(values, Image.Image) else Image.fromarray(values)
    picture.save(folder / "masks" / f"{name}.png")
    (folder / "classes.txt").write_text("\n".join(names) + "\n")
    return folder


def values(*blocks, dtype=np.uint8):
    out = np.zeros((HEIGHT, WIDTH), dtype)
    for value, mask in blocks:
        out[mask] = value
    return out


def test_all_pixels_of_a_class_are_a_segment(tmp_path):
    folder = labelled(
        tmp_path, values((1, block()), (2, block(0, 25, 40, 30)), (255, block(0, 0, 3, 3)))
    )
    report = Report()
    (only,) = opened(folder, first_index=0, report=report)
    found = masks_of(only)
    assert set(found) == {"wall", "floor", "sky"}
    np.testing.assert_array_equal(found["floor"], block())
    assert not found["wall"][:3, :3].any()  # 255 is no class
    assert {s.kind for s in only.segments} == {"stuff"}
    assert "value 0 is 'wall', 2 is 'sky'" in report.understood[0]
    (only,) = opened(folder, first_index=1)
    np.testing.assert_array_equal(masks_of(only)["wall"], block())


def test_which_value_is_the_first_class_is_never_guessed(tmp_path):
    folder = labelled(tmp_path, values((1, block()), (2, block(0, 25, 40, 30))))
    with pytest.raises(InputError, match="nothing says which value is the first") as error:
        opened(folder)
    assert "values 0, 1, 2" in error.value.message
    assert "--first-index 0 if pixels of 'wall' are 0" in error.value.hint


def test_a_list_that_begins_with_background_says_it(tmp_path):
    folder = labelled(tmp_path, values((1, block())), ("background", "cat"))
    report = Report()
    (only,) = opened(folder, report=report)
    assert [s.texts for s in only.segments] == [("cat",)]
    assert report.left_out["segments named 'background'"] == 1


def test_values_beyond_8_bits_are_read_as_they_are(tmp_path):
    names = [f"class {i}" for i in range(301)]
    folder = labelled(tmp_path, values((300, block()), (65535, ~block()), dtype=np.uint16), names)
    (only,) = opened(folder, first_index=0)
    assert [s.texts for s in only.segments] == [("class 300",)]
    np.testing.assert_array_equal(only.segments[0].mask(30, 40), block())


def test_of_palette_pngs_the_places_count_and_not_the_colours(tmp_path):
    picture = Image.fromarray(values((2, block())))
    picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    assert picture.mode == "P"
    (only,) = opened(labelled(tmp_path, picture), first_index=0)
    np.testing.assert_array_equal(masks_of(only)["sky"], block())


def test_grey_saved_as_colours_is_read_and_colours_are_refused(tmp_path):
    grey = np.repeat(values((1, block()))[..., None], 3, 2)
    (only,) = opened(labelled(tmp_path / "grey", grey), first_index=0)
    np.testing.assert_array_equal(masks_of(only)["floor"], block())
    colours = grey.copy()
    colours[..., 0] = 9
    with pytest.raises(InputError, match=r"a\.png: holds colours, not class values"):
        opened(labelled(tmp_path / "colours", colours), first_index=0)


def test_masks_of_black_and_white_are_two_values(tmp_path):
    folder = labelled(tmp_path, Image.fromarray(block()), ("cat",))
    (only,) = opened(folder, first_index=1)
    np.testing.assert_array_equal(masks_of(only)["cat"], block())


def test_ignored_values_are_no_class(tmp_path):
    folder = labelled(tmp_path, values((1, block()), (2, block(0, 25, 40, 30))))
    (only,) = opened(folder, first_index=0, ignore=(0, 2))
    assert [s.texts[0] for s in only.segments] == ["floor"]


def test_off_size_masks_and_photos_without_masks_are_named(tmp_path):
    folder = labelled(tmp_path, values((1, block())))
    labelled(folder, np.ones((60, 80), np.uint8), name="b")
    photo(folder / "images" / "c.jpg")
    with pytest.raises(InputError) as error:
        opened(folder, first_index=0)
    told = error.value.message + error.value.excerpt
    assert "c.jpg: it has no mask" in told
    assert "b.png" in told and "40 x 30 pixels as it is shown, the labels are for 80 x 60" in told
    report = Report(skip_invalid=True)
    assert [p.id for p in opened(folder, first_index=0, name="x", report=report)] == ["x/a"]
    assert report.n_problems == 2


def test_photos_and_masks_are_paired_by_their_place_then_by_their_name(tmp_path):
    folder = labelled(tmp_path, values((1, block())))
    for part in ("train", "val"):
        photo(folder / "images" / part / "x.jpg")
        (folder / "masks" / part).mkdir()
        value = 1 if part == "train" else 2
        Image.fromarray(values((value, block()))).save(folder / "masks" / part / "x.png")
    found = {p.id: p for p in opened(folder, first_index=0, ignore=(0,), name="n")}
    assert set(found) == {"n/a", "n/train/x", "n/val/x"}
    assert found["n/train/x"].segments[0].texts == ("floor",)
    assert found["n/val/x"].segments[0].texts == ("sky",)


def test_synonyms_of_a_line_are_texts_and_two_classes_may_share_one(tmp_path):
    names = ("screen, monitor", "# furniture", "table", "projection, screen")
    folder = labelled(tmp_path, values((1, block()), (2, block(0, 25, 40, 30))), names)
    (only,) = opened(folder, first_index=0)
    assert [s.texts for s in only.segments] == [
        ("screen", "monitor"),
        ("table",),
        ("projection", "screen"),
    ]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "classes.txt").unlink(), "no class list"),
        (lambda f: (f / "classes.txt").write_text("\n\n"), "names no class"),
        (lambda f: (f / "masks").rename(f / "other"), "no folder of mask PNGs"),
        (
            lambda f: (f / "images" / "a.jpg").rename(f / "images" / "z.jpg"),
            "has a mask of the same",
        ),
    ],
)
def test_what_a_folder_lacks_is_said(tmp_path, spoil, words):
    folder = labelled(tmp_path, values((1, block())))
    spoil(folder)
    with pytest.raises(InputError) as error:
        opened(folder, first_index=0, form="folder")
    assert words in error.value.message


def test_folders_anywhere_are_named_by_options(tmp_path):
    folder = labelled(tmp_path / "here", values((1, block())))
    moved = {
        "images": (folder / "images").rename(tmp_path / "p"),
        "masks": (folder / "masks").rename(tmp_path / "m"),
        "classes": (folder / "classes.txt").rename(tmp_path / "c"),
    }
    assert len(opened(tmp_path / "p", first_index=0, **moved)) == 1
