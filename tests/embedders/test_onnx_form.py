"""`usearch train export`: the ONNX form of a run gives the run's own vectors, without torch."""

import json

import ftfy
import numpy as np
import open_clip
import pytest
import tiny_models as tiny
import tiny_runs
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from indexer.embedders import use_onnx
from indexer.embedders.checkpoint import HeadCard, save_head
from indexer.embedders.head import USEHead
from indexer.embedders.map_tower import mini_tower
from indexer.embedders.run import build_run
from indexer.embedders.towers import resize_positions
from indexer.embedders.use import shape_for
from indexer.embedders.use_onnx import OnnxEmbedder
from trainer.use.export import export_run
from usearch.errors import ModelError, UsageError
from usearch.models.presets import mini_card
from usearch.models.runs import read_run
from usearch.text.bytepairs import BytePairs, cleaned
from usearch.text.runs import RunTexts

TEXTS = ["a red car", "It's 2 o'clock, 100% naïve café", "Ünïcode — ﬁn “quoted”", "x " * 60]


@pytest.fixture
def run(tmp_path, monkeypatch, clip_file, dino_file):
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path))
    tiny_runs.make_head(tmp_path / "run", clip_file, dino_file, data={"photos": 7})
    return tmp_path / "run"


def assert_same_vectors(folder, sizes=((48, 64), (64, 48), (100, 37), (48, 48))):
    in_torch, texts = build_run(folder, "cpu")
    in_onnx = OnnxEmbedder(read_run(folder))
    assert in_onnx.space.id == in_torch.space.id
    for height, width in sizes:
        photo, segments = tiny.photo(height, width), tiny.segments(height, width)
        want, got = in_torch.embed(photo, segments), in_onnx.embed(photo, segments)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, atol=3e-5)
    np.testing.assert_allclose(
        RunTexts(read_run(folder)).encode(TEXTS), texts.encode(TEXTS), atol=3e-5
    )


def test_both_forms_make_the_same_vectors_in_the_same_space(run):
    made = export_run(run)
    assert made.folder == run / "onnx"
    assert made.without == ()
    assert set(made.files) == {
        "bpe.txt.gz", "card.json", "clip.onnx", "dino.onnx", "head.npz", "model.json", "text.onnx",
    }  # fmt: skip
    assert_same_vectors(run)


@pytest.mark.parametrize(("names", "cls"), [(("dino",), True), (("clip",), False)])
def test_so_do_heads_over_one_backbone_and_without_class_tokens(
    tmp_path, monkeypatch, clip_file, dino_file, names, cls
):
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path))
    tiny_runs.make_head(tmp_path / "run", clip_file, dino_file, names, cls)
    export_run(tmp_path / "run")
    assert_same_vectors(tmp_path / "run", [(48, 64), (70, 50)])


def test_a_run_over_the_bundled_tower_takes_its_file_and_its_texts(tmp_path):
    card, tower = mini_card(), mini_tower()
    texts = {
        "library": "usearch",
        "model": card.name,
        "weights": card.files["text.safetensors"],
    }
    shape = shape_for({"mini": tower}, card.space.dim)
    save_head(
        tmp_path / "run",
        USEHead(shape),
        HeadCard(
            shape, {"mini": tower.identity, "text": texts}, {}, {"short": 96, "long": 192}, "",
            30.0, {},
        ),
    )  # fmt: skip
    export_run(tmp_path / "run")
    form = tmp_path / "run" / "onnx"
    assert (form / "mini.onnx").read_bytes() == card.path("tower.onnx").read_bytes()
    assert_same_vectors(tmp_path / "run", [(96, 128), (77, 50)])


def test_an_exported_folder_stands_alone(run, tmp_path):
    made = export_run(run, tmp_path / "elsewhere")
    alone = read_run(made.folder)
    assert alone.head is None
    assert alone.space.id == read_run(run).space.id
    assert alone.card["about"]["data"] == {"photos": 7}
    photo, segments = tiny.photo(48, 64), tiny.segments(48, 64)
    assert OnnxEmbedder(alone).embed(photo, segments).shape == (5, 24)
    with pytest.raises(ModelError, match="is an ONNX form already"):
        export_run(made.folder)


def test_an_export_replaces_an_export_and_nothing_else(run, tmp_path):
    export_run(run)
    export_run(run)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="holds other files"):
        export_run(run, tmp_path / "mine")
    with pytest.raises(UsageError, match="is the folder of a run"):
        export_run(run, run)


def test_an_export_of_an_older_head_is_not_taken_for_that_of_a_newer_one(run, clip_file, dino_file):
    export_run(run)
    assert read_run(run).onnx is not None
    tiny_runs.make_head(run, clip_file, dino_file, seed=5)
    assert read_run(run).onnx is None


@pytest.mark.parametrize("name", ["clip.onnx", "head.npz", "text.onnx", "model.json"])
def test_a_damaged_file_is_named(run, name):
    folder = export_run(run).folder
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 255
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name} is damaged"):
        OnnxEmbedder(read_run(run))
        RunTexts(read_run(run)).encode(["a cat"])


def test_a_card_whose_parts_give_another_space_is_refused(run, tmp_path):
    folder = export_run(run, tmp_path / "alone").folder
    card = json.loads((folder / "card.json").read_text())
    card["space"]["made_by"]["input"]["short"] = 64
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="was made for the space"):
        read_run(folder)


@settings(max_examples=30, deadline=None)
@given(
    native=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    grid=st.tuples(st.integers(1, 30), st.integers(1, 30)),
)
def test_positions_are_resized_as_torch_does(native, grid):
    table = torch.randn(native[0] * native[1], 3, generator=torch.Generator().manual_seed(0))
    want = resize_positions(table, native, grid).numpy()
    got = use_onnx.resize_positions(table.numpy(), native, grid)
    np.testing.assert_allclose(got, want, atol=2e-5)


@pytest.fixture(scope="module")
def theirs():
    return open_clip.get_tokenizer("ViT-B-32-quickgelu")


@pytest.fixture(scope="module")
def pairs():
    from pathlib import Path

    from open_clip.tokenizer import default_bpe

    return BytePairs(Path(default_bpe()))


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Co", "Cn"]), max_size=40
    )
)
def test_texts_become_the_tokens_of_open_clip(pairs, theirs, text):
    # ftfy also guesses at text that was decoded wrongly; what it leaves alone must be equal.
    assume(ftfy.fix_text(cleaned(text)) == cleaned(text))
    want = theirs([cleaned(text)], context_length=77).numpy()
    np.testing.assert_array_equal(pairs([text], 77), want)


@pytest.mark.parametrize(
    "text", [*TEXTS, "", "  two\n lines\t", "&amp;lt; R&amp;B", "ＷＩＤＥ", "don't"]
)
def test_so_do_texts_as_people_type_them(pairs, theirs, text):
    want = theirs([text], context_length=20).numpy()
    np.testing.assert_array_equal(pairs([text], 20), want)
