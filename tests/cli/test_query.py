"""`usearch query`: what it prints, for people and for programs, and how it ends."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import toy_preset
from pycocotools import mask as coco
from toys import load_toys

from indexer.pipeline import index_photos
from usearch import open_store
from usearch.cli import main
from usearch.store import open_writer


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two photos of four coloured tiles each, indexed; the folder above them is current."""
    toy_preset.install(monkeypatch)
    toy_preset.quarters(tmp_path / "photos" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "photos" / "sub" / "b.png", "green", "green", "blue", "blue")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def asked(capsys, *words):
    """Exit code, stdout and stderr of a query."""
    code = main(["query", *words])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_a_line_a_hit_with_the_path_last(photos, capsys):
    code, out, _ = asked(capsys, "red")
    assert code == 0
    rank, score, cosine, box, share, path = out.splitlines()[0].split("\t")
    assert (rank, box, share, path) == ("1", "0,0,20,20", "0.2500", "photos/a.png")
    assert float(cosine) == pytest.approx(1, abs=1e-3)
    assert 0.5 < float(score) <= 1


def test_json_has_every_field_of_a_hit(photos, capsys):
    code, out, _ = asked(capsys, "red", "--json", "-k", "1")
    document = json.loads(out)
    assert code == 0
    assert document["schema_version"] == 1
    assert document["query"] == {"text": "red"}
    assert (document["photos"], document["segments"]) == (2, 8)
    [hit] = document["hits"]
    assert hit["rank"] == 1
    assert hit["cosine"] == pytest.approx(1, abs=1e-3)
    assert 0.5 < hit["score"] <= 1
    assert hit["image"] == str(photos / "a.png")
    assert hit["photo_size"] == {"width": 40, "height": 40}
    assert hit["box"] == [0, 0, 20, 20]
    assert hit["area_share"] == 0.25
    assert isinstance(hit["segment"], int)
    assert list(coco.toBbox(hit["rle"])) == [0, 0, 20, 20]
    assert coco.area(hit["rle"]) == 400


def test_only_segments_that_match_are_printed(photos, capsys):
    code, out, err = asked(capsys, "green", "-k", "8")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert "5 more are near but score below 0.50" in err


def test_all_prints_the_nearest_whether_they_match_or_not(photos, capsys):
    code, out, _ = asked(capsys, "green", "-k", "8", "--all")
    assert code == 0
    assert [int(line.split("\t")[0]) for line in out.splitlines()] == list(range(1, 9))


def test_nothing_that_matches_ends_with_1_and_says_how_near_it_was(photos, capsys):
    code, out, err = asked(capsys, "black")
    assert (code, out) == (1, "")
    assert "nothing here matches 'black'" in err
    assert "the cut-off is 0.50" in err


def test_nothing_that_matches_is_an_empty_list_in_json(photos, capsys):
    code, out, _ = asked(capsys, "black", "--json")
    assert code == 1
    assert json.loads(out)["hits"] == []


def test_a_minimum_score_replaces_the_preset_cut_off(photos, capsys):
    assert asked(capsys, "black", "--min-score", "0")[0] == 0
    code, _, err = asked(capsys, "red", "--min-score", "1")
    assert code == 1
    assert "cut-off is 1.00" in err


def test_more_than_there_is_gives_all_there_is(photos, capsys):
    _, out, _ = asked(capsys, "red", "--all", "--top", str(2**40))
    assert len(out.splitlines()) == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([""], "the question is empty"),
        (["  \t"], "the question is empty"),
        (["a" * 100_000], "100000 characters"),
        (["red", "-k", "0"], "at least 1 hit"),
        (["red", "-k", "-5"], "at least 1 hit"),
        (["red", "--min-score", "1.5"], "between 0 and 1"),
        (["red", "--min-score", "nan"], "between 0 and 1"),
    ],
)
def test_a_question_that_makes_no_sense_ends_with_2(words, message, photos, capsys):
    code, out, err = asked(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err


def test_control_characters_of_a_question_are_escaped_when_it_is_echoed(photos, capsys):
    _, _, err = asked(capsys, "black \x1b[2J\u202e")
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert r"\x1b[2J\u202e" in err


def test_a_question_that_begins_with_a_dash_follows_two_dashes(photos, capsys):
    assert asked(capsys, "--", "-red- red")[0] == 0


def test_without_a_store_it_ends_with_4_and_says_how_to_make_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = asked(capsys, "red")
    assert (code, out) == (4, "")
    assert "no store" in err
    assert "usearch index" in err


def test_a_store_named_that_is_none_ends_with_4(tmp_path, capsys):
    assert asked(capsys, "red", "--store", str(tmp_path / "nowhere"))[0] == 4


@pytest.mark.parametrize("below", [".usearch", "."])
def test_a_store_is_named_by_itself_or_by_the_folder_that_holds_it(below, photos, capsys):
    assert asked(capsys, "red", "--store", str(photos.parent / below))[0] == 0


def test_a_store_that_is_named_is_never_another_one_above(photos, capsys):
    (photos.parent / "empty").mkdir()
    code, out, err = asked(capsys, "red", "--store", str(photos.parent / "empty"))
    assert (code, out) == (4, "")
    assert "no store at" in err


def test_a_store_whose_manifest_is_gone_answers_as_of_the_one_before_and_says_so(photos, capsys):
    store = photos.parent / ".usearch"
    copy = photos.parent / "copy"
    shutil.copytree(store, copy)
    (copy / "manifest.json").rename(copy / "manifest.previous.json")
    code, _, err = asked(capsys, "red", "--store", str(copy))
    assert code == 0
    assert f"usearch rebuild --store {copy}" in err


def test_the_environment_names_the_store(photos, tmp_path_factory, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("USEARCH_STORE", str(photos.parent / ".usearch"))
    code, out, _ = asked(capsys, "red")
    assert code == 0
    # The photos are not below the current folder: their full path is shown.
    assert out.splitlines()[0].endswith(f"\t{photos / 'a.png'}")


def test_an_empty_store_ends_with_1_and_says_so(tmp_path, monkeypatch, capsys):
    toy_preset.install(monkeypatch)
    with open_writer(
        tmp_path / ".usearch", space=toy_preset.SPACE, preset="mini", segmenter="grid",
        segmenter_settings={},
    ) as writer:  # fmt: skip
        writer.add([])
    code, out, err = asked(capsys, "red", "--store", str(tmp_path / ".usearch"))
    assert (code, out) == (1, "")
    assert "no segments" in err


def test_a_store_of_another_space_ends_with_4_and_names_both(photos, monkeypatch, capsys):
    from usearch.models import presets
    from usearch.records import EmbeddingSpace

    other = toy_preset.ColourWords(EmbeddingSpace("beef", 4, "colours 2"))
    monkeypatch.setattr(presets, "load_text_encoder", lambda preset: other)
    code, _, err = asked(capsys, "red")
    assert code == 4
    assert "toy colours (toy-colour-1)" in err
    assert "colours 2 (beef)" in err


@pytest.mark.parametrize("name", ["line\nend.png", "[red]markup[/red].png", "\x1b[2Jclear.png"])
def test_odd_file_names_are_shown_escaped_and_kept_exact_in_json(name, photos, capsys):
    toy_preset.quarters(photos / name, "yellow", "yellow", "yellow", "yellow")
    index_photos([photos], photos.parent / ".usearch", load_toys, preset="mini", workers=0)
    _, out, _ = asked(capsys, "yellow", "-k", "1")
    assert out.count("\n") == 1
    assert "\x1b" not in out
    _, out, _ = asked(capsys, "yellow", "-k", "1", "--json")
    assert json.loads(out)["hits"][0]["image"] == str(photos / name)


def test_a_name_that_is_no_utf8_comes_as_bytes_beside_what_can_be_read(photos, capsys):
    name = os.fsdecode(b"caf\xe9.png")
    toy_preset.quarters(photos / name, "yellow", "yellow", "yellow", "yellow")
    index_photos([photos], photos.parent / ".usearch", load_toys, preset="mini", workers=0)
    _, out, _ = asked(capsys, "yellow", "-k", "1", "--json")
    [hit] = json.loads(out)["hits"]
    assert hit["image"].endswith("caf\ufffd.png")
    assert Path(os.fsdecode(base64.b64decode(hit["image_base64"]))) == photos / name
    _, out, _ = asked(capsys, "yellow", "-k", "1")
    assert out.rstrip("\n").endswith(r"caf\xe9.png")


def test_a_terminal_gets_a_table_and_no_markup_acts(photos, capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.query_output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    toy_preset.quarters(photos / "[red]x.png", "yellow", "yellow", "yellow", "yellow")
    index_photos([photos], photos.parent / ".usearch", load_toys, preset="mini", workers=0)
    code, out, _ = asked(capsys, "yellow [b]")
    assert code == 0
    assert "photos/[red]x.png" in out
    assert "yellow [b]" in out
    assert "25 %" in out


@pytest.mark.parametrize("columns", ["0", "1", "20"])
def test_a_table_survives_a_narrow_terminal(columns, photos, capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.query_output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", columns)
    assert asked(capsys, "red")[0] == 0


def test_python_asks_the_same_question(photos):
    hits = open_store(photos.parent).query("red", k=3, everything=True)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert Path(hits[0].image) == photos / "a.png"
    assert hits[0].box == (0, 0, 20, 20)
    assert open_store().query("red", k=1)[0].segment == hits[0].segment


ISOLATED = """
import sys
sys.path[:0] = sys.argv.pop(1).split(":")
from usearch.models import presets
import toy_words
presets.load_text_encoder = lambda preset: toy_words.ColourWords()
presets.preset_calibration = lambda preset: toy_words.CALIBRATION
presets.preset_templates = lambda preset: "single"
from usearch.cli import main
code = main()
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def test_a_query_imports_neither_torch_nor_what_builds_stores(photos, tmp_path):
    # toy_preset itself is light; only `install` needs the indexer.
    (tmp_path / "toy_words.py").write_text(Path(toy_preset.__file__).read_text())
    done = subprocess.run(
        [sys.executable, "-c", ISOLATED, str(tmp_path), "query", "red"],
        capture_output=True,
        text=True,
        cwd=photos.parent,
    )
    assert done.returncode == 0, done.stderr
    assert "a.png" in done.stdout
    loaded = set(done.stderr.split())
    heavy = {"torch", "indexer", "trainer", "eval", "duckdb", "scipy", "higra", "rich"}
    assert not heavy & loaded
