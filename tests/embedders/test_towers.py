"""Towers compute what open_clip and timm compute, block by block."""

import numpy as np
import open_clip
import pytest
import timm
import tiny_models as tiny
import torch

from indexer.embedders.head import PAPER
from indexer.embedders.towers import (
    CLIP_MEAN,
    CLIP_STD,
    ClipTower,
    InputSize,
    TimmTower,
    clip_tower,
    common_multiple,
    resize_positions,
    to_pixels,
)
from indexer.embedders.use import shape_for
from usearch.errors import ModelError

EXACT = {"rtol": 1e-5, "atol": 1e-5}


def run(tower, pixels):
    blocks = {}
    cls = tower.run(pixels, lambda i, x: blocks.__setitem__(i, x))
    assert list(blocks) == list(range(len(tower.widths)))
    return list(blocks.values()), cls


def normalised(pixels, mean, std):
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def test_clip_blocks_are_open_clip_s_and_lead_to_its_image_vector():
    model = tiny.clip()
    pixels = to_pixels(tiny.photo(32, 32), (32, 32))
    blocks, cls = run(ClipTower(model.visual, {}), pixels)
    with torch.no_grad():
        theirs = model.visual.forward_intermediates(
            normalised(pixels, CLIP_MEAN, CLIP_STD), output_fmt="NLC"
        )
        pooled = cls @ model.visual.proj
    assert len(blocks) == 3
    for ours, their in zip(blocks, theirs["image_intermediates"], strict=True):
        torch.testing.assert_close(ours, their, **EXACT)
    torch.testing.assert_close(pooled, theirs["image_features"], **EXACT)
    torch.testing.assert_close(
        pooled, model.encode_image(normalised(pixels, CLIP_MEAN, CLIP_STD)), **EXACT
    )


def test_the_first_block_is_a_block_and_not_the_embedding():
    tower = ClipTower(tiny.clip().visual, {})
    pixels = to_pixels(tiny.photo(32, 32), (32, 32))
    blocks, _ = run(tower, pixels)
    embedded = tower.embed_pixels(pixels)
    assert not torch.allclose(blocks[0], embedded[:, 1:], atol=1e-3)
    first = tower.visual.transformer.resblocks[0](embedded)
    torch.testing.assert_close(blocks[0], first[:, 1:], **EXACT)


@pytest.mark.parametrize("size", [(40, 40), (24, 24), (16, 48)], ids=["native", "small", "wide"])
@pytest.mark.parametrize("registers", [0, 4])
def test_dino_blocks_are_timm_s_at_any_size(size, registers):
    kwargs = {"reg_tokens": registers, "no_embed_class": True} if registers else {}
    vit = tiny.dino(**kwargs)
    tower = TimmTower(vit, {}, last=2)
    pixels = to_pixels(tiny.photo(*size), size)
    blocks, cls = run(tower, pixels)
    with torch.no_grad():
        final, theirs = vit.forward_intermediates(
            normalised(pixels, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            indices=2,
            output_fmt="NLC",
        )
    assert len(blocks) == 2
    assert blocks[0].shape[1] == size[0] * size[1] // 64, "patch tokens only"
    for ours, their in zip(blocks, theirs, strict=True):
        torch.testing.assert_close(ours, their, **EXACT)
    torch.testing.assert_close(cls, final[:, 0], **EXACT)


def test_a_vit_without_class_token_gives_its_mean():
    vit = tiny.dino(class_token=False, global_pool="avg", fc_norm=False)
    pixels = to_pixels(tiny.photo(40, 40), (40, 40))
    _, cls = run(TimmTower(vit, {}, last=1), pixels)
    with torch.no_grad():
        x = normalised(pixels, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        torch.testing.assert_close(cls, vit.forward_features(x).mean(1), **EXACT)


def test_clip_positions_are_resized_as_open_clip_resizes_them():
    from open_clip.model import resize_pos_embed

    small, large = tiny.clip(image_size=32), tiny.clip(image_size=48, seed=3)
    state = dict(small.state_dict())
    resize_pos_embed(state, large)
    ours = ClipTower(small.visual, {}).positions((6, 6))
    torch.testing.assert_close(ours, state["visual.positional_embedding"], **EXACT)


def test_positions_keep_the_class_token_and_are_computed_once_in_float32():
    tower = ClipTower(tiny.clip().visual.to(torch.bfloat16), {})
    wide = tower.positions((2, 7))
    assert wide.dtype == torch.float32
    assert wide.shape == (15, tiny.WIDTH)
    torch.testing.assert_close(wide[0], tower.visual.positional_embedding[0].float())
    assert tower.positions((2, 7)) is wide


def test_resized_positions_run_along_the_right_axes():
    rows = torch.arange(4.0)[:, None].expand(4, 4).reshape(16, 1)
    wide = resize_positions(rows, (4, 4), (4, 8)).reshape(4, 8)
    torch.testing.assert_close(wide, torch.arange(4.0)[:, None].expand(4, 8))


def test_each_backbone_has_its_own_normalisation():
    flat = np.zeros((40, 40, 3), np.uint8)
    pixels = to_pixels(flat, (40, 40))
    dino = TimmTower(tiny.dino(), {}, last=2)
    as_clip = TimmTower(tiny.dino(), {}, last=2, mean=CLIP_MEAN, std=CLIP_STD)
    assert not torch.allclose(run(dino, pixels)[1], run(as_clip, pixels)[1], atol=1e-4)


def test_quick_gelu_is_part_of_the_identity_and_of_the_result():
    quick, plain = (tiny.clip(quick_gelu=q) for q in (True, False))
    plain.load_state_dict(quick.state_dict())
    towers = [ClipTower(m.visual, {"model": "x"}) for m in (quick, plain)]
    assert [t.identity["activation"] for t in towers] == ["QuickGELU", "GELU"]
    pixels = to_pixels(tiny.photo(32, 32), (32, 32))
    a, b = (run(t, pixels)[1] for t in towers)
    assert not torch.allclose(a, b, atol=1e-4)


def test_towers_are_frozen():
    tower = ClipTower(tiny.clip().visual, {})
    assert not any(p.requires_grad for p in tower.visual.parameters())
    blocks, cls = run(tower, to_pixels(tiny.photo(32, 32), (32, 32)))
    assert not cls.requires_grad
    assert not blocks[0].requires_grad


def test_an_input_must_divide_into_patches():
    tower = ClipTower(tiny.clip().visual, {})
    with pytest.raises(ValueError, match="30 x 32 does not divide into patches of 8"):
        tower.run(torch.zeros(1, 3, 32, 30), lambda i, x: None)


def test_other_networks_are_refused_with_a_name():
    with pytest.raises(ModelError, match="RN50 has no plain ViT"):
        ClipTower(torch.nn.Linear(2, 2), {"model": "RN50"})
    with pytest.raises(ModelError, match="resnet is not a plain ViT"):
        TimmTower(torch.nn.Linear(2, 2), {"model": "resnet"})
    with pytest.raises(ModelError, match="has 4 blocks, the last 6 were asked for"):
        TimmTower(tiny.dino(), {"model": "tiny"}, last=6)


def test_a_timm_vit_inside_an_open_clip_model_can_stand_in():
    class Visual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = tiny.dino()

    class Model:
        visual = Visual()

    tower = clip_tower(Model(), {})
    assert isinstance(tower, TimmTower)
    assert len(tower.widths) == 4, "all blocks of a CLIP tower are used"


def test_input_sizes_are_multiples_of_both_patches_and_bounded():
    size = InputSize(short=560, long=1120)
    assert size.fit(480, 640, 14) == (560, 742)
    assert size.fit(640, 480, 14) == (742, 560)
    assert size.fit(100, 1000, 14) == (112, 1120)
    assert size.fit(1, 1000, 14) == (14, 1120)
    towers = [ClipTower(tiny.clip(patch=8).visual, {}), TimmTower(tiny.dino(24, 6), {}, last=1)]
    assert common_multiple(towers) == 24
    height, width = InputSize(96, 200).fit(300, 400, 24)
    assert height % 24 == width % 24 == 0


def test_pixels_are_resized_only_when_needed():
    photo = tiny.photo(40, 24)
    pixels = to_pixels(photo, (40, 24))
    assert pixels.shape == (1, 3, 40, 24)
    np.testing.assert_allclose(pixels[0].permute(1, 2, 0).numpy() * 255, photo, atol=1e-4)
    assert to_pixels(photo, (16, 32)).shape == (1, 3, 16, 32)


def test_the_published_architectures_have_the_paper_s_shape_and_aligned_grids():
    """Built by open_clip and timm on the meta device: shapes without numbers."""
    with torch.device("meta"):
        clip = open_clip.model.CLIP(**open_clip.get_model_config("ViT-L-14-336-quickgelu"))
        vit = timm.create_model("vit_large_patch14_dinov2", pretrained=False, num_classes=0)
        towers = {"clip": ClipTower(clip.visual, {}), "dino": TimmTower(vit, {})}
        assert shape_for(towers, 768) == PAPER
        assert towers["clip"].identity["activation"] == "QuickGELU"
        assert [t.native for t in towers.values()] == [(24, 24), (37, 37)]
        height, width = InputSize(560, 1120).fit(480, 640, common_multiple(towers.values()))
        assert (height, width) == (560, 742)
        for tower in towers.values():
            blocks, cls = run(tower, torch.zeros(1, 3, height, width, device="meta"))
            assert {tuple(b.shape) for b in blocks} == {(1, 40 * 53, 1024)}
            assert cls.shape == (1, 1024)
