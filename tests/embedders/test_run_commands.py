"""A folder of `usearch train` in the commands: --model, the setting, and what a store remembers."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import tiny_models as tiny
import tiny_runs
from PIL import Image

import usearch.cli.index
from trainer.use.export import export_run
from usearch import open_store
from usearch.cli import main
from usearch.errors import ModelError, SpaceMismatch


@pytest.fixture
def folder(tmp_path, monkeypatch, clip_file, dino_file):
    """A folder with a photo, the run `birds`, and its backbones among the weights."""
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(usearch.cli.index, "_default_workers", lambda *_: 0)
    tiny_runs.make_head(tmp_path / "birds", clip_file, dino_file)
    (tmp_path / "photos").mkdir()
    Image.fromarray(tiny.photo(64, 96)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "names.txt").write_text("bird\nsky\ntree\n")
    return tmp_path


@pytest.fixture
def said(capsys):
    def run(*words):
        code = main([*map(str, words)])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return run


def test_a_run_indexes_and_the_store_remembers_it(folder, said):
    code, _, err = said("index", "photos", "--model", "birds")
    assert code == 0, err
    assert said("query", "a bird", "--all", "--paths")[1].endswith("photos/a.png\n")
    code, out, _ = said("info", "--json")
    held = json.loads(out)
    assert held["preset"] == str(folder / "birds")
    card = json.loads((folder / "birds" / "head.json").read_text())
    assert held["space"] == {"id": card["space_id"], "dim": 24, "name": "USE birds"}
    assert said("index", "photos")[0] == 0, "the store's own model, unasked"


def test_every_command_over_the_store_takes_it(folder, said):
    said("index", "photos", "--model", "birds")
    classes = ("--classes", "names.txt")
    assert said("query", "--image", "./photos/a.png", "--all", "--model", "birds")[0] == 0
    assert said("segment", "photos", *classes, "--model", "birds", "-o", "new")[0] == 0
    assert said("segment", "--from-store", *classes, "--model", "birds", "-o", "stored")[0] == 0
    assert said("classify", *classes, "--model", "birds")[0] == 0
    assert (folder / "new" / "a.png").is_file()
    new, stored = (folder / name / "a.png" for name in ("new", "stored"))
    with Image.open(new) as one, Image.open(stored) as other:
        assert one.size == other.size == (96, 64)


def test_another_model_is_refused_with_both_names(folder, said, clip_file, dino_file):
    said("index", "photos", "--model", "birds")
    tiny_runs.make_head(folder / "cats", clip_file, dino_file, seed=1)
    for words in (
        ["query", "a cat", "--model", "cats"],
        ["query", "a cat", "--model", "mini"],
        ["index", "photos", "--model", "cats"],
        ["classify", "--class", "cat", "--model", "cats"],
    ):
        code, out, err = said(*words)
        assert (code, out) == (4, "")
        assert "USE birds" in err
        assert ("USE cats" in err) == ("cats" in words)
    with pytest.raises(SpaceMismatch):
        open_store(model="cats").query("a cat")


def test_a_model_that_moved_is_asked_for_and_found_by_its_space(folder, said, monkeypatch):
    said("index", "photos", "--model", "birds")
    (folder / "far").mkdir()
    shutil.move(folder / "birds", folder / "far" / "renamed")
    code, _, err = said("query", "a bird", "--all")
    assert code == 6
    assert f"trained model {folder / 'birds'}, which is not there" in err
    assert "--model" in err
    assert said("query", "a bird", "--all", "--model", "far/renamed")[0] == 0
    monkeypatch.setenv("USEARCH_MODEL", str(folder / "far" / "renamed"))
    assert said("query", "a bird", "--all")[0] == 0
    assert said("index", "photos", "--model", "far/renamed")[0] == 0


def test_the_setting_is_for_new_work_and_what_is_typed_wins(folder, said):
    (folder / "usearch.toml").write_text('model = "birds"\n')
    assert said("index", "photos")[0] == 0
    assert json.loads(said("info", "--json")[1])["space"]["name"] == "USE birds"
    _, out, _ = said("segment", "photos", "--classes", "names.txt", "--json")
    assert json.loads(out)["preset"] == str(folder / "birds")
    code, _, err = said("index", "photos", "--model", "birds", "--preset", "mini")
    assert code == 2
    assert "--model and --preset" in err


def test_texts_that_were_asked_need_no_torch_and_others_say_what_is_missing(
    folder, said, monkeypatch
):
    said("index", "photos", "--model", "birds")
    said("query", "a bird", "--all")
    for name in ("torch", "open_clip", "indexer.embedders.run"):
        monkeypatch.setitem(sys.modules, name, None)
    code, out, _ = said("query", "a bird", "--all", "--paths")
    assert (code, out[-13:]) == (0, "photos/a.png\n")
    code, _, err = said("query", "a cat", "--all")
    assert code == 6
    assert "need torch" in err
    assert "use-segments[torch]" in err


def test_an_exported_run_indexes_and_answers_where_torch_cannot_be_imported(folder, tmp_path):
    export_run(folder / "birds")
    (tmp_path / "bare").mkdir()
    for name in ("torch", "open_clip", "timm"):
        (tmp_path / "bare" / f"{name}.py").write_text("raise ImportError('not here')\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path / 'bare'}{os.pathsep}{os.environ['PYTHONPATH']}"}
    program = [sys.executable, "-m", "usearch"]
    for words in (
        ["index", "photos", "--model", "birds/onnx", "--workers", "1"],
        ["query", "a bird", "--all"],
    ):
        done = subprocess.run([*program, *words], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "photos/a.png" in done.stdout
    assert open_store().query("a bird", everything=True)


def test_a_backbone_that_is_another_file_is_refused_with_both_hashes(folder, said):
    before = tiny_runs.sha256(folder / "tiny_dino.pth")
    tiny_runs.write_dino(folder / "tiny_dino.pth", seed=7)
    code, _, err = said("index", "photos", "--model", "birds")
    assert code == 6
    assert before in err
    assert tiny_runs.sha256(folder / "tiny_dino.pth") in err


def test_a_folder_without_a_model_is_told(folder, said):
    (folder / "empty").mkdir()
    code, _, err = said("index", "photos", "--model", "empty")
    assert (code, "holds no trained model" in err) == (6, True)
    code, _, err = said("index", "photos", "--model", "bords")
    assert (code, "there is no preset 'bords'" in err) == (2, True)
    with pytest.raises(ModelError, match="there is no folder"):
        open_store(model="far/away")


def test_info_prints_the_card_and_list_and_doctor_know_the_run(folder, said):
    code, out, _ = said("models", "info", "birds")
    assert code == 0
    for part in ("shape:", "towers:", "weights: ", "data:", "recipe:", "metrics:", "space_id: "):
        assert part in out
    card = json.loads((folder / "birds" / "head.json").read_text())
    assert json.loads(said("models", "info", "birds", "--json")[1])["card"] == card
    listed = said("models", "list")[1]
    assert "birds\there\t" in listed
    assert str(folder / "birds") in listed
    assert said("models", "verify")[0] == 0
    (folder / "birds" / "head.safetensors").write_bytes(b"damaged")
    code, out, _ = said("models", "verify", "birds")
    assert (code, out.split("\t")[:2]) == (9, ["birds", "damaged"])
