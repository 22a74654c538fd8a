"""`usearch segment`: lists on the command line, what is no class, tables, COCO, stored photos."""

from __future__ import annotations

import csv
import io
import json
import os
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
import toy_preset
from PIL import Image
from toys import GridSegmenter, load_toys

from indexer.pipeline import index_photos
from usearch import masks
from usearch.cli import main
from usearch.records import Segments
from usearch.schemas import schema


@pytest.fixture
def photos(tmp_path, monkeypatch):
    toy_preset.install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    toy_preset.quarters(tmp_path / "in" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "in" / "b.png", "red", "red", "green", "black")
    return tmp_path / "in"


@pytest.fixture
def store(photos):
    """The photos indexed; then they are gone."""
    index_photos([photos], photos.parent / ".usearch", load_toys, preset="mini", workers=0)
    for photo in photos.iterdir():
        photo.unlink()
    return photos.parent / ".usearch"


def run(capsys, *words):
    code = main(["segment", *map(str, words)])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def quarters_of(path):
    """Values of the four tiles: top left, top right, bottom left, bottom right."""
    return pixels(path)[::20, ::20].ravel().tolist()


class Holes(GridSegmenter):
    """Leaves the right half of a photo without a segment."""

    def segment(self, image) -> Segments:
        height, width = image.shape[:2]
        left = np.zeros((height, width), bool)
        left[: height // 2, : width // 2] = True
        return masks.segments_from_masks([left, left[::-1]], [1.0, 1.0])


@pytest.fixture
def holes(monkeypatch):
    embedder = load_toys()[1]
    monkeypatch.setattr("indexer.presets.load_indexer", lambda *_, **__: (Holes(), embedder))


def test_classes_are_named_on_the_command_line(photos, capsys):
    names = ["--class", "black, green", "--class", "red", "--class", "#white"]
    assert run(capsys, "in/a.png", *names, "-o", "maps")[0] == 0
    assert quarters_of("maps/a.png") == [1, 0, 0, 2]
    assert Path("maps/classes.txt").read_text() == "black\nred\n#white\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no class is named"),
        (["--class", "red", "--class", "blue, RED"], "--class: 'RED' stands in no. 1 and in no. 2"),
        (["--class", ""], "--class is empty"),
        (["--class", "red,"], "--class, no. 1: there is an empty name"),
        (["--classes", "red,green"], "there is no class file red,green"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(words, message, photos, capsys):
    code, out, err = run(capsys, "in/a.png", *words)
    assert code in (2, 3)
    assert out == ""
    assert message in err


def test_what_a_contrast_class_wins_is_background(photos, capsys):
    words = ["--class", "red", "--class", "green", "--background", "blue, black"]
    _, out, _ = run(capsys, "in/a.png", *words, "--background", "white", "-o", "maps")
    assert quarters_of("maps/a.png") == [0, 1, 253, 253]
    assert out == "in/a.png\tmaps/a.png\tred=0.2500,green=0.2500,background=0.5000\n"


def test_what_no_class_explains_is_unknown_below_a_threshold(photos, capsys):
    words = ["in/a.png", "--class", "red", "--class", "green", "-o", "maps", "--json"]
    # White is as near to both; against the everyday words of the preset it is neither.
    assert run(capsys, *words)[0] == 0
    assert 254 not in quarters_of("maps/a.png")
    _, out, _ = run(capsys, *words, "--unknown", "0.4")
    [image] = json.loads(out)["images"]
    assert quarters_of("maps/a.png") == [0, 1, 254, 254]
    assert image["unknown_share"] == 0.5
    assert image["covered_share"] == 1.0
    assert [one["name"] for one in image["classes"] if one["share"]] == ["red", "green"]
    with Image.open("maps/a.png") as picture:
        palette = np.array(picture.getpalette()).reshape(-1, 3)
    assert len({tuple(colour) for colour in palette[[0, 1, 253, 254, 255]]}) == 5


def test_pixels_that_no_segment_covers_are_named_by_the_picture_there(photos, holes, capsys):
    words = ["in/a.png", "--class", "red", "--class", "green", "--class", "blue", "--class",
             "white", "-o", "maps", "--json"]  # fmt: skip
    _, out, err = run(capsys, *words)
    [image] = json.loads(out)["images"]
    assert quarters_of("maps/a.png") == [0, 1, 2, 3]
    assert (image["covered_share"], image["filled_share"]) == (0.5, 0.5)
    assert image["segments"] == 2
    assert "no segment covers 50.0%" in err
    _, out, _ = run(capsys, *words, "--no-fill")
    [image] = json.loads(out)["images"]
    assert quarters_of("maps/a.png") == [0, 255, 2, 255]
    assert (image["filled_share"], image["no_class_share"]) == (0.0, 0.5)


def test_a_table_of_shares_in_each_format(photos, capsys):
    words = ["in", "--class", "red", "--class", "image", "--class", "green", "--unknown", "0.4"]
    for ending in ("csv", "json", "parquet"):
        assert run(capsys, *words, "--shares", f"out/s.{ending}")[0] == 0
    rows = list(csv.reader(Path("out/s.csv").read_text().splitlines()))
    assert rows[0][:2] == ["image", "photo"]
    assert rows[0][-3:] == ["red", "image (class)", "green"]
    told = [[Path(row[0]).name, float(row[-3]), float(row[-1])] for row in rows[1:]]
    assert told == [["a.png", 0.25, 0.25], ["b.png", 0.5, 0.25]]
    table = pq.read_table("out/s.parquet")
    assert table.column_names == rows[0]
    assert table["red"].to_pylist() == [0.25, 0.5]
    # White is near the grey of a word without a colour; blue and black are near nothing.
    assert table["image (class)"].to_pylist() == [0.25, 0.0]
    assert table["unknown"].to_pylist() == [0.25, 0.25]
    document = json.loads(Path("out/s.json").read_bytes())
    assert [photo["unknown_share"] for photo in document["photos"]] == [0.25, 0.25]


def test_a_name_that_looks_like_a_formula_is_none_in_a_table(photos, capsys):
    run(capsys, "in/a.png", "--class", "=red", "--class", "white\x1b", "--shares", "s.csv")
    header = next(csv.reader(Path("s.csv").read_text().splitlines()))
    assert header[-2:] == ["'=red", r"white\x1b"]


def test_pycocotools_reads_the_segments_with_class_and_score(photos, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    mask_tools = pytest.importorskip("pycocotools.mask")
    words = ["--class", "red", "--class", "green", "--background", "black", "--coco", "c.json"]
    assert run(capsys, "in", *words, "-o", "maps")[0] == 0
    with redirect_stdout(io.StringIO()):
        read = coco.COCO("c.json")
    assert [one["name"] for one in read.loadCats(read.getCatIds())] == ["red", "green"]
    by_name = {Path(one["file_name"]).name: one for one in read.loadImgs(read.getImgIds())}
    for name in ("a.png", "b.png"):
        image = by_name[name]
        labels = pixels(f"maps/{name}")
        assert (image["height"], image["width"]) == labels.shape
        painted = np.full(labels.shape, 253)
        for one in read.loadAnns(read.getAnnIds(imgIds=[image["id"]])):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools, NumPy 2
                mask = read.annToMask(one).astype(bool)
            assert mask.sum() == one["area"]
            assert mask_tools.toBbox(one["segmentation"]).tolist() == one["bbox"]
            assert 0 <= one["score"] <= 1
            assert 0.33 < one["probability"] <= 1
            painted[mask] = one["category_id"] - 1
        np.testing.assert_array_equal(painted, labels)


def test_coco_masks_are_on_the_pixels_of_the_photo(photos, capsys):
    pytest.importorskip("pycocotools")
    toy_preset.quarters(photos / "large.png", "red", "green", "green", "red", side=120)
    words = ["in/large.png", "--class", "red", "--class", "green", "--max-side", "32"]
    run(capsys, *words, "--coco", "c.json")
    [image] = json.loads(Path("c.json").read_text())["images"]
    assert (image["width"], image["height"]) == (120, 120)
    sizes = {tuple(one["segmentation"]["size"]) for one in _annotations("c.json")}
    assert sizes == {(120, 120)}
    assert sum(one["area"] for one in _annotations("c.json")) == 120 * 120


def _annotations(path):
    return json.loads(Path(path).read_text())["annotations"]


def test_tables_that_are_there_are_replaced_only_when_asked(photos, capsys):
    words = ["in/a.png", "--class", "red", "--shares", "s.csv", "--coco", "c.json"]
    assert run(capsys, *words)[0] == 0
    before = Path("c.json").read_bytes()
    code, out, err = run(capsys, *words)
    assert (code, out) == (3, "")
    assert "--force" in err
    assert Path("c.json").read_bytes() == before
    assert run(capsys, *words, "--force")[0] == 0


def test_where_no_photo_can_be_read_no_table_is_left(photos, capsys):
    (photos / "a.png").write_bytes(b"")
    words = ["in/a.png", "--class", "red", "--shares", "s.csv", "--coco", "c.json"]
    assert run(capsys, *words)[0] == 3
    assert sorted(os.listdir()) == ["in"]


def test_without_a_folder_shares_are_printed_and_no_map_is_written(photos, capsys):
    code, out, err = run(capsys, "in/a.png", "--class", "red", "--class", "green, blue, white")
    assert code == 0
    assert out == "in/a.png\t\tgreen=0.7500,red=0.2500\n"
    assert "-o DIR" in err
    assert sorted(os.listdir()) == ["in"]


def test_parts_are_shown_over_their_wholes(photos, capsys, monkeypatch):
    class Nested(GridSegmenter):
        def segment(self, image):
            whole = np.ones(image.shape[:2], bool)
            corner = np.zeros(image.shape[:2], bool)
            corner[20:, 20:] = True
            return masks.segments_from_masks([whole, corner], [1.0, 1.0], [-1, 0])

    embedder = load_toys()[1]
    monkeypatch.setattr("indexer.presets.load_indexer", lambda *_, **__: (Nested(), embedder))
    toy_preset.quarters(photos / "c.png", "red", "red", "red", "yellow")
    words = ["in/c.png", "--class", "red, blue", "--class", "green", "-o", "maps"]
    _, out, _ = run(capsys, *words, "--class", "red > yellow")
    assert out.endswith("red=0.7500,red > yellow=0.2500\n")
    assert quarters_of("maps/c.png") == [0, 0, 0, 2]
    _, out, _ = run(capsys, *words, "--class", "green > yellow")
    assert "yellow" not in out
    run(capsys, *words, "--class", "red > yellow", "--no-parts")
    assert quarters_of("maps/c.png") == [0, 0, 0, 0]


def test_stored_photos_are_answered_after_the_files_are_gone(store, capsys, monkeypatch):
    def too_much(*_, **__):
        raise AssertionError("a photo was opened, or an image model loaded")

    words = ["--from-store", "--class", "red", "--class", "green, lime", "--class", "blue"]
    with monkeypatch.context() as broken:
        broken.setattr("indexer.photos.decode", too_much)
        broken.setattr("indexer.presets.load_indexer", too_much)
        broken.setattr("PIL.Image.open", too_much)
        code, out, err = run(capsys, *words, "--class", "white", "-o", "maps", "--json")
    assert code == 0
    document = json.loads(out)
    jsonschema.validate(document, schema("segment"))
    assert [Path(image["image"]).name for image in document["images"]] == ["a.png", "b.png"]
    assert [image["photo"] for image in document["images"]] == [0, 1]
    assert quarters_of("maps/a.png") == [0, 1, 2, 3]
    height, width, _ = pixels("maps/a-overlay.png").shape
    assert height == 40
    assert width > 40
    assert "no photo is opened" in err


def test_the_stored_answer_is_that_of_the_photo_itself(photos, capsys):
    words = ["--class", "red", "--class", "green", "--background", "blue", "--unknown", "0.3"]
    _, new, _ = run(capsys, "in", *words, "-o", "new", "--no-overlay")
    new_maps = [pixels(f"new/{name}") for name in ("a.png", "b.png")]
    index_photos([photos], photos.parent / ".usearch", load_toys, preset="mini", workers=0)
    _, stored, _ = run(capsys, "--from-store", *words, "-o", "stored", "--no-overlay")
    assert stored == new.replace("new/", "stored/")
    for name, labels in zip(("a.png", "b.png"), new_maps, strict=True):
        np.testing.assert_array_equal(pixels(f"stored/{name}"), labels)


@pytest.mark.parametrize("named", ["in/b.png", "b.png", "in", "."])
def test_stored_photos_are_named_by_path_folder_or_stored_path(named, store, capsys):
    _, out, _ = run(capsys, "--from-store", named, "--class", "red", "--class", "black")
    found = [line.split("\t")[0] for line in out.splitlines()]
    assert found == (["in/b.png"] if named.endswith("b.png") else ["in/a.png", "in/b.png"])


def test_a_photo_that_is_not_stored_is_named(store, capsys):
    code, out, err = run(capsys, "--from-store", "in/c.png", "--class", "red")
    assert (code, out) == (3, "")
    assert "in/c.png is not in the store" in err


def test_a_filter_leaves_segments_out(store, capsys):
    words = ["--from-store", "--class", "red", "--class", "green", "--class", "black", "--json"]
    _, out, _ = run(capsys, *words, "--where", "path = 'b.png' and x0 < 1")
    [image] = json.loads(out)["images"]
    assert image["photo"] == 1
    assert image["segments"] == 2
    assert image["covered_share"] == 0.5
    code, _, err = run(capsys, *words, "--where", "path = 'c.png'")
    assert code == 3
    assert "holds no such photo" in err


def test_stored_photos_are_cut_already(store, capsys):
    code, _, err = run(capsys, "--from-store", "--class", "red", "--segmenter", "sam")
    assert code == 2
    assert "cut already" in err
