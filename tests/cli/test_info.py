"""`usearch info`: what people ask about a store."""

from __future__ import annotations

import json

import pytest
import toy_preset
from PIL import Image
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.cli import main


def photograph(path, taken, camera):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0132], exif[0x0110] = taken, camera
    Image.new("RGB", (40, 40), (200, 0, 0)).save(path, exif=exif)


@pytest.fixture
def store(tmp_path, monkeypatch):
    photograph(tmp_path / "a" / "one.JPG", "2019:05:01 10:00:00", "Lumix")
    photograph(tmp_path / "a" / "two.jpg", "2021:05:01 10:00:00", "Lumix")
    photograph(tmp_path / "b" / "three.jpeg", "2021:06:01 10:00:00", "Pixel [red]3[/red]")
    toy_preset.quarters(tmp_path / "b" / "plain.png", "red", "green", "blue", "white")
    (tmp_path / "b" / "words\x1b.jpg").write_bytes(b"no photo")
    folders = [tmp_path / "a", tmp_path / "b"]
    index_photos(folders, tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".usearch"


def test_photos_are_counted_by_folder_ending_year_and_camera(store, capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    root = store.parent
    assert found["photos_by_folder"] == {str(root / "b"): 3, str(root / "a"): 2}
    assert found["photos_by_ending"] == {".jpg": 3, ".jpeg": 1, ".png": 1}
    assert found["photos_by_year"] == {"2019": 1, "2021": 2}
    assert found["photos_by_camera"] == {"Lumix": 2, "Pixel [red]3[/red]": 1}
    assert found["first_taken"] == "2019-05-01T10:00:00"
    assert found["last_taken"] == "2021-06-01T10:00:00"
    assert found["segments_per_photo"] == {"least": 4, "mean": 4.0, "most": 4}
    assert found["bytes_on_disk"] >= sum(found["bytes"].values())


def test_into_a_pipe_every_fact_is_a_line(store, capsys):
    assert main(["info"]) == 0
    lines = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["photos_by_year.2021"] == "2"
    assert lines["segments_per_photo.mean"] == "4.0"


def test_on_a_terminal_counts_stand_in_one_line_and_nothing_is_markup(store, capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.info.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert "Lumix 2, Pixel [red]3[/red] 1" in shown
    assert "MB" in shown


def test_skipped_photos_are_listed_from_the_store_with_their_reasons(store, capsys):
    assert main(["info", "--skipped"]) == 0
    streams = capsys.readouterr()
    path, reason, detail = streams.out.rstrip("\n").split("\t")
    assert path == f"{store.parent}/b/words\\x1b.jpg"
    assert (reason, detail) == ("not_an_image", "the file holds text")
    assert "1 of 5 photos could not be indexed" in streams.err
    assert main(["info", "--skipped", "--json"]) == 0
    [photo] = json.loads(capsys.readouterr().out)["skipped"]
    assert photo["path"] == f"{store.parent}/b/words\x1b.jpg"


def test_an_empty_store_has_no_figures_and_no_error(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.jpg").touch()
    index_photos([tmp_path], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["photos_by_year"] == {} and found["first_taken"] is None
    assert found["segments_per_photo"] == {"least": 0, "mean": 0.0, "most": 0}
