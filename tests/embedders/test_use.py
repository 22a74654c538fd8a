"""The USE embedder, from image and segments to unit vectors."""

import numpy as np
import pytest
import tiny_models as tiny
import torch

from indexer.embedders.head import USEHead, fold
from indexer.embedders.keys import keys_of
from indexer.embedders.towers import ClipTower, InputSize, TimmTower, common_multiple, to_pixels
from indexer.embedders.use import (
    USEEmbedder,
    pooled_tokens,
    shape_for,
    space_of,
    use_space,
)
from usearch.errors import ModelError, ResourceError
from usearch.masks import pooling_weights, segments_from_masks

SIZE = InputSize(short=48, long=96)
SPACE = space_of("test", 24, {"kind": "test"})


def towers():
    return {
        "clip": ClipTower(tiny.clip().visual, {"model": "tiny clip"}),
        "dino": TimmTower(tiny.dino(), {"model": "tiny dino"}, last=2),
    }


def random_head(shape):
    torch.manual_seed(5)
    head = USEHead(shape).eval()
    with torch.no_grad():
        for p in head.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return head


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("names", [("clip", "dino"), ("clip",), ("dino",)])
@pytest.mark.parametrize("cls", [True, False], ids=["cls", "no cls"])
def test_embedding_is_the_paper_s_map_of_patches_pooled_by_area(names, cls):
    photo, segments = tiny.photo(48, 64), tiny.segments(48, 64)
    chosen = {n: towers()[n] for n in names}
    shape = shape_for(chosen, 24, cls=cls)
    head = random_head(shape)
    ours = USEEmbedder(chosen, fold(head), SPACE, SIZE).embed(photo, segments)

    pixels = to_pixels(photo, (48, 64))
    tokens, cls_tokens = {}, {}
    for name, tower in chosen.items():
        tokens[name] = []
        cls_tokens[name] = tower.run(pixels, lambda _, x, k=name: tokens[k].append(x[0]))[0]
    with torch.no_grad():
        patches = head(tokens, cls_tokens).numpy()
    want = unit(pooling_weights(segments, (6, 8)) @ patches)
    np.testing.assert_allclose(ours, want, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)
    assert ours.dtype == np.float32


def test_cached_pooled_tokens_through_the_unfolded_head_give_the_same_vectors():
    photo, segments = tiny.photo(48, 64), tiny.segments(48, 64)
    both = towers()
    head = random_head(shape_for(both, 24))
    pooled, cls = pooled_tokens(both, to_pixels(photo, (48, 64)), segments)
    assert [tuple(x.shape) for x in pooled["clip"]] == [(5, tiny.WIDTH)] * 3
    assert len(pooled["dino"]) == 2
    want = unit(head.project(pooled, cls).detach().numpy())
    ours = USEEmbedder(both, fold(head), SPACE, SIZE).embed(photo, segments)
    np.testing.assert_allclose(ours, want, atol=2e-5)


def test_grids_of_two_patch_sizes_cover_the_same_picture():
    both = {
        "clip": ClipTower(tiny.clip(image_size=32, patch=8).visual, {}),
        "dino": TimmTower(tiny.dino(image_size=24, patch=6), {}, last=1),
    }
    embedder = USEEmbedder(both, fold(random_head(shape_for(both, 24))), SPACE, SIZE)
    left = segments_from_masks([np.arange(64)[None].repeat(48, 0) < 32], [1.0])
    dark, light = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)
    light[:, 48:] = 255
    vectors = [embedder.embed(p, left) for p in (dark, light)]
    assert vectors[0].shape == (1, 24)
    pixels = to_pixels(dark, (48, 72))
    seen = {}
    for name, tower in both.items():
        tower.run(pixels, lambda _, x, k=name: seen.__setitem__(k, x.shape[1]))
    assert seen == {"clip": 6 * 9, "dino": 8 * 12}


def test_the_mask_grid_may_differ_from_the_image():
    photo = tiny.photo(96, 128)
    both = towers()
    embedder = USEEmbedder(both, fold(random_head(shape_for(both, 24))), SPACE, SIZE)
    fine = tiny.segments(96, 128)
    coarse = segments_from_masks(
        [np.ones((24, 32), bool), np.arange(32)[None].repeat(24, 0) < 16], [1.0, 1.0]
    )
    np.testing.assert_allclose(
        embedder.embed(photo, coarse), embedder.embed(photo, fine)[:2], atol=1e-5
    )


def test_no_segments_give_no_vectors():
    both = towers()
    embedder = USEEmbedder(both, fold(random_head(shape_for(both, 24))), SPACE, SIZE)
    none = segments_from_masks([np.ones((8, 8), bool)], [1.0])
    none = type(none)(
        none.size, [], none.boxes[:0], none.areas[:0], none.scores[:0], none.parents[:0],
        none.depths[:0],
    )  # fmt: skip
    assert embedder.embed(tiny.photo(48, 64), none).shape == (0, 24)


def test_keys_are_the_last_block_of_dino_and_do_not_depend_on_the_head():
    photo, segments = tiny.photo(48, 64), tiny.segments(48, 64)
    both = towers()
    shape = shape_for(both, 24)
    embedder = USEEmbedder(both, fold(random_head(shape)), SPACE, SIZE)
    vectors, keys = embedder.embed_keyed(photo, segments)
    assert (vectors == embedder.embed(photo, segments)).all()
    pixels = to_pixels(photo, SIZE.fit(48, 64, common_multiple(both.values())))
    pooled, _ = pooled_tokens(both, pixels, segments)
    np.testing.assert_allclose(keys, keys_of(pooled["dino"][-1].numpy()), atol=1e-5)
    torch.manual_seed(9)
    other = USEEmbedder(both, fold(USEHead(shape).eval()), SPACE, SIZE)
    assert (other.embed_keyed(photo, segments)[1] == keys).all()
    assert other.key_space == embedder.key_space
    one = {"clip": both["clip"]}
    alone = USEEmbedder(one, fold(USEHead(shape_for(one, 24))), SPACE, SIZE)
    assert alone.key_space.id != embedder.key_space.id


def test_a_head_for_other_backbones_is_refused():
    both = towers()
    head = fold(random_head(shape_for(both, 24)))
    with pytest.raises(ModelError, match="needs a backbone 'dino'"):
        USEEmbedder({"clip": both["clip"]}, head, SPACE)
    deeper = both | {"dino": TimmTower(tiny.dino(), {}, last=3)}
    with pytest.raises(ModelError, match="'dino': the head takes 2 blocks of 32 channels"):
        USEEmbedder(deeper, head, SPACE)


def test_an_image_that_does_not_fit_is_one_clear_error(monkeypatch):
    both = towers()
    embedder = USEEmbedder(both, fold(random_head(shape_for(both, 24))), SPACE, SIZE)

    def never(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(both["dino"], "run", never)
    with pytest.raises(ResourceError, match="not enough memory"):
        embedder.embed(tiny.photo(48, 64), tiny.segments(48, 64))


def test_the_space_id_depends_on_all_that_shapes_a_vector():
    identity = {"clip": {"model": "a", "weights": "1"}, "dino": {"model": "b", "weights": "2"}}
    ids = {
        use_space("x", 24, identity, "head", SIZE).id,
        use_space("x", 32, identity, "head", SIZE).id,
        use_space("x", 24, {"clip": identity["clip"]}, "head", SIZE).id,
        use_space("x", 24, identity | {"dino": {"model": "b", "weights": "3"}}, "head", SIZE).id,
        use_space("x", 24, identity, "other head", SIZE).id,
        use_space("x", 24, identity, "head", InputSize(56, 96)).id,
    }
    assert len(ids) == 6
    again = use_space("another name", 24, identity, "head", SIZE)
    assert again.id in ids, "the name is for people"
