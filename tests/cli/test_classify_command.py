"""`usearch classify`: photos x classes of a whole collection, the same as `segment` says."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
import toy_preset
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.cli import main
from usearch.schemas import schema

CLASSES = ["--class", "red", "--class", "green, lime green", "--class", "blue"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Three photos indexed, one of them unreadable; then all files are gone."""
    toy_preset.install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    toy_preset.quarters(tmp_path / "in" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "in" / "b.png", "red", "red", "green", "red")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no photo")
    index_photos([tmp_path / "in"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    for photo in (tmp_path / "in").iterdir():
        photo.unlink()
    monkeypatch.setattr("indexer.photos.decode", None)
    monkeypatch.setattr("indexer.presets.load_indexer", None)
    return tmp_path / ".usearch"


def run(capsys, *words):
    code = main(["classify", *map(str, words)])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_a_line_a_class_with_mean_share_photos_and_segments(store, capsys):
    code, out, _ = run(capsys, *CLASSES, "--class", "white")
    assert code == 0
    assert out.splitlines() == [
        "red\t0.5000\t2\t4",
        "green\t0.2500\t2\t2",
        "blue\t0.1250\t1\t1",
        "white\t0.1250\t1\t1",
    ]


def test_json_holds_every_photo_and_the_totals(store, capsys):
    _, out, _ = run(capsys, *CLASSES, "--class", "white", "--json", "--min-share", "0.3")
    document = json.loads(out)
    jsonschema.validate(document, schema("classify"))
    assert [Path(photo["image"]).name for photo in document["photos"]] == ["a.png", "b.png"]
    second = document["photos"][1]
    assert [(one["name"], one["share"], one["segments"]) for one in second["classes"]] == [
        ("red", 0.75, 3),
        ("green", 0.25, 1),
    ]
    totals = document["totals"]
    assert [one["photos"] for one in totals["classes"]] == [1, 0, 0, 0]
    for row in totals["classes"]:
        shares = [
            sum(one["share"] for one in photo["classes"] if one["value"] == row["value"])
            for photo in document["photos"]
        ]
        assert row["share"] == pytest.approx(np.mean(shares))


def test_photos_x_classes_as_a_table_in_each_format(store, capsys):
    outputs = [word for name in ("t.csv", "t.parquet", "t.json") for word in ("-o", name)]
    _, out, err = run(capsys, *CLASSES, *outputs, "--unknown", "0.4")
    assert out.splitlines()[0].startswith("red\t0.5000")
    assert "2 photos are in t.csv" in err
    table = pq.read_table("t.parquet")
    rows = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    document = json.loads(Path("t.json").read_bytes())
    jsonschema.validate(document, schema("classify"))
    assert table.column_names[-3:] == ["red", "green", "blue"]
    assert table["photo"].to_pylist() == [0, 1]
    for i, photo in enumerate(document["photos"]):
        told = {one["name"]: one["share"] for one in photo["classes"]}
        for name in ("red", "green", "blue"):
            assert float(rows[i][name]) == table[name][i].as_py() == told.get(name, 0.0)
        assert float(rows[i]["unknown"]) == table["unknown"][i].as_py() == photo["unknown_share"]


def test_a_long_table_has_segments_and_best_score(store, capsys):
    run(capsys, *CLASSES, "-o", "t.parquet", "--long", "--unknown", "0.4")
    rows = pq.read_table("t.parquet").to_pylist()
    found = {(Path(row["image"]).name, row["class"]): row for row in rows}
    assert set(found) == {
        ("a.png", "red"), ("a.png", "green"), ("a.png", "blue"), ("a.png", "unknown"),
        ("b.png", "red"), ("b.png", "green"),
    }  # fmt: skip
    assert found["b.png", "red"]["segments"] == 3
    assert 0.4 <= found["b.png", "red"]["best_score"] <= 1
    assert found["a.png", "unknown"]["value"] == 254
    assert found["a.png", "unknown"]["best_score"] is None


def test_csv_goes_to_stdout_when_asked(store, capsys):
    _, out, _ = run(capsys, *CLASSES, "--class", "white", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["red"]) for row in rows] == [0.25, 0.75]


def test_classify_and_segment_from_store_agree(store, capsys):
    rule = ["--background", "white", "--unknown", "0.2", "--class", "red > yellow"]
    _, out, _ = run(capsys, *CLASSES, *rule, "--json")
    classified = json.loads(out)
    assert main(["segment", "--from-store", *CLASSES, *rule, "--json"]) == 0
    segmented = json.loads(capsys.readouterr().out)
    assert classified["list"] == segmented["list"]
    keys = set(classified["photos"][0])
    assert [{key: image[key] for key in keys} for image in segmented["images"]] == (
        classified["photos"]
    )


def test_a_filter_chooses_photos_and_segments(store, capsys):
    _, out, _ = run(capsys, *CLASSES, "--where", "path = 'b.png'")
    assert out.splitlines()[0] == "red\t0.7500\t1\t3"
    code, out, err = run(capsys, *CLASSES, "--where", "path = 'c.png'", "-o", "t.csv")
    assert (code, out) == (1, "")
    assert "no stored segment matches" in err
    assert not Path("t.csv").exists()


def test_a_terminal_gets_a_table_with_names_shown_safely(store, capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.classify.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = run(capsys, "--class", "red", "--class", "gre\x1ben")
    assert "2 photos" in out
    assert r"gre\x1ben" in out
    assert "█" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "no class is named"),
        (["--class", "red", "-o", "t.txt"], 2, ".parquet"),
        (["--class", "red", "-o", "t.csv", "-o", "T.csv"], 2, "named twice"),
        (["--class", "red", "--csv", "--json"], 2, "both want stdout"),
        (["--class", "red", "--min-share", "2"], 2, "between 0 and 1"),
        (["--class", "red", "--threshold", "-1"], 2, "between 0 and 1"),
        (["--class", "red", "--where", "area >"], 2, "area"),
        (["--class", "red", "--store", "nowhere"], 4, "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said(words, code, message, store, capsys):
    found, out, err = run(capsys, *words)
    assert (found, out) == (code, "")
    assert message in err


def test_a_file_that_is_there_is_replaced_only_when_asked(store, capsys):
    Path("t.csv").write_text("mine")
    code, _, err = run(capsys, *CLASSES, "-o", "t.csv")
    assert code == 3
    assert "--force" in err
    assert Path("t.csv").read_text() == "mine"
    assert run(capsys, *CLASSES, "-o", "t.csv", "--force")[0] == 0
    assert Path("t.csv").read_text().startswith("image,")


def test_an_empty_store_has_nothing_to_classify(tmp_path, monkeypatch, capsys):
    from usearch.store import open_writer

    toy_preset.install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with open_writer(tmp_path / ".usearch", space=toy_preset.SPACE, preset="mini",
                     segmenter="grid", segmenter_settings={}):  # fmt: skip
        pass
    code, out, err = run(capsys, *CLASSES)
    assert (code, out) == (1, "")
    assert "holds no photos" in err
