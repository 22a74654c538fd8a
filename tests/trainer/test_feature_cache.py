"""Training from cached features is training from the photos."""

import json
import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from use_samples import SIDE, ToyText, pairs_file, same_features, towers

from indexer.embedders.head import USEHead
from indexer.embedders.use import shape_for
from trainer.use import cache_writer
from trainer.use.batches import plan_of, steps_of
from trainer.use.cache import cache_key, open_cache
from trainer.use.cache_writer import write_cache
from trainer.use.cached import cached_features, cached_held_out, train_parts
from trainer.use.direct import direct_features, held_out_features
from trainer.use.distributed import Processes
from trainer.use.features import segment_vectors
from trainer.use.loop import batch_loss, train
from trainer.use.photos import collect
from trainer.use.recipe import Recipe
from trainer.use.run_state import read_metrics
from trainer.use.texts import text_bank
from usearch.errors import InputError, ResourceError

RECIPE = Recipe(preset="toy", crop=SIDE, batch=4, epochs=2, min_pixels=8)
ONE = Processes()


@pytest.fixture(scope="module")
def backbones():
    return towers()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return collect([pairs_file(tmp_path_factory.mktemp("pairs") / "pairs.parquet")])


@pytest.fixture(scope="module")
def cache_of(tmp_path_factory, backbones, pairs):
    """Fills a cache with changed arguments of `cache_key`, once each."""

    def make(views=2, stored="float16", folder=None):
        key = cache_key(backbones, RECIPE, pairs, views, stored=stored)
        folder = folder or tmp_path_factory.mktemp("caches") / "cache"
        return write_cache(folder, key, backbones, pairs, RECIPE)

    return make


@pytest.fixture(scope="module")
def bank(pairs):
    return text_bank(pairs.texts, pairs.held_texts, ToyText(), "use4", {})


def steps(pairs):
    return list(steps_of(pairs.train, RECIPE, plan_of(len(pairs.train), RECIPE)))


def a_head(backbones, seed=0):
    torch.manual_seed(seed)
    return USEHead(shape_for(backbones, 16))


def test_each_step_has_the_features_that_the_backbones_give(backbones, pairs, cache_of):
    cache = cache_of(stored="float32")
    cached = cached_features(cache, pairs, steps(pairs), ONE)
    direct = direct_features(pairs, backbones, RECIPE, steps(pairs), ONE)
    for one, other in zip(cached, direct, strict=True):
        assert len(one) > 0
        same_features(one, other, rtol=0, atol=1e-5)


def test_float16_rounds_features_by_half_a_thousandth(backbones, pairs, cache_of):
    one = next(cached_features(cache_of(), pairs, steps(pairs), ONE))
    other = next(direct_features(pairs, backbones, RECIPE, steps(pairs), ONE))
    same_features(one, other, rtol=2**-11, atol=1e-5)


def test_held_out_photos_are_seen_whole(backbones, pairs, cache_of):
    cached = cached_held_out(cache_of(stored="float32"), pairs)
    direct = held_out_features(pairs, backbones, RECIPE)
    same_features(cached, direct, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("stored", "tolerance"), [("float32", 1e-5), ("float16", 3e-3)])
def test_loss_and_gradients_agree_with_direct_training(
    backbones, pairs, cache_of, bank, stored, tolerance
):
    photos = steps(pairs)[:1]
    scale = torch.tensor(math.log(30.0))
    found = []
    for features in (
        next(cached_features(cache_of(stored=stored), pairs, photos, ONE)),
        next(direct_features(pairs, backbones, RECIPE, photos, ONE)),
    ):
        head = a_head(backbones)
        loss, _ = batch_loss(head, scale, features, photos[0], RECIPE, bank, ONE)
        loss.backward()
        found.append((loss.item(), {n: p.grad for n, p in head.named_parameters()}))
    (cached_loss, cached), (direct_loss, direct) = found
    assert cached_loss == pytest.approx(direct_loss, rel=tolerance)
    for name, gradient in direct.items():
        assert (cached[name] - gradient).norm() <= tolerance * gradient.norm() + 1e-6, name


def test_a_whole_run_on_a_cache_is_the_direct_run(tmp_path, backbones, pairs, cache_of, bank):
    cache = cache_of(stored="float32")
    feeds = {
        "cached": partial(cached_features, cache, pairs, processes=ONE),
        "direct": lambda todo: direct_features(pairs, backbones, RECIPE, todo, ONE),
    }
    held = cached_held_out(cache, pairs)
    curves, heads = {}, {}
    for name, feed in feeds.items():
        (tmp_path / name).mkdir()
        plan = plan_of(len(pairs.train), RECIPE)
        done = train(
            RECIPE, plan, pairs.train, feed, bank, a_head(backbones), tmp_path / name, held=held
        )
        curves[name] = [line["loss"] for line in read_metrics(tmp_path / name)]
        heads[name] = segment_vectors(done.head, held)
    assert len(curves["cached"]) == 4
    assert curves["cached"] == pytest.approx(curves["direct"], rel=1e-4)
    torch.testing.assert_close(heads["cached"], heads["direct"], rtol=0, atol=1e-3)


def test_with_fewer_views_than_epochs_they_come_round_again(pairs, cache_of):
    todo = [replace(step, epoch=epoch) for epoch in range(3) for step in steps(pairs)[:1]]
    first, second, third = cached_features(cache_of(), pairs, todo, ONE)
    same_features(first, third, rtol=0, atol=0)
    assert first.rows != second.rows or not torch.equal(
        first.cls["first"][:1], second.cls["first"][:1]
    )


def test_each_process_reads_its_share_of_a_batch(pairs, cache_of):
    cache, todo = cache_of(), steps(pairs)[:1]
    whole = next(cached_features(cache, pairs, todo, ONE))
    halves = [
        next(cached_features(cache, pairs, todo, Processes(rank=rank, count=2))) for rank in (0, 1)
    ]
    assert halves[0].photos + halves[1].photos == whole.photos


def test_all_parts_hold_every_segment_to_train_on(pairs, cache_of):
    cache = cache_of()
    small = [photo for part in train_parts(cache, pairs, size=3) for photo in part.photos]
    large = [photo for part in train_parts(cache, pairs, size=100) for photo in part.photos]
    assert small == large
    assert set(large) <= {f"made/{i}" for i in range(10)}
    some = [photo for part in train_parts(cache, pairs, [0, 4]) for photo in part.photos]
    assert set(some) == set(large) & {"made/0", "made/4"} != set()


def test_filling_goes_on_where_it_stopped(tmp_path, monkeypatch, backbones, pairs, cache_of):
    monkeypatch.setattr(cache_writer, "PHOTOS_PER_SHARD", 4)
    folder = tmp_path / "cache"
    key = cache_key(backbones, RECIPE, pairs, 1)

    def pulled(done, total):
        assert total == 13
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cache(folder, key, backbones, pairs, RECIPE, on_photos=pulled)
    with pytest.raises(InputError, match="is not finished"):
        open_cache(folder, key)
    before = {file.name: file.stat().st_mtime_ns for file in folder.glob("shard-*")}
    assert len(before) == 2
    cache = write_cache(folder, key, backbones, pairs, RECIPE)
    after = {file.name: file.stat().st_mtime_ns for file in folder.glob("shard-*")}
    assert before.items() <= after.items()
    assert len(after) == 4
    assert len(cache.photos) == 13
    whole = cache_of(views=1)
    same_features(cached_held_out(cache, pairs), cached_held_out(whole, pairs), rtol=0, atol=2e-3)


def test_a_shard_cut_short_is_refused_then_made_again(tmp_path, backbones, pairs, cache_of):
    folder = tmp_path / "cache"
    key = cache_of(folder=folder).key
    shard = folder / "shard-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match="shard-00000") as refused:
        open_cache(folder, key)
    assert "run the command that fills the cache" in refused.value.hint
    cache_of(folder=folder)
    open_cache(folder, key)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"recipe": {"crop": 32}}, "recipe.crop is 48 there, 32 here"),
        ({"recipe": {"seed": 7}}, "recipe.seed is 0 there, 7 here"),
        ({"views": 3}, "views is 2 there, 3 here"),
        ({"computed": "bf16"}, 'computed is "fp32" there, "bf16" here'),
        ({"weights": "cc"}, 'backbones.first.weights is "aa" there, "cc" here'),
        ({"pairs": 1}, "pairs.train is 10 there, 9 here"),
    ],
)
def test_a_cache_of_other_features_is_refused_with_both_values(
    tmp_path_factory, cache_of, backbones, pairs, change, named
):
    cache = cache_of(folder=tmp_path_factory.getbasetemp() / "refused")
    recipe = replace(RECIPE, **change.get("recipe", {}))
    others = dict(backbones)
    if "weights" in change:
        others["first"] = towers()["first"]
        others["first"].identity = {**others["first"].identity, "weights": change["weights"]}
    if "pairs" in change:
        pairs = replace(pairs, train=pairs.train[: -change["pairs"]])
    key = cache_key(
        others, recipe, pairs, change.get("views", 2), computed=change.get("computed", "fp32")
    )
    folder = tmp_path_factory.getbasetemp() / "refused"
    for refuse in (
        lambda: open_cache(folder, key),
        lambda: write_cache(folder, key, others, pairs, recipe),
    ):
        with pytest.raises(InputError) as refused:
            refuse()
        assert named in refused.value.message
        assert "another folder" in refused.value.hint
    assert open_cache(folder, cache.key).key == cache.key


def test_what_does_not_shape_features_may_differ(cache_of, backbones, pairs):
    other = replace(RECIPE, learning_rate=0.1, batch=2, epochs=9, mask_equal=True)
    assert cache_key(backbones, other, pairs, 2) == cache_of().key


def test_a_folder_of_something_else_is_left_alone(tmp_path, backbones, pairs):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="no cache of features"):
        write_cache(tmp_path, cache_key(backbones, RECIPE, pairs, 1), backbones, pairs, RECIPE)
    assert [file.name for file in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key": 3}', b"\xff\xfe", b'{"key": {}}'])
def test_a_damaged_index_is_said_to_be_damaged(tmp_path, content):
    (tmp_path / "cache.json").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        open_cache(tmp_path)


def test_a_shard_of_noise_is_refused(tmp_path, cache_of):
    folder = tmp_path / "cache"
    key = cache_of(folder=folder).key
    shard = folder / "shard-00000.safetensors"
    shard.write_bytes(bytes(len(shard.read_bytes())))
    with pytest.raises(InputError, match="shard-00000"):
        open_cache(folder, key)


def test_a_backbone_that_overflows_is_named_with_its_photos(tmp_path, backbones, pairs):
    class Broken:
        def __init__(self, tower):
            self.patch, self.widths, self.cls_width = tower.patch, tower.widths, tower.cls_width
            self.identity, self._tower = tower.identity, tower

        def run(self, pixels, on_block):
            return self._tower.run(pixels, on_block) * 1e9

    broken = {**backbones, "first": Broken(backbones["first"])}
    key = cache_key(broken, RECIPE, pairs, 1)
    with pytest.raises(InputError, match=r"class tokens of a photo between made/0 and made/12"):
        write_cache(tmp_path / "cache", key, broken, pairs, RECIPE)


def test_a_full_disk_says_so_and_leaves_no_half_shard(tmp_path, monkeypatch, backbones, pairs):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    fsync = cache_writer.os.fsync
    asked = iter([fsync])  # The first file is the index, the second a shard.
    monkeypatch.setattr(
        cache_writer.os, "fsync", lambda descriptor: next(asked, refuse)(descriptor)
    )
    folder = tmp_path / "cache"
    with pytest.raises(ResourceError, match="No space left"):
        write_cache(folder, cache_key(backbones, RECIPE, pairs, 1), backbones, pairs, RECIPE)
    assert not list(folder.glob("shard-*"))
    assert json.loads((folder / "cache.json").read_text())["shards"] == {}
