"""`usearch train pairs`: a file of pairs or none, what was read, what is in it."""

import json
from pathlib import Path

import jsonschema
import pytest
from label_files import instances, write_coco

from trainer.pairs import read_pairs
from usearch.cli import main
from usearch.schemas import schema


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """A COCO file in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_coco(tmp_path, instances())
    return Path("instances.json")


def test_a_label_file_becomes_a_file_of_pairs(labels, capsys):
    assert main(["train", "pairs", str(labels), "-o", "out/p.parquet"]) == 0
    out, err = capsys.readouterr()
    assert out == "out/p.parquet\t2\n"
    assert "COCO instances, 2 images, 2 classes" in err
    assert "crowds, kept as stuff: 1" in err
    assert "2 photos ask for non-commercial use" in err
    assert [p.id for p in read_pairs(Path("out/p.parquet"))] == [
        "coco-instances/001",
        "coco-instances/002",
    ]


def test_counts_of_pairs_and_of_their_source_are_the_same(labels, capsys):
    main(["train", "pairs", str(labels), "-o", "p.parquet"])
    capsys.readouterr()
    assert main(["train", "pairs", "p.parquet", "--count"]) == 0
    of_pairs = capsys.readouterr().out
    assert main(["train", "pairs", str(labels), "--count"]) == 0
    assert capsys.readouterr().out == of_pairs
    lines = of_pairs.splitlines()
    assert lines[0].split("\t") == ["source", "terms stated", "photos", "held", "segments", "texts"]
    assert lines[1].split("\t") == ["coco-instances", "photo CC BY-NC 2.0", "2", "0", "4", "4"]
    assert "segments by kind: 2 stuff, 1 object, 1 box" in lines
    assert "most frequent names: cat 3, sky 1" in lines
    assert [p.name for p in Path().iterdir() if p.suffix == ".parquet"] == ["p.parquet"]


def test_json_is_valid_and_says_how_it_was_read(labels, capsys):
    data = instances()
    data["annotations"][0]["category_id"] = 99
    write_coco(Path(), data)
    words = ["train", "pairs", str(labels), "-o", "p.parquet", "--skip-invalid", "--json"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(schema("train.pairs")).validate(document)
    assert (document["photos"], document["segments"], document["n_problems"]) == (2, 3, 1)
    assert "annotations[0].category_id" in document["problems"][0]
    assert document["output"].endswith("p.parquet")


def test_a_source_with_a_mistake_writes_nothing(labels, capsys):
    data = instances()
    data["annotations"][3]["bbox"] = [1, 2, "3", 4]
    write_coco(Path(), data)
    Path("p.parquet").write_text("mine")
    assert main(["train", "pairs", str(labels), "-o", "p.parquet", "--force"]) == 3
    out, err = capsys.readouterr()
    assert out == "" and "instances.json, annotations[3].bbox" in err and "--skip-invalid" in err
    assert Path("p.parquet").read_text() == "mine"
    assert sorted(f.name for f in Path().iterdir()) == ["images", "instances.json", "p.parquet"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "add -o FILE.parquet, or --count"),
        (["-o", "p.parquet", "--count"], 2, "add -o FILE.parquet, or --count"),
        (["-o", "p.json"], 2, "does not end with .parquet"),
        (["-o", "there.parquet"], 3, "there.parquet exists"),
        (["-o", "instances.json/p.parquet"], 3, "cannot write instances.json"),
        (["-o", "p.parquet", "--split", "val"], 2, "no split 'val'"),
        (["-o", "p.parquet", "--column", "x"], 2, "is not ROLE=NAME"),
        (["-o", "p.parquet", "--form", "x"], 2, "no form 'x'"),
        (["-o", "p.parquet", "--images", "nowhere"], 3, "there is no folder nowhere"),
        (["-o", "p.parquet", "--paths", "--max-side", "99"], 2, "exclude each other"),
    ],
)
def test_what_cannot_be_ends_with_the_reason(words, code, message, labels, capsys):
    Path("there.parquet").write_text("")
    assert main(["train", "pairs", str(labels), *words]) == code
    out, err = capsys.readouterr()
    assert out == "" and message in err


def test_names_that_would_move_the_terminal_are_escaped(labels, capsys):
    data = instances()
    data["categories"][0]["name"] = "cat\x1b[2J"
    write_coco(Path(), data)
    assert main(["train", "pairs", str(labels), "--count"]) == 0
    out, _ = capsys.readouterr()
    assert "\x1b" not in out and "cat\\x1b[2J" in out
