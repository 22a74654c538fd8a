"""`usearch demo`: sample photos from installed packages, every command as one would type it."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import pytest
import toy_preset
from PIL import Image

from usearch.cli import demo as command
from usearch.cli import main


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """Colours for models; the packages hold two photos of coloured tiles."""
    toy_preset.install(monkeypatch)
    toy_preset.quarters(
        tmp_path / "skimage" / "data" / "chelsea.png", "red", "green", "blue", "red"
    )
    toy_preset.quarters(tmp_path / "sklearn" / "datasets" / "images" / "china.jpg", *["white"] * 4)
    for package in ("skimage", "sklearn"):
        (tmp_path / package / "__init__.py").write_text("raise ImportError('never imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for package in ("skimage", "sklearn"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(command, "QUERIES", ("red", "black"))
    monkeypatch.setattr(command, "CLASSES", "red\nwhite\ngreen\n")
    monkeypatch.setattr("usearch.cli.index._default_workers", lambda *_: 0)


def test_the_samples_are_found_without_importing_their_packages(colours):
    assert sorted(command.sample_files()) == ["cat.png", "temple.jpg"]


def test_all_sample_photos_ship_with_the_installed_packages():
    if not (find_spec("skimage") and find_spec("sklearn")):
        pytest.skip("the extra `demo` is not installed")
    assert list(command.sample_files()) == list(command.SAMPLES)


def test_without_the_packages_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(command, "SAMPLES", {"cat.png": ("no_such_package_here", "cat.png")})
    assert main(["demo"]) == 6
    assert "pip install 'use-segments[demo]'" in capsys.readouterr().err


def test_it_indexes_asks_segments_and_says_where_the_pictures_are(colours, capsys):
    assert main(["demo"]) == 0
    streams = capsys.readouterr()
    assert sorted(os.listdir("usearch-demo")) == [
        ".usearch", "answers", "classes.txt", "maps", "photos",
    ]  # fmt: skip
    assert "$ usearch index usearch-demo/photos --store usearch-demo/.usearch" in streams.err
    assert "$ usearch query red" in streams.err
    assert "nothing here matches 'black'" in streams.err
    assert "next, try:" in streams.err
    pictures = streams.out.splitlines()[-3:]
    assert pictures == [
        "usearch-demo/answers/red.png",
        "usearch-demo/maps/cat-overlay.png",
        "usearch-demo/maps/temple-overlay.png",
    ]
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width > 40


def test_it_can_be_shown_again(colours, capsys):
    assert main(["demo", "-o", "again"]) == 0
    assert main(["demo", "-o", "again"]) == 0
    assert "2 unchanged" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_ends_with_3(colours, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file")]) == 3
    assert "cannot write" in capsys.readouterr().err
