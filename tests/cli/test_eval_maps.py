"""`usearch eval` on label maps: figures, what is computed once, several systems, mistakes."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import toy_preset
from PIL import Image
from toys import ColourEmbedder, GridSegmenter

from eval.report_json import read_report
from indexer.segmenters.given import GivenSegmenter
from usearch.cli import main
from usearch.schemas import schema

NAMES = ["red", "green", "blue", "white"]


def load(preset="mini", segmenter=None, device="auto", *, masks=None, threads=1, **_):
    return GridSegmenter() if segmenter != "given" else GivenSegmenter(masks), ColourEmbedder()


@dataclass
class Calls:
    """What was computed on pixels."""

    decoded: list[str]
    embedded: int = 0


@pytest.fixture
def calls(monkeypatch):
    from indexer import one_photo

    seen = Calls([])
    decode, embed = one_photo.decode, ColourEmbedder.embed

    def counted_decode(path, *args, **named):
        seen.decoded.append(Path(path).name)
        return decode(path, *args, **named)

    def counted_embed(self, image, segments):
        seen.embedded += 1
        return embed(self, image, segments)

    monkeypatch.setattr(one_photo, "decode", counted_decode)
    monkeypatch.setattr(ColourEmbedder, "embed", counted_embed)
    return seen


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three photos of four tiles; labels agree with the tiles but for a corner of the last."""
    toy_preset.install(monkeypatch)
    monkeypatch.setattr("indexer.presets.load_indexer", load)
    monkeypatch.chdir(tmp_path)
    for stem, colours in {
        "a": ["red", "green", "blue", "white"],
        "b": ["red", "red", "green", "red"],
        "c": ["white", "blue", "blue", "blue"],
    }.items():
        toy_preset.quarters(tmp_path / "photos" / f"{stem}.png", *colours, side=80)
        labels = np.array([NAMES.index(c) for c in colours], np.uint8).reshape(2, 2)
        labels = labels.repeat(40, 0).repeat(40, 1)
        if stem == "c":
            labels[:20, :40] = NAMES.index("red")
            labels[-1, -1] = 255
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(labels).save(tmp_path / "masks" / f"{stem}.png")
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\nwhite\n")
    (tmp_path / "other.txt").write_text("red, crimson red\ngreen\nblue\nwhite\nblack\n")
    return tmp_path


def run(capsys, *words):
    code = main(["eval", *map(str, words)])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def folder_run(capsys, *words, classes="names.txt"):
    own = ["--images", "photos", "--masks", "masks", "--classes", classes, "--workers", "0"]
    return run(capsys, "folder", *own, *words)


def figures(out):
    return {row.split("\t")[0]: float(row.split("\t")[1]) for row in out.splitlines()}


def test_figures_are_those_of_the_maps(folder, capsys):
    code, out, err = folder_run(capsys)
    assert code == 0, err
    found = figures(out)
    # Of 3 x 6,400 pixels one is not labelled, 800 red ones are called white.
    red, white = 1600 * 4 / (1600 * 4 + 800), (1600 + 800) / (1600 + 1600)
    assert found["miou_present"] == pytest.approx((red + 1.0 + 1.0 + white) / 4)
    assert found["pixel_accuracy"] == pytest.approx(1 - 800 / (3 * 6400 - 1))
    assert found["covered"] == 1.0
    assert found["classes_present"] == 4
    assert "values 0 to 3 are the 4 classes" in err
    assert "3 photos indexed" in err


def test_another_class_list_over_the_same_photos_computes_nothing_on_pixels(folder, capsys, calls):
    folder_run(capsys)
    assert (calls.decoded, calls.embedded) == (["a.png", "b.png", "c.png"], 3)
    code, out, err = folder_run(capsys, "--first-index", "0", classes="other.txt")
    assert code == 0
    assert (len(calls.decoded), calls.embedded) == (3, 3)
    assert "3 photos were in the store, none was opened" in err
    assert figures(out)["classes_present"] == 4


def test_a_few_photos_first_then_the_rest(folder, capsys, calls):
    code, _, _ = folder_run(capsys, "--limit", "2")
    assert code == 0
    assert calls.decoded == ["a.png", "b.png"]
    _, _, err = folder_run(capsys)
    assert calls.decoded == ["a.png", "b.png", "c.png"]
    assert "1 photos indexed" in err or "1 photo indexed" in err


def test_the_report_says_how_to_repeat_it_and_what_was_chosen(folder, capsys):
    code, out, _ = folder_run(capsys, "--json", "--templates", "use4", "--scale", "20", "--vote")
    assert code == 0
    document = json.loads(out)
    jsonschema.validate(document, schema("eval"))
    assert document["system"] == "tree+mini"
    assert document["options"]["templates"] == "use4"
    assert document["options"]["scale"] == 20
    assert document["options"]["vote"] is True
    assert document["times"].keys() >= {"index", "texts", "maps"}
    again = shlex.split(document["command_line"])
    assert again[:3] == ["usearch", "eval", "folder"]
    code, repeated, _ = run(capsys, *again[2:], "--json")
    assert code == 0
    assert json.loads(repeated)["metrics"] == document["metrics"]


def test_errors_are_told_apart(folder, capsys):
    code, out, err = folder_run(capsys, "--errors")
    assert code == 0
    found = figures(out)
    assert found["miou_present"] < 1
    # True masks: every piece has one colour but the red corner, whose pixels are white.
    assert found["oracles.naming.miou_present"] == pytest.approx(found["miou_present"])
    assert found["oracles.proposals.miou_present"] < 1
    assert 0 < found["proposals.mean_best_iou"] < 1
    assert found["proposals.regions"] == 7  # of 32 x 32 pixels or more
    assert "true names on our segments" in err


def test_systems_share_segments_and_stand_in_one_table(folder, capsys, calls):
    code, out, err = folder_run(
        capsys, "--systems", "tree+mini,tree+crop,given+mini", "-o", "report.json"
    )
    assert code == 0
    rows = dict(row.split("\t", 1) for row in out.splitlines())
    assert list(rows) == ["tree+mini", "tree+mini-crop", "given+mini"]
    assert len(calls.decoded) == 9
    whole, crops = (read_report(folder / f"report.{name}.json") for name in list(rows)[:2])
    assert whole.metrics == crops.metrics  # colours of a crop are those of its segment
    assert crops.options["space_id"] != whole.options["space_id"]
    assert "tree+mini-crop" in err
    _, again, _ = folder_run(capsys, "--systems", "tree+mini,tree+crop,given+mini")
    assert again == out
    assert len(calls.decoded) == 9


def test_systems_without_visual_keys_are_measured_without_the_bank(folder, capsys):
    code, out, err = folder_run(
        capsys, "--systems", "tree+mini,tree+crop", "--bank", "self", "--bank-weight", "0.3"
    )
    assert code == 0, err
    assert "tree+mini-crop has no visual keys" in err
    assert "bank.miou_present" not in out


def test_a_second_model_is_asked_about_the_same_segments(folder, capsys):
    one = figures(folder_run(capsys)[1])
    code, out, err = folder_run(capsys, "--second", "crop", "--second-weight", "0.5")
    assert code == 0
    assert figures(out) == one
    assert "second model" in err


def test_json_of_several_systems_is_one_object(folder, capsys):
    _, out, _ = folder_run(capsys, "--systems", "tree+mini,given+mini", "--json")
    document = json.loads(out)
    assert [one["system"] for one in document["systems"]] == ["tree+mini", "given+mini"]


def test_a_photo_that_cannot_be_read_counts_as_wrong_and_is_named(folder, capsys):
    whole = figures(folder_run(capsys)[1])
    (folder / "photos" / "b.png").unlink()
    photo = toy_preset.quarters(folder / "photos" / "b.jpg", "red", "red", "green", "red", side=80)
    photo.write_bytes(photo.read_bytes()[:-200])  # its size can be read, its pixels cannot
    code, out, err = folder_run(capsys, "--store", "new")
    assert code == 0, err
    found = figures(out)
    assert "1 photo has no segments and count as wrong, such as b.jpg" in err
    assert found["covered"] == pytest.approx(1 - 6400 / (3 * 6400 - 1))
    assert found["pixel_accuracy"] < whole["pixel_accuracy"]


def test_a_page_shows_photos(folder, capsys):
    code, _, _ = folder_run(capsys, "--html", "page.html")
    assert code == 0
    assert (folder / "page.html").read_text().count("data:image/") >= 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--systems", "tree"], "is no system"),
        (["--systems", "sword+mini"], "no segmenter 'sword'"),
        (["--systems", "tree+maxi"], "no preset 'maxi'"),
        (["--systems", "tree+mini,tree+mini"], "twice"),
        (["--systems", "tree+mini", "--segmenter", "tree"], "leave --segmenter out"),
        (["--systems", "tree+mini,given+mini", "--store", "s"], "leave --store out"),
        (["--second", "crop"], "--second-weight"),
        (["--second-weight", "0.3"], "--second"),
        (["--second", "mini", "--second-weight", "0.3"], "the model itself"),
        (["--templates", "poems"], "no template set"),
        (["--store", "photos"], "is no store"),
    ],
)
def test_mistakes_are_told_before_work_begins(folder, capsys, calls, words, message):
    code, out, err = folder_run(capsys, *words)
    assert code == 2
    assert message in err
    assert out == ""


def test_a_data_set_that_is_not_there_is_told(folder, capsys):
    code, _, err = run(capsys, "ade150", "--root", folder)
    assert code == 3
    assert "ade" in err.lower()


def test_ade150_is_found_below_the_folder_that_is_named(folder, capsys):
    base = folder / "sets" / "ADEChallengeData2016"
    for kind, name in (("images", "photos"), ("annotations", "masks")):
        target = base / kind / "validation"
        target.mkdir(parents=True)
        for file in (folder / name).iterdir():
            picture = Image.open(file)
            if kind == "annotations":  # 0 is not labelled, classes from 1
                values = np.asarray(picture).astype(int) + 1
                picture = Image.fromarray(np.where(values > 255, 0, values).astype(np.uint8))
            ends = {"images": ".jpg", "annotations": ".png"}[kind]
            picture.save(target / f"ADE_val_{ord(file.stem):08}{ends}", quality=95)
    code, out, err = run(capsys, "ade150", "--root", "sets", "--workers", "0", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["n_classes"] == 150
    assert document["subset"] is True
    assert document["list_id"].startswith("ade150")
    assert [p["value"] for p in document["published"]][:2] == [0.37, 0.371]
    assert not any(p["comparable"] for p in document["published"])
    assert "of 2,000 photos" in err
