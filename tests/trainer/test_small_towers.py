"""Small networks as frozen backbones: what a head is given is what their maps hold."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from indexer.embedders.head import normalise
from indexer.embedders.map_tower import measured_tower
from indexer.embedders.towers import common_multiple
from indexer.embedders.use import pooled_tokens
from trainer.use.small_towers import SMALL_TOWERS, small_tower
from usearch.errors import InputError, ModelError, UsageError
from usearch.masks import segments_from_masks


def toy_maps(picture):
    """Two maps: mean colours of cells of 8 pixels, and, of 16, with their positions."""
    fine = functional.avg_pool2d(torch.from_numpy(picture)[None], 8)[0]
    coarse = functional.avg_pool2d(fine[None], 2)[0]
    rows = torch.arange(coarse.shape[1]).float()[:, None].expand(coarse.shape[1:])[None]
    return [fine.numpy(), torch.cat([coarse, rows]).numpy()]


@pytest.fixture
def toy():
    return measured_tower(toy_maps, {"model": "toy"})


def tokens_of(tower, pixels):
    found = {}
    cls = tower.run(pixels, lambda block, tokens: found.update({block: tokens}))
    return found, cls


def test_strides_and_channels_are_read_off_the_network(toy):
    assert (toy.patch, toy.widths, toy.cls_width) == (8, (3, 4), 4)


def test_pooling_on_the_finest_grid_is_pooling_on_each_map(toy):
    pixels = torch.rand(1, 3, 64, 96, generator=torch.manual_seed(0))
    mask = np.zeros((64, 96), bool)
    mask[16:32, 32:64] = True  # Whole cells of the coarse map: rows 1, columns 2 and 3.
    segments = segments_from_masks([mask], np.ones(1))
    pooled, _ = pooled_tokens({"toy": toy}, pixels, segments)
    coarse = torch.from_numpy(toy_maps(pixels[0].numpy())[1])
    expected = normalise(coarse[:, 1, 2:4].T).mean(0)
    torch.testing.assert_close(pooled["toy"][1][0], expected, atol=1e-5, rtol=0)


def test_the_class_token_is_the_mean_of_the_coarsest_map(toy):
    pixels = torch.rand(2, 3, 64, 64, generator=torch.manual_seed(1))
    _, cls = tokens_of(toy, pixels)
    for picture, token in zip(pixels, cls, strict=True):
        coarse = torch.from_numpy(toy_maps(picture.numpy())[1])
        torch.testing.assert_close(token, normalise(coarse.flatten(1).T).mean(0))


def test_any_multiple_of_the_patch_will_do(toy):
    whole = torch.rand(1, 3, 64, 64, generator=torch.manual_seed(2))
    cut = whole[:, :, :40, :24]
    found, cls = tokens_of(toy, cut)
    assert found[0].shape == (1, 5 * 3, 3)
    assert found[1].shape == (1, 5 * 3, 4)
    assert cls.shape == (1, 4)
    fine = torch.from_numpy(toy_maps(whole[0].numpy())[0])[:, :5, :3]
    torch.testing.assert_close(found[0][0], fine.flatten(1).T)


def test_a_photo_has_the_same_tokens_alone_and_in_a_batch(toy):
    pixels = torch.rand(3, 3, 32, 32, generator=torch.manual_seed(3))
    together, _ = tokens_of(toy, pixels)
    alone, _ = tokens_of(toy, pixels[1:2])
    torch.testing.assert_close(together[1][1:2], alone[1])


def test_the_bundled_tower_gives_tokens_of_all_its_stages():
    tower = small_tower("mini", None)
    found, cls = tokens_of(tower, torch.rand(1, 3, 64, 64, generator=torch.manual_seed(4)))
    cells = (64 // tower.patch) ** 2
    assert [found[i].shape for i in sorted(found)] == [(1, cells, w) for w in tower.widths]
    assert len(found) == len(tower.identity["blocks"])
    assert cls.shape == (1, tower.cls_width)
    # The network normalises its tokens itself; doing it again changes nothing.
    torch.testing.assert_close(found[0], normalise(found[0]), atol=1e-3, rtol=0)


def test_a_mobilenet_stands_beside_it(shared):
    file = shared / "teachers" / "imagenet" / "model.tflite"
    if not file.is_file():
        pytest.skip("../shared/teachers is not here: this test needs a network of it")
    pytest.importorskip("ai_edge_litert")
    second = small_tower("mobilenet", file)
    assert (second.patch, second.widths, second.cls_width) == (16, (96, 320), 320)
    assert common_multiple([small_tower("mini", None), second]) == 16
    found, _ = tokens_of(second, torch.rand(1, 3, 64, 64, generator=torch.manual_seed(5)))
    assert float(found[1].std()) > 0.1


@pytest.mark.parametrize("name", ["mobilenet", "resnet"])
def test_what_is_missing_is_said(name):
    with pytest.raises(UsageError) as refused:
        small_tower(name, None)
    assert name in refused.value.message
    assert "mobilenet" in refused.value.hint
    assert set(SMALL_TOWERS) == {"mini", "mobilenet"}


def test_a_file_that_is_no_mobilenet_is_refused(tmp_path):
    with pytest.raises(ModelError, match="there is no file"):
        small_tower("mobilenet", tmp_path / "absent.tflite")
    noise = tmp_path / "noise.tflite"
    noise.write_bytes(b"\x00" * 64)
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(InputError):
        small_tower("mobilenet", noise)
