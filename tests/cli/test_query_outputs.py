"""Where answers of `usearch query` go: one form on stdout, files beside it, nothing by accident."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import toy_preset
from PIL import Image
from pycocotools.coco import COCO
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.cli import main
from usearch.store import open_snapshot

SCHEMAS = Path(__file__).parents[2] / "usearch" / "schemas"


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two photos of four coloured tiles each, indexed; the folder above them is current."""
    toy_preset.install(monkeypatch)
    toy_preset.quarters(tmp_path / "photos" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "photos" / "b.png", "green", "green", "blue", "blue")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def asked(capfd, *words):
    """Exit code, stdout (as bytes) and stderr of a query."""
    code = main(["query", *map(str, words)])
    streams = capfd.readouterr()
    return code, streams.out, streams.err


def valid(document, name):
    """Check a document against the published schema."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((SCHEMAS / name).read_text())
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "words",
    [
        ["green"],
        ["black"],
        ["-q", "red", "-q", "blue", "--dedupe", "--explain"],
        ["--each", "-q", "red", "-q", "black"],
        ["red", "--where", "path ~ 'x*'"],
        ["green", "--all", "--group", "image", "--sort", "date"],
    ],
)
def test_json_is_what_the_schema_says(words, photos, capfd):
    _, out, _ = asked(capfd, *words, "--json")
    valid(json.loads(out), "query.json")


def test_json_lines_are_what_the_schema_says(photos, capfd):
    _, out, _ = asked(capfd, "--each", "-q", "green", "-q", "black", "--jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == [
        "begin", "hit", "hit", "hit", "summary", "begin", "summary",
    ]  # fmt: skip
    for line in lines:
        valid(line, "query.lines.json")


def test_csv_has_a_record_a_hit(photos, capfd):
    _, out, _ = asked(capfd, "green", "--csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert {row["question"] for row in rows} == {"green"}


def test_paths_are_photos_each_once(photos, capfd):
    _, out, _ = asked(capfd, "green", "--paths")
    assert sorted(out.splitlines()) == [str(photos / "a.png"), str(photos / "b.png")]


def test_paths_ended_by_zero_bytes_are_exact(photos, capfdbinary):
    name = os.fsdecode(b"new\nline caf\xe9.png")
    toy_preset.quarters(photos / name, *["yellow"] * 4)
    index_photos([photos], photos.parent / ".usearch", load_toys, preset="mini", workers=0)
    assert main(["query", "yellow", "-k", "1", "--paths", "-0"]) == 0
    out = capfdbinary.readouterr().out
    assert out == os.fsencode(photos / name) + b"\0"


def test_files_are_written_beside_what_is_printed(photos, tmp_path, capfd):
    code, out, err = asked(
        capfd, "-q", "red", "-q", "blue", "--paths", "--html", "p.html", "--coco", "c.json",
        "--parquet", "t.parquet", "--vectors", "--crops", "crops",
    )  # fmt: skip
    assert code == 0
    assert len(out.splitlines()) == 2
    page = (tmp_path / "p.html").read_text()
    assert "red | blue" in page
    assert "<script src" not in page
    assert len(COCO(str(tmp_path / "c.json")).anns) == 4
    table = pq.read_table(tmp_path / "t.parquet")
    snapshot = open_snapshot(tmp_path / ".usearch")
    assert len(table["vector"][0].as_py()) == snapshot.space.dim
    first = table.to_pylist()[0]
    stored = snapshot.vectors(snapshot.rows_of_photo(first["photo_id"]))
    assert first["vector"] == pytest.approx(stored[first["segment_id"] % 65536].tolist(), abs=1e-6)
    assert len(list((tmp_path / "crops").iterdir())) == 4
    for name in ("p.html", "c.json", "t.parquet", "crops"):
        assert name in err


def test_cut_outs_have_a_clear_ground(photos, tmp_path, capfd):
    asked(capfd, "red", "--crops", "crops", "--cutout")
    [path] = (tmp_path / "crops").iterdir()
    with Image.open(path) as picture:
        assert picture.mode == "RGBA"


def test_nothing_is_written_over_unasked_and_nothing_is_printed_first(photos, tmp_path, capfd):
    (tmp_path / "p.html").write_text("mine")
    code, out, err = asked(capfd, "red", "--html", "p.html")
    assert (code, out) == (3, "")
    assert "--force" in err
    assert (tmp_path / "p.html").read_text() == "mine"
    assert asked(capfd, "red", "--html", "p.html", "--force")[0] == 0
    assert "mine" not in (tmp_path / "p.html").read_text()


def test_a_page_is_shown_in_the_browser(photos, tmp_path, capfd, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or True)
    asked(capfd, "red", "--html", "p.html", "--open")
    assert shown == [(tmp_path / "p.html").as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    code, _, err = asked(capfd, "red", "--html", "p.html", "--open", "--force")
    assert code == 0
    assert "open the page by hand" in err


def test_an_answer_without_hits_still_makes_its_files(photos, tmp_path, capfd):
    code, _, _ = asked(capfd, "black", "--html", "p.html", "--parquet", "t.parquet")
    assert code == 1
    assert "Nothing here matches" in (tmp_path / "p.html").read_text()
    assert len(pq.read_table(tmp_path / "t.parquet")) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "--csv"], "stdout has one form"),
        (["--jsonl", "--paths"], "stdout has one form"),
        (["-0"], "-0 goes with --paths"),
        (["--json", "-0"], "-0 goes with --paths"),
        (["--cutout"], "--cutout goes with --crops"),
        (["--open"], "--open goes with --html"),
        (["--vectors"], "--vectors goes with --parquet"),
        (["--explain", "--csv"], "no place for it"),
        (["--explain", "--paths"], "no place for it"),
        (["--html", "x", "--coco", "x"], "same name"),
        (["--preview", "kitty", "--no-preview"], "choose one"),
        (["--preview", "crayons"], "no way to show pictures"),
    ],
)
def test_options_that_do_not_go_together_end_with_2(words, message, photos, capfd):
    code, out, err = asked(capfd, "red", *words)
    assert (code, out) == (2, "")
    assert message in err


def test_options_are_checked_before_the_store_is_looked_for(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert asked(capfd, "red", "--json", "--csv")[0] == 2
    assert asked(capfd, "red", "--where", "area_share >")[0] == 2


def test_a_terminal_hears_how_much_was_searched(photos, capfd, monkeypatch):
    monkeypatch.setattr("usearch.cli.query_output.is_terminal", lambda: True)
    _, _, err = asked(capfd, "green", "--no-preview")
    assert "searched 2 photos, 8 segments" in err


def test_a_reader_that_leaves_is_no_error(photos):
    words = [sys.executable, "-m", "usearch", "query", "--help"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert b"Traceback" not in err
