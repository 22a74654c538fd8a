"""`usearch info`, `check`, `rebuild` and `compact` over a small store."""

from __future__ import annotations

import json

import pytest
import toy_preset
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.cli import main


@pytest.fixture
def store(tmp_path, monkeypatch):
    toy_preset.quarters(tmp_path / "photos" / "a.png", "red", "green", "blue", "white")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".usearch"


def test_info_says_what_the_store_holds(store, capsys):
    assert main(["info"]) == 0
    lines = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["photos"] == "2"
    assert lines["segments"] == "4"
    assert lines["preset"] == "mini"
    assert lines["space.name"] == "toy colours"


def test_info_as_json_is_one_object(store, capsys):
    assert main(["info", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["segments"] == 4
    assert sum(document["photos_by_status"].values()) == 2


def test_info_on_a_terminal_is_a_table(store, capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.info.is_terminal", lambda: True)
    assert main(["info"]) == 0
    assert "toy colours" in capsys.readouterr().out


def test_a_sound_store_passes_the_check(store, capsys):
    assert main(["check"]) == 0
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "is sound" in streams.err


def test_a_damaged_store_fails_the_check_with_9_and_a_line_for_each_problem(store, capsys):
    [vectors] = store.glob("parts/*/vectors.f16")
    vectors.chmod(0o644)
    vectors.write_bytes(b"\0" * vectors.stat().st_size)
    assert main(["check"]) == 9
    streams = capsys.readouterr()
    assert "vectors.f16" in streams.out
    assert "rebuild" in streams.err
    assert main(["check", "--json"]) == 9
    assert len(json.loads(capsys.readouterr().out)["problems"]) == len(streams.out.splitlines())


def test_rebuild_leaves_out_what_is_damaged_and_says_so(store, capsys):
    [vectors] = store.glob("parts/*/vectors.f16")
    vectors.chmod(0o644)
    vectors.write_bytes(b"\0" * vectors.stat().st_size)
    assert main(["rebuild"]) == 0
    assert "left out part" in capsys.readouterr().out
    assert main(["check"]) == 0
    capsys.readouterr()
    assert main(["info"]) == 0
    assert "segments\t0" in capsys.readouterr().out


def test_rebuild_of_a_sound_store_has_nothing_to_do(store, capsys):
    assert main(["rebuild"]) == 0
    assert "nothing to rebuild" in capsys.readouterr().err


def test_compact_keeps_every_answer(store, capsys):
    assert main(["compact", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes_freed"] >= 0
    assert main(["info"]) == 0
    assert "segments\t4" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["info", "check", "rebuild", "compact"])
def test_without_a_store_they_end_with_4(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 4
    assert "no store" in capsys.readouterr().err
