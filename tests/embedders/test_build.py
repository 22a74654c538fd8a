"""From preset to embedder and text encoder, with small models under the published names."""

import json

import numpy as np
import open_clip
import pytest
import tiny_models as tiny
import torch
from tiny_runs import make_head, sha256

from indexer.embedders import build
from indexer.embedders.build import build_clip, build_clip_text
from indexer.embedders.region_clip import RegionClipEmbedder
from indexer.embedders.run import build_large, build_run_text
from indexer.embedders.use import USEEmbedder, use_space
from indexer.memory import pick_device
from usearch.errors import ModelError, ResourceError, UsageError


@pytest.mark.parametrize("mode", ["region", "crop"])
def test_preset_clip_gives_an_embedder_and_a_text_encoder_of_one_space(clip_file, mode):
    embedder, text = build_clip("cpu", clip_file, mode, model="tiny-quickgelu")
    assert embedder.space == text.space
    assert embedder.space.made_by["tower"]["weights"] == sha256(clip_file)
    vectors = embedder.embed(tiny.photo(40, 60), tiny.segments(40, 60))
    assert vectors.shape == (5, 24)
    alone = build_clip_text("cpu", clip_file, mode, model="tiny-quickgelu")
    assert alone.space == text.space
    np.testing.assert_array_equal(alone.encode(["a cat"]), text.encode(["a cat"]))


def test_modes_and_weights_are_spaces_of_their_own(clip_file):
    region, _ = build_clip("cpu", clip_file, "region", model="tiny-quickgelu")
    crop, _ = build_clip("cpu", clip_file, "crop", model="tiny-quickgelu")
    assert region.space.id != crop.space.id
    assert isinstance(region, RegionClipEmbedder)
    assert region.blocks == 1, "a quarter of four blocks"
    state = torch.load(clip_file, weights_only=True)
    torch.save({k: v + 1e-3 for k, v in state.items()}, clip_file)
    changed, _ = build_clip("cpu", clip_file, "region", model="tiny-quickgelu")
    assert changed.space.id != region.space.id


def test_published_names_are_built_with_quick_gelu():
    for name in build.CLIP_MODELS.values():
        assert open_clip.get_model_config(name)["quick_gelu"] is True


def test_the_model_may_be_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("USEARCH_CLIP", "clip-vit-b-32")
    with pytest.raises(ModelError, match=r"needs ViT-B-32\.pt \(354 MB"):
        build_clip("cpu", tmp_path)


def test_usage_mistakes_of_preset_clip(clip_file, tmp_path):
    with pytest.raises(UsageError, match="unknown CLIP model 'no-such'"):
        build_clip("cpu", clip_file, model="no-such")
    with pytest.raises(UsageError, match="unknown mode 'pool'"):
        build_clip("cpu", clip_file, "pool", model="tiny-quickgelu")
    with pytest.raises(ModelError, match="tiny-quickgelu needs its weight file"):
        build_clip("cpu", tmp_path, model="tiny-quickgelu")
    with pytest.raises(ModelError, match=r"needs ViT-L-14-336px\.pt \(934 MB"):
        build_clip("cpu", tmp_path)


def test_devices_that_are_not_there_are_refused():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in ("cpu", "cuda")
    for device in ("cuda:99", "tpu", "cpu:1", ""):
        with pytest.raises(ResourceError, match="is not available here"):
            pick_device(device)


def test_a_trained_head_is_built_over_the_backbones_that_its_card_names(
    tmp_path, clip_file, dino_file
):
    towers = make_head(tmp_path / "use-large", clip_file, dino_file)
    embedder, text = build_large("cpu", tmp_path)
    assert isinstance(embedder, USEEmbedder)
    assert [len(t.widths) for t in embedder.towers.values()] == [4, 2]
    assert embedder.space == text.space
    head_sha = json.loads((tmp_path / "use-large" / "head.json").read_text())["weights"]["sha256"]
    want = use_space("x", 24, towers, head_sha, embedder.size)
    assert embedder.space.id == want.id
    vectors = embedder.embed(tiny.photo(48, 64), tiny.segments(48, 64))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    alone = build_run_text(tmp_path / "use-large", "cpu", tmp_path)
    assert alone.space == text.space
    np.testing.assert_array_equal(alone.encode(["a cat"]), text.encode(["a cat"]))


def test_backbones_other_than_those_of_the_training_are_refused(tmp_path, clip_file, dino_file):
    make_head(tmp_path / "use-large", clip_file, dino_file)
    sha256_before = sha256(dino_file)
    state = torch.load(dino_file, weights_only=True)
    torch.save({k: v + 1e-3 for k, v in state.items()}, dino_file)
    trained, here = sha256_before, sha256(dino_file)
    with pytest.raises(ModelError, match=r"tiny_dino\.pth is not the tiny that the head") as caught:
        build_large("cpu", tmp_path)
    assert trained in caught.value.message
    assert here in caught.value.message
    dino_file.unlink()
    with pytest.raises(ModelError, match=r"the head needs tiny_dino\.pth \(sha256"):
        build_large("cpu", tmp_path)


def test_a_card_of_another_space_is_refused(tmp_path, clip_file, dino_file):
    make_head(tmp_path / "use-large", clip_file, dino_file)
    card = tmp_path / "use-large" / "head.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"space_id": "0" * 16}))
    with pytest.raises(ModelError, match="was made for the space 0000000000000000"):
        build_large("cpu", tmp_path)


def test_without_a_head_the_error_says_that_none_is_published(tmp_path):
    with pytest.raises(ModelError, match="preset large needs a trained USE head") as caught:
        build_large("cpu", tmp_path)
    assert "usearch train" in caught.value.hint
