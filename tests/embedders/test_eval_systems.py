"""`usearch eval --systems` over real architectures with small random weights: CLIP and USE."""

import functools
import json

import numpy as np
import pytest
import tiny_models as tiny
import tiny_runs
from PIL import Image

from eval.systems import System, load_system, text_side
from indexer.embedders import build
from indexer.embedders.crop import CropEmbedder
from indexer.embedders.region_clip import RegionClipEmbedder
from usearch.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch, clip_file, dino_file):
    """Two labelled photos, a tiny model as the preset `clip`, and the run `birds`."""
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    named = {"weights": clip_file, "model": "tiny-quickgelu"}
    for name in ("build_clip", "build_clip_text"):
        monkeypatch.setattr(build, name, functools.partial(getattr(build, name), **named))
    tiny_runs.make_head(tmp_path / "birds", clip_file, dino_file)
    labels = np.zeros((64, 96), np.uint8)
    labels[:, 48:] = 1
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    for stem in "ab":
        Image.fromarray(tiny.photo(64, 96)).save(tmp_path / "photos" / f"{stem}.png")
        Image.fromarray(labels).save(tmp_path / "masks" / f"{stem}.png")
    (tmp_path / "names.txt").write_text("bird\nsky\n")
    return tmp_path


@pytest.mark.parametrize(("crops", "kind"), [(False, RegionClipEmbedder), (True, CropEmbedder)])
def test_clip_is_asked_about_regions_or_crops_and_texts_are_of_the_same_space(folder, crops, kind):
    system = System("tree", "clip", crops)
    _, embedder = load_system(system, "cpu")
    assert isinstance(embedder, kind)
    assert text_side(system).space_id == embedder.space.id


def test_crop_clip_region_clip_and_use_stand_in_one_table(folder, capsys):
    systems = "tree+birds,tree+clip,tree+clip-crop,given+birds,given+clip"
    words = ["--images", "photos", "--masks", "masks", "--classes", "names.txt"]
    more = ["--systems", systems, "--device", "cpu", "--workers", "0", "--json"]
    code = main(["eval", "folder", *words, *more])
    streams = capsys.readouterr()
    assert code == 0, streams.err
    found = json.loads(streams.out)["systems"]
    assert [one["system"] for one in found] == systems.split(",")
    assert all(0 <= one["metrics"]["miou_present"] <= 1 for one in found)
    assert len({one["options"]["space_id"] for one in found}) == 3
    assert all(one["metrics"]["covered"] == 1.0 for one in found[3:])


def test_a_run_and_a_second_model_are_one(folder, capsys):
    words = ["--images", "photos", "--masks", "masks", "--classes", "names.txt"]
    more = ["--model", "birds", "--second", "clip-crop", "--second-weight", "0.5"]
    code = main(["eval", "folder", *words, *more, "--device", "cpu", "--workers", "0", "--json"])
    streams = capsys.readouterr()
    assert code == 0, streams.err
    document = json.loads(streams.out)
    assert document["options"]["second_weight"] == 0.5
    assert document["system"] == "tree+birds"
