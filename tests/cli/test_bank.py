"""`--keys` of `index`; `--bank` of `segment` and `classify`: a store that votes along."""

from __future__ import annotations

import json

import jsonschema
import pytest
import toy_preset
from toy_keys import load_keyed
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.cli import main
from usearch.errors import UsageError
from usearch.schemas import schema
from usearch.store import open_snapshot

CLASSES = ["--class", "red", "--class", "green", "--class", "blue"]


def index(tmp_path, load=load_keyed, **options):
    return index_photos(
        [tmp_path / "in"], tmp_path / ".usearch", load, preset="mini", workers=0, **options
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two photos with bright red tiles, and one whose dark red tiles have the vector of blue."""
    toy_preset.install(monkeypatch)
    monkeypatch.setattr("indexer.presets.load_indexer", lambda *_, threads=1, **__: load_keyed())
    monkeypatch.setitem(toy_preset.COLOURS, "dark", (217, 0, 0))
    monkeypatch.chdir(tmp_path)
    toy_preset.quarters(tmp_path / "in" / "a.png", "red", "red", "green", "red")
    toy_preset.quarters(tmp_path / "in" / "b.png", "red", "red", "red", "green")
    toy_preset.quarters(tmp_path / "in" / "odd.png", "dark", "dark", "dark", "green")
    return tmp_path


def run(capsys, *words):
    code = main([*map(str, words)])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def shares(out: str, photo: str) -> dict[str, float]:
    line = next(line for line in out.splitlines() if line.startswith(photo))
    return {k: float(v) for k, v in (p.split("=") for p in line.split("\t")[2].split(","))}


def test_neighbours_outvote_a_segment_that_errs_alone(folder, capsys):
    index(folder)
    code, out, _ = run(capsys, "segment", "--from-store", *CLASSES)
    assert code == 0
    assert shares(out, "in/odd.png") == {"blue": 0.75, "green": 0.25}
    code, out, _ = run(capsys, "segment", "--from-store", *CLASSES, "--bank", ".usearch",
                       "--bank-weight", "0.9", "--neighbours", "4")  # fmt: skip
    assert code == 0
    assert shares(out, "in/odd.png") == {"red": 0.75, "green": 0.25}


def test_a_new_photo_is_answered_as_the_stored_one(folder, capsys):
    index(folder)
    bank = ["--bank", ".usearch", "--bank-weight", "0.9", "--neighbours", "4"]
    _, stored, _ = run(capsys, "segment", "--from-store", "in/odd.png", *CLASSES, *bank)
    _, new, _ = run(capsys, "segment", "in/odd.png", *CLASSES, *bank)
    assert shares(new, "in/odd.png") == shares(stored, "in/odd.png")


def test_classify_takes_the_same_votes(folder, capsys):
    index(folder)
    words = ["classify", *CLASSES, "--bank", folder, "--bank-weight", "0.9", "--neighbours", "4"]
    _, out, _ = run(capsys, *words)
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        ["red", "0.7500"], ["green", "0.2500"], ["blue", "0.0000"],
    ]  # fmt: skip


def test_explain_names_photo_box_similarity_and_class_of_the_voters(folder, capsys):
    index(folder)
    words = ["segment", "in/odd.png", *CLASSES, "--bank", ".usearch", "--bank-weight", "0.9",
             "--neighbours", "2", "--explain"]  # fmt: skip
    code, out, _ = run(capsys, *words)
    assert code == 0
    votes = [line.split("\t") for line in out.splitlines() if line.startswith("\t")]
    assert len(votes) == 4 * 2
    _, box, name, share, similarity, its, probability, its_box, photo = votes[0]
    assert (box, name, its) == ("0,0,20,20", "red", "red")
    assert float(share) == pytest.approx(0.5, abs=0.01)
    assert 0.9 < float(similarity) <= 1.0
    assert 0.5 < float(probability) <= 1.0
    assert its_box in {"0,0,20,20", "20,0,40,20", "0,20,20,40", "20,20,40,40"}
    assert photo in {"in/a.png", "in/b.png"}
    _, out, _ = run(capsys, *words, "--json")
    document = json.loads(out)
    jsonschema.validate(document, schema("segment"))
    first = document["images"][0]["explained"][0]
    assert (first["own"], first["name"]) == ("blue", "red")
    assert {vote["name"] for vote in first["votes"]} == {"red"}


def test_without_a_bank_nothing_is_explained_and_no_weight_is_taken(folder, capsys):
    index(folder)
    code, _, err = run(capsys, "segment", "in/odd.png", *CLASSES, "--explain")
    assert code == 2
    assert "--bank STORE" in err
    code, _, err = run(capsys, "segment", "in/odd.png", *CLASSES, "--bank", ".usearch",
                       "--bank-weight", "2")  # fmt: skip
    assert code == 2
    assert "--bank-weight" in err


def test_an_old_store_is_told_how_to_get_keys_and_gets_them(folder, capsys):
    index(folder, load_toys)
    code, _, err = run(capsys, "classify", *CLASSES, "--bank", ".usearch")
    assert code == 4
    assert "usearch index FOLDER --keys" in err
    assert index(folder).indexed == 0  # nothing has changed: nothing is done unasked
    report = index(folder, keys=True)
    assert report.indexed == 3
    assert open_snapshot(folder / ".usearch").info()["keys"]["segments"] == 12
    assert index(folder, keys=True).indexed == 0
    code, out, _ = run(capsys, "info", "--json")
    jsonschema.validate(json.loads(out), schema("info"))


def test_stored_segments_without_key_are_counted_and_keep_their_scores(folder, capsys):
    index(folder, load_toys)
    toy_preset.quarters(folder / "in" / "new.png", "red", "red", "red", "red", side=48)
    index(folder)
    code, out, err = run(capsys, "segment", "--from-store", *CLASSES, "--bank", ".usearch")
    assert code == 0
    assert "12 of 16 segments have no visual key" in err
    assert shares(out, "in/new.png") == {"red": 1.0}


def test_keys_can_be_left_out(folder):
    index(folder, keys=False)
    assert open_snapshot(folder / ".usearch").info()["keys"] is None


def test_a_model_without_keys_says_so(folder):
    with pytest.raises(UsageError, match="makes no visual keys"):
        index(folder, load_toys, keys=True)
