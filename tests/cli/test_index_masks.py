"""`usearch index --masks`: wrong entries refuse the file, or are left out and listed."""

from __future__ import annotations

import json

import pytest
import toy_preset

import indexer.presets
from indexer.segmenters.given import GivenSegmenter
from usearch import open_store
from usearch.cli import main

TILE = [0, 0, 20, 0, 20, 20, 0, 20]


@pytest.fixture
def masks(tmp_path, monkeypatch):
    """A photo of 40 x 40 pixels, and masks of it of which two are wrong."""
    toy_preset.install(monkeypatch)

    def load(preset, segmenter, device, *, masks, skip_invalid=False, threads=1):
        return GivenSegmenter(masks, skip_invalid=skip_invalid), load_toys()[1]

    from toys import load_toys

    monkeypatch.setattr(indexer.presets, "load_indexer", load)
    toy_preset.quarters(tmp_path / "photos" / "a.png", "red", "green", "blue", "white")
    images = [{"id": 1, "file_name": "a.png", "width": 40, "height": 40}]
    images += [{"id": "2", "file_name": "gone.png", "width": 40, "height": 40}]
    annotations = [
        {"image_id": 1, "segmentation": [TILE]},
        {"image_id": 1, "segmentation": []},
        {"image_id": "2", "segmentation": [TILE]},
    ]
    path = tmp_path / "masks.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("usearch.cli.index._default_workers", lambda *_: 0)
    return path


def test_wrong_entries_refuse_the_file_and_all_are_named(masks, capsys):
    assert main(["index", "photos", "--masks", "masks.json"]) == 3
    err = capsys.readouterr().err
    assert "2 problems" in err
    assert "images[1]: id '2'" in err
    assert "annotations[2]" in err
    assert "--skip-invalid" in err


def test_wrong_entries_can_be_left_out_and_are_listed(masks, tmp_path, capsys):
    words = ["index", "photos", "--masks", "masks.json", "--skip-invalid", "--json"]
    assert main(words) == 0
    streams = capsys.readouterr()
    assert [line.split(":")[0] for line in json.loads(streams.out)["masks_left_out"]] == [
        "images[1]",
        "annotations[2]",
    ]
    assert "entries left out: 2 problems" in streams.err
    snapshot = open_store(tmp_path / ".usearch").snapshot
    [row] = snapshot.segments(snapshot.live_rows()).to_pylist()
    assert [row[k] for k in ("x0", "y0", "x1", "y1")] == [0, 0, 20, 20]


def test_it_is_about_masks_alone(masks, capsys):
    assert main(["index", "photos", "--skip-invalid"]) == 2
    assert "--masks" in capsys.readouterr().err
