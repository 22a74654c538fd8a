"""`usearch segment`: maps whose values are classes, beside their names, never over a photo."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import toy_preset
from PIL import Image

from usearch.cli import main
from usearch.schemas import schema


@pytest.fixture
def classes(tmp_path, monkeypatch):
    toy_preset.install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "list.txt"
    path.write_text("red\ngreen, lime green\n\nblue\nwhite\n")
    return path


@pytest.fixture
def photo(tmp_path):
    return toy_preset.quarters(tmp_path / "in" / "a.png", "red", "green", "blue", "white")


def pixels(path):
    """Values of a picture file."""
    with Image.open(path) as picture:
        return np.asarray(picture)


def segmented(capsys, classes, *words):
    code = main(["segment", *map(str, words), "--classes", str(classes)])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_the_value_of_a_pixel_is_its_class_in_the_list_from_0(photo, classes, capsys):
    assert segmented(capsys, classes, photo, "-o", "maps")[0] == 0
    with Image.open("maps/a.png") as picture:
        assert (picture.mode, picture.size) == ("P", (40, 40))
    labels = pixels("maps/a.png")
    np.testing.assert_array_equal(labels[::20, ::20], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(labels, labels[::20, ::20].repeat(20, 0).repeat(20, 1))


def test_the_names_beside_it_number_the_values(photo, classes, capsys):
    segmented(capsys, classes, photo, "-o", "maps")
    assert Path("maps/classes.txt").read_text().split("\n") == ["red", "green", "blue", "white", ""]


def test_the_overlay_has_the_photo_and_a_legend(photo, classes, capsys):
    segmented(capsys, classes, photo, "-o", "maps")
    height, width, channels = pixels("maps/a-overlay.png").shape
    assert (height, channels) == (40, 3)
    assert width > 40


def test_without_overlay_there_is_only_the_map(photo, classes, capsys):
    segmented(capsys, classes, photo, "-o", "maps", "--no-overlay")
    assert sorted(os.listdir("maps")) == ["a.png", "classes.txt"]


def test_a_map_has_the_size_of_the_photo_as_shown(tmp_path, classes, capsys):
    tall = Image.fromarray(np.full((60, 200, 3), (255, 0, 0), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    tall.save(tmp_path / "turned.jpg", exif=exif)
    segmented(capsys, classes, "turned.jpg", "-o", "maps", "--max-side", "64")
    assert pixels("maps/turned.png").shape == (200, 60)
    assert len(pixels("maps/turned-overlay.png")) == 64


def test_a_line_a_photo_with_its_map_and_the_share_of_each_class(photo, classes, capsys):
    _, out, err = segmented(capsys, classes, photo, "-o", "maps")
    assert out == "in/a.png\tmaps/a.png\tred=0.2500,green=0.2500,blue=0.2500,white=0.2500\n"
    assert "are in maps" in err


def test_json_is_one_object_with_all_photos(photo, classes, capsys):
    code, out, _ = segmented(capsys, classes, photo, "-o", "maps", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["schema_version"] == 1
    [image] = document["images"]
    assert image["status"] == "ok"
    assert image["photo_size"] == {"width": 40, "height": 40}
    assert (image["segments"], image["covered_share"]) == (4, 1.0)
    green = image["classes"][1]
    assert (green["value"], green["name"], green["share"]) == (1, "green", 0.25)
    assert green["segments"] == 1
    assert 0 < green["score"] <= 1
    assert document["list"][1]["names"] == ["green", "lime green"]
    assert document["values"] == {"no_class": 255, "unknown": 254, "background": 253}
    jsonschema.validate(document, schema("segment"))
    assert pixels(image["map"]).shape == (40, 40)


def test_a_terminal_gets_the_largest_shares(photo, classes, capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.segment_output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = segmented(capsys, classes, photo, "-o", "maps")
    assert [line.split()[:3] for line in out.splitlines() if "25" in line] == [
        [name, "25", "%"] for name in ("red", "green", "blue", "white")
    ]
    toy_preset.quarters(photo.parent / "b.png", "red", "red", "red", "red")
    _, out, _ = segmented(capsys, classes, photo.parent, "-o", "maps")
    assert "a.png  red 25 %  green 25 %" in out
    assert "b.png  red 100 %" in out


def test_a_folder_stands_for_its_photos(photo, classes, capsys):
    toy_preset.quarters(photo.parent / "sub" / "b.png", "red", "red", "red", "red")
    assert segmented(capsys, classes, photo.parent, "-o", "maps", "--no-overlay")[0] == 0
    assert sorted(os.listdir("maps")) == ["a.png", "b.png", "classes.txt"]


def test_photos_of_one_name_get_maps_of_their_own(photo, classes, capsys):
    other = toy_preset.quarters(photo.parent / "sub" / "A.png", "white", "red", "red", "red")
    _, out, _ = segmented(capsys, classes, photo, other, "-o", "maps", "--json")
    maps = [image["map"] for image in json.loads(out)["images"]]
    assert maps == ["maps/a.png", "maps/A-2.png"]
    assert [pixels(m)[0, 0] for m in maps] == [0, 3]


def test_a_photo_called_like_an_overlay_keeps_its_map(photo, classes, capsys):
    other = toy_preset.quarters(photo.parent / "a-overlay.png", "white", "red", "red", "red")
    _, out, _ = segmented(capsys, classes, photo, other, "-o", "maps", "--json")
    files = [image[key] for image in json.loads(out)["images"] for key in ("map", "overlay")]
    assert len(set(files)) == 4


def test_photos_and_class_files_are_never_written_over(photo, classes, capsys):
    beside = photo.parent / "classes.txt"
    beside.write_text("red, scarlet\ngreen\n")
    before = photo.read_bytes()
    _, out, _ = segmented(capsys, beside, photo, "-o", photo.parent, "--json")
    assert photo.read_bytes() == before
    assert beside.read_text() == "red, scarlet\ngreen\n"
    document = json.loads(out)
    assert document["images"][0]["map"].endswith("a-2.png")
    assert document["classes"].endswith("classes-2.txt")


def test_more_than_253_classes_give_a_16_bit_map(photo, classes, capsys):
    classes.write_text("".join(f"thing{chr(97 + i // 26)}{chr(97 + i % 26)}\n" for i in range(299)))
    classes.write_text(classes.read_text() + "red\n")
    segmented(capsys, classes, photo, "-o", "maps")
    labels = pixels("maps/a.png")
    assert labels.dtype == np.uint16
    assert labels[0, 0] == 299


def test_a_photo_that_cannot_be_read_is_skipped_with_the_reason(photo, classes, capsys):
    broken = photo.parent / "broken\x1b.jpg"
    broken.write_bytes(b"no photo")
    code, out, err = segmented(capsys, classes, broken, photo, "-o", "maps")
    assert code == 0
    assert len(out.splitlines()) == 1
    assert r"broken\x1b.jpg" in err
    assert "1 of 2 photos skipped" in err
    code, out, _ = segmented(capsys, classes, broken, photo, "-o", "maps", "--json", "--strict")
    assert code == 3
    assert [image["status"] for image in json.loads(out)["images"]] == ["not_an_image", "ok"]


def test_no_photo_that_can_be_read_ends_with_3(tmp_path, classes, capsys):
    (tmp_path / "empty.jpg").write_bytes(b"")
    code, out, err = segmented(capsys, classes, "empty.jpg", "-o", "maps")
    assert (code, out) == (3, "")
    assert "no bytes" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere.jpg", "-o", "maps"], 3, "nowhere.jpg"),
        (["in/a.png", "-o", "list.txt"], 3, "cannot write list.txt"),
        (["in/a.png", "-o", "maps", "--max-side", "3"], 2, "at least 32"),
        (["none", "-o", "maps"], 3, "no photo was found"),
        ([], 2, "no photo is named"),
        (["in/a.png", "--where", "area > 1%"], 2, "--from-store"),
        (["in/a.png", "--unknown", "1.5"], 2, "between 0 and 1"),
        (["in/a.png", "--class", "red"], 2, "two lists"),
        (["in/a.png", "--background", "RED"], 2, "a class and background"),
        (["in/a.png", "--background", "wood > plank"], 2, "no parts"),
        (["in/a.png", "--background", " "], 2, "--background is empty"),
        (["in/a.png", "--shares", "shares.xls"], 2, ".parquet"),
        (["in/a.png", "--shares", "list.txt"], 3, "list.txt exists"),
        (["in/a.png", "--coco", "in/a.png", "--force"], 2, "in/a.png is an input"),
        (["in/a.png", "--coco", "a.json", "--shares", "A.json"], 2, "named twice"),
        (["in/a.png", "--coco", "none"], 3, "none is a folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_model_loads(
    words, code, message, photo, classes, capsys, monkeypatch
):
    def too_late(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("indexer.presets.load_indexer", too_late)
    os.mkdir("none")
    found, out, err = segmented(capsys, classes, *words)
    assert (found, out) == (code, "")
    assert message in err


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", 3, "no class"),
        (b"caf\xe9\n", 3, "offset 3"),
        (b"\0\0", 3, "zero byte"),
        (b"a\na\n", 2, "line 2"),
    ],
)
def test_a_class_file_that_makes_no_sense_is_refused(
    content, code, message, photo, classes, capsys
):
    classes.write_bytes(content)
    found, _, err = segmented(capsys, classes, photo, "-o", "maps")
    assert found == code
    assert message in err


def test_a_missing_class_file_ends_with_3(photo, classes, capsys):
    code, _, err = segmented(capsys, "nothing.txt", photo, "-o", "maps")
    assert code == 3
    assert "nothing.txt" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_ends_with_3(photo, classes, capsys, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = segmented(capsys, classes, photo, "-o", "locked")
    assert code == 3
    assert "cannot write" in err


def test_a_name_as_long_as_file_systems_allow_gets_a_map(tmp_path: Path) -> None:
    from usearch.render.class_files import map_files

    photos = [tmp_path / f"{'ä' * 120}-{i}.jpg" for i in range(2)]
    files = map_files(photos, tmp_path / "maps")
    names = [path.name for pair in files for path in (pair.map, pair.overlay)]
    assert len(set(names)) == 4
    assert all(len(name.encode()) <= 255 for name in names)
