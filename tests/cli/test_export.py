"""`usearch export`: which segments, into what, and how it ends."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import toy_preset
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.cli import main


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """Two photos of four tiles in folders of their own; the folder above them is current."""
    toy_preset.install(monkeypatch)
    toy_preset.quarters(tmp_path / "a" / "x.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "b" / "x.png", "green", "green", "blue", "blue", side=60)
    folders = [tmp_path / "a", tmp_path / "b"]
    index_photos(folders, tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)


def exported(capsys, *words):
    """Exit code, stdout and stderr of an export."""
    code = main(["export", *words])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_the_command_exports_all(capsys):
    code, out, _ = exported(capsys, "-o", "all.json")
    assert (code, out) == (0, "all.json\t8\n")


def test_the_command_exports_a_filter(tmp_path, capsys):
    code, out, _ = exported(capsys, "-o", "some.json", "--where", "path ~ 'b/*' or width = 60")
    assert (code, out) == (0, "some.json\t4\n")


def test_the_command_exports_hits_with_their_question(tmp_path, capsys):
    code, _, _ = exported(capsys, "-o", "hits.json", "-q", "red", "-q", "green")
    data = json.loads((tmp_path / "hits.json").read_text())
    assert code == 0
    assert [c["name"] for c in data["categories"]] == ["red", "green"]
    by_label = [a["category_id"] for a in data["annotations"]]
    assert (by_label.count(1), by_label.count(2)) == (1, 3)
    assert all(a["score"] > 0.5 for a in data["annotations"])


def test_a_query_is_typed_as_for_query(tmp_path, capsys):
    assert exported(capsys, "-o", "like.json", "-q", "segment:0", "-k", "1")[0] == 0
    document = json.loads((tmp_path / "like.json").read_text())
    assert [one["segment"] for one in document["annotations"]] == [0]
    assert [one["name"] for one in document["categories"]] == ["segment:0"]


def test_hits_as_parquet_have_vectors(tmp_path, capsys):
    assert exported(capsys, "-o", "hits.parquet", "-q", "red")[0] == 0
    [row] = pq.read_table(tmp_path / "hits.parquet").to_pylist()
    np.testing.assert_allclose(row["vector"], np.array([1, 0, 0, 1]) / 2**0.5, atol=1e-3)


def test_nothing_to_export_ends_with_1_and_writes_nothing(tmp_path, capsys):
    for words in (["-q", "black"], ["--where", "width > 1000"]):
        code, out, err = exported(capsys, "-o", "none.json", *words)
        assert (code, out) == (1, "")
        assert "nothing to export" in err
        assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-o", "x.tif"], 2, "--format"),
        (["-o", "x.json", "-f", "voc"], 2, "no format 'voc'"),
        (["-o", "x.parquet", "--polygons"], 2, "not polygons"),
        (["-o", "x.json", "-f", "labelstudio", "--polygons"], 2, "not polygons"),
        (["-o", "x.json", "-k", "5"], 2, "--query"),
        (["-o", "x.json", "--where", "width >"], 2, "width >"),
        (["-o", "nowhere/x.json"], 3, "nowhere"),
        (["-o", "a", "-f", "coco"], 3, "folder"),
    ],
)
def test_what_cannot_be_ends_with_the_reason(words, code, message, capsys):
    found, out, err = exported(capsys, *words)
    assert (found, out) == (code, "")
    assert message in err
