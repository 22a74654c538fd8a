"""Training a USE head: the loss, what enters it, and runs that go on after any kill."""

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.loss import ClipLoss
from PIL import Image
from safetensors import SafetensorError
from torch.nn import functional
from use_samples import SIDE, ToyText, pairs_file, same_features, towers

from indexer.embedders.checkpoint import load_head
from indexer.embedders.head import PAPER, USEHead
from indexer.embedders.use import pooled_tokens, shape_for
from indexer.interrupts import Stop
from trainer.use import loop, run_state
from trainer.use import run as run_module
from trainer.use.backbones import Backbones, open_backbones
from trainer.use.batches import (
    StepPhotos,
    draw_texts,
    equal_texts,
    hard_negatives,
    plan_of,
    steps_of,
)
from trainer.use.direct import direct_features, held_out_features
from trainer.use.distributed import Processes
from trainer.use.features import SegmentFeatures, segment_features, segment_vectors
from trainer.use.held_out import held_out_figures
from trainer.use.loop import Schedule, batch_loss
from trainer.use.loss import segment_text_loss
from trainer.use.photos import PhotoReader, collect
from trainer.use.random_towers import random_backbones
from trainer.use.recipe import Recipe
from trainer.use.run import Request, Watch, train_run
from trainer.use.texts import text_bank
from trainer.use.views import make_view
from usearch.errors import CheckFailed, ModelError, ResourceError, StoreBusy, UsageError

RECIPE = Recipe(preset="toy", crop=SIDE, batch=4, steps=6, min_pixels=8, scale=(0.8, 1.2))
ONE = Processes()


def unit(shape, seed):
    rng = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(shape, generator=rng), dim=-1)


# The loss


def test_the_loss_is_that_of_clip_over_segments():
    vectors, texts = unit((7, 16), 0), unit((7, 16), 1)
    assert segment_text_loss(vectors, texts, 30.0) == pytest.approx(
        ClipLoss()(vectors, texts, 30.0).item(), rel=1e-6
    )


def test_the_loss_is_the_formula_of_the_paper():
    vectors, texts = unit((5, 8), 2), unit((5, 8), 3)
    powers = torch.exp(30.0 * vectors @ texts.T)
    by_hand = -sum(
        math.log(powers[i, i] / powers[i].sum()) + math.log(powers[i, i] / powers[:, i].sum())
        for i in range(5)
    ) / (2 * 5)
    assert segment_text_loss(vectors, texts, 30.0).item() == pytest.approx(by_hand, rel=1e-5)


def test_pairs_whose_text_is_true_of_both_do_not_push_each_other_apart():
    texts = unit((3, 8), 4)[[0, 0, 1]]
    vectors = texts.clone().requires_grad_()
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    masked = segment_text_loss(vectors, texts, 30.0, same)
    assert masked.item() < 0.01 < segment_text_loss(vectors, texts, 30.0).item()
    masked.backward()
    assert torch.isfinite(vectors.grad).all()


def test_further_texts_compete_only_where_they_are_not_true():
    vectors, texts, further = unit((4, 8), 5), unit((4, 8), 6), unit((3, 8), 7)
    plain = segment_text_loss(vectors, texts, 30.0)
    none = torch.zeros(4, 3, dtype=torch.bool)
    assert segment_text_loss(vectors, texts, 30.0, None, further, none) == plain
    assert segment_text_loss(vectors, texts, 30.0, None, further, ~none) > plain
    assert segment_text_loss(vectors, texts, 30.0, None, further) > plain


# Features


@pytest.fixture(scope="module")
def backbones():
    identity = {"library": "random", "model": "toy", "weights": "none"}
    made = towers()
    identities = {name: tower.identity for name, tower in made.items()} | {"text": identity}
    return Backbones(made, ToyText(), identities, {}, identity)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return pairs_file(tmp_path_factory.mktemp("pairs") / "pairs.parquet")


@pytest.fixture(scope="module")
def collection(pairs):
    return collect([pairs])


@pytest.fixture(scope="module")
def bank(collection):
    return text_bank(collection.texts, collection.held_texts, ToyText(), "use4", {})


@pytest.fixture(scope="module")
def views(collection):
    reader = PhotoReader(collection)
    return [make_view(reader.read(place), RECIPE, 0) for place in collection.train[:4]]


def test_features_of_a_batch_are_those_of_inference(backbones, views):
    whole = segment_features(backbones.towers, views)
    start = 0
    for view in views:
        pixels = torch.from_numpy(view.image).permute(2, 0, 1)[None].float() / 255
        pooled, cls = pooled_tokens(backbones.towers, pixels, view.segments)
        rows = slice(start, start + len(view.segments))
        start = rows.stop
        for branch, blocks in pooled.items():
            for ours, theirs in zip(whole.pooled[branch], blocks, strict=True):
                torch.testing.assert_close(ours[rows], theirs, rtol=1e-4, atol=1e-5)
            each = cls[branch].expand(len(view.segments), -1)
            torch.testing.assert_close(whole.cls[branch][rows], each, rtol=1e-4, atol=1e-5)
    assert start == len(whole)


def test_features_do_not_depend_on_how_many_photos_are_in_a_backbone(backbones, views):
    whole = segment_features(backbones.towers, views)
    for size in (1, 3):
        small = segment_features(backbones.towers, views, micro_batch=size)
        same_features(small, whole, rtol=1e-4, atol=1e-5)


def test_mixed_precision_changes_features_by_rounding_only(backbones, views):
    whole = segment_features(backbones.towers, views)
    mixed = segment_features(backbones.towers, views, precision="bf16")
    for branch, blocks in mixed.pooled.items():
        for ours, theirs in zip(blocks, whole.pooled[branch], strict=True):
            assert ours.dtype == torch.float32
            assert 0 < (ours - theirs).abs().max() < 0.2


def test_vectors_of_segments_are_the_formula_applied_token_by_token(backbones, views):
    head = USEHead(shape_for(backbones.towers, 16))
    features = segment_features(backbones.towers, views[:1])
    pixels = torch.from_numpy(views[0].image).permute(2, 0, 1)[None].float() / 255
    from usearch.masks import pooling_weights

    tokens, cls = {}, {}
    for name, tower in backbones.towers.items():
        blocks = []
        cls[name] = tower.run(pixels, lambda _, t, blocks=blocks: blocks.append(t))
        # The paper's two towers have one patch; these have not, so bring both to the finer grid.
        side = round(blocks[0].shape[1] ** 0.5)
        fine = SIDE // 8
        tokens[name] = [
            t.reshape(1, side, side, -1)
            .repeat_interleave(fine // side, 1)
            .repeat_interleave(fine // side, 2)
            .reshape(1, fine * fine, -1)
            for t in blocks
        ]
    per_patch = head(tokens, cls)[0]
    weights = torch.from_numpy(pooling_weights(views[0].segments, (SIDE // 8, SIDE // 8)))
    expected = functional.normalize(weights @ per_patch, dim=-1)
    torch.testing.assert_close(segment_vectors(head, features), expected, rtol=1e-3, atol=1e-4)


# Texts


def test_each_text_is_drawn_as_often_as_any_other(backbones, views, bank):
    features = segment_features(backbones.towers, views[:1]).take([0])
    drawn = Counter(draw_texts(features, epoch, RECIPE, bank)[0] for epoch in range(600))
    assert set(drawn) == {bank.row[text] for text in features.texts[0]}
    assert min(drawn.values()) > 240


def test_rare_texts_can_be_drawn_more_often():
    counts = Counter({"dog": 1000, "borzoi": 10})
    bank = text_bank(counts, Counter(), ToyText(), "use4", {})
    features = SegmentFeatures({}, {}, (("dog", "borzoi"),), ("a",), (0,))
    recipe = replace(RECIPE, rarity=0.5)
    drawn = Counter(
        bank.texts[draw_texts(features, epoch, recipe, bank)[0]] for epoch in range(600)
    )
    assert drawn["borzoi"] / 600 == pytest.approx(10 / 11, abs=0.05)  # sqrt(100) times as often


def test_texts_that_are_true_of_another_segment_too_are_found(bank):
    cat, dog, sky = (bank.row[text] for text in ("cat", "dog", "sky"))
    same = equal_texts([("cat", "dog"), ("dog",), ("sky",)], [cat, dog, sky], bank)
    assert same.tolist() == [[True, True, False], [False, True, False], [False, False, True]]


def test_hard_negatives_are_near_and_never_true_of_the_segment():
    texts = [f"thing {i}" for i in range(200)]
    bank = text_bank(Counter(texts), Counter(), ToyText(), "name", {})
    own = [("thing 3", "thing 4"), ("thing 5",)]
    recipe = replace(RECIPE, hard_negatives=3)
    drawn = [bank.row["thing 3"], bank.row["thing 5"]]
    vectors, allowed = hard_negatives(own, drawn, 0, recipe, bank)
    near = bank.vectors([bank.row["thing 3"]]) @ vectors.T
    every = bank.vectors([bank.row["thing 3"]]) @ bank.vectors(range(200)).T
    assert 3 <= len(vectors) <= 6
    assert near.max() >= every.topk(5).values.min()
    for i, texts_of_one in enumerate(own):
        true = bank.vectors([bank.row[text] for text in texts_of_one])
        equal = (vectors @ true.T > 0.999).any(1)
        assert not (allowed[i] & equal).any()


def test_text_vectors_are_kept_and_made_anew_for_other_texts(tmp_path):
    class Counting(ToyText):
        asked = 0

        def encode(self, texts):
            self.asked += len(texts)
            return super().encode(texts)

    encoder, file = Counting(), tmp_path / "texts.safetensors"
    first = text_bank(Counter(["cat"]), Counter(["dog"]), encoder, "use4", {}, file)
    assert encoder.asked == 8
    again = text_bank(Counter(["cat"]), Counter(["dog"]), encoder, "use4", {}, file)
    assert encoder.asked == 8
    assert torch.equal(first.stored, again.stored)
    text_bank(Counter(["cat"]), Counter(), encoder, "use4", {}, file)
    assert encoder.asked == 12


# Runs


def a_request(pairs, run, recipe=RECIPE, **changes):
    values = {"look_every": 3, "save_minutes": 1e9, "save_every": 2}
    schedule = Schedule(**(values | changes))
    return Request((pairs,), run, recipe, schedule=schedule)


def curve(run):
    return [
        {key: line.get(key) for key in ("step", "loss", "learning_rate", "segments", "held")}
        for line in run_state.read_metrics(run)
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, pairs, backbones):
    """A run that nothing interrupts."""
    run = tmp_path_factory.mktemp("whole") / "run"
    return run, train_run(a_request(pairs, run), backbones)


def test_a_run_leaves_what_is_needed_to_use_and_to_judge_it(whole):
    run, outcome = whole
    assert outcome.finished and outcome.step == 6
    head, card = load_head(run)
    for name, tensor in head.state_dict().items():
        torch.testing.assert_close(tensor, outcome.head.state_dict()[name])
    assert card.recipe["logit_scale"] == card.logit_scale == 30.0
    assert card.data["trained_on"]["photos"] == 10 and card.data["held_out"]["photos"] == 3
    assert card.metrics["held_out"] == outcome.held
    assert [line["step"] for line in curve(run)] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in curve(run) if line["held"]] == [3, 6]
    assert [path.name for path in run_state.states(run)] == [
        "00000004.safetensors",
        "00000006.safetensors",
    ]
    with Image.open(run / "curve.png") as picture:
        assert min(picture.size) > 300


class Killed(BaseException):
    pass


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch):
    """The curve takes longer than a step of the toys; `whole`, made before this, has one."""
    monkeypatch.setattr(run_module, "draw_curve", lambda *arguments: None)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 6])
def test_a_run_killed_at_any_step_goes_on_to_the_same_curve(
    tmp_path, pairs, backbones, whole, step
):
    request = a_request(pairs, tmp_path / "run")

    def kill(look):
        if look.step == step:
            raise Killed

    with pytest.raises(Killed):
        train_run(request, backbones, watch=Watch(on_look=kill))
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 99, "lo')  # what a kill leaves of a line
    outcome = train_run(request, backbones)
    assert curve(tmp_path / "run") == curve(whole[0])
    for name, tensor in outcome.head.state_dict().items():
        assert torch.equal(tensor, whole[1].head.state_dict()[name]), name


def test_a_damaged_last_checkpoint_is_passed_over(tmp_path, pairs, backbones, whole):
    request = a_request(pairs, tmp_path / "run", stop_after=5)
    train_run(request, backbones)
    last = run_state.states(tmp_path / "run")[-1]
    last.write_bytes(last.read_bytes()[:-50])
    train_run(a_request(pairs, tmp_path / "run"), backbones)
    assert curve(tmp_path / "run") == curve(whole[0])


def test_asked_to_stop_a_run_ends_after_its_step_and_can_go_on(tmp_path, pairs, backbones, whole):
    stop = Stop()

    def ask(look):
        if look.step == 3:
            stop.signal = 2

    request = a_request(pairs, tmp_path / "run", save_every=0)
    outcome = train_run(request, backbones, stop=stop, watch=Watch(on_look=ask))
    assert (outcome.step, outcome.finished) == (4, False)
    assert load_head(tmp_path / "run")[1].metrics["step"] == 4
    assert train_run(request, backbones).finished
    assert curve(tmp_path / "run") == curve(whole[0])


def test_a_finished_run_does_nothing_when_it_is_asked_again(whole, pairs, backbones):
    run, _ = whole
    before = (run / "metrics.jsonl").read_bytes()
    outcome = train_run(a_request(pairs, run), backbones)
    assert outcome.finished and outcome.held == whole[1].held
    assert (run / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": 5}, r"recipe\.batch 4, now it is 5"),
        ({"mask_equal": True}, r"recipe\.mask_equal false, now it is true"),
    ],
)
def test_another_recipe_is_refused_in_the_folder_of_a_run(whole, pairs, backbones, change, said):
    with pytest.raises(UsageError, match=said):
        train_run(a_request(pairs, whole[0], replace(RECIPE, **change)), backbones)


def test_other_pairs_and_a_folder_of_something_else_are_refused(tmp_path, whole, pairs, backbones):
    other = pairs_file(tmp_path / "other.parquet", first=100)
    with pytest.raises(UsageError, match=r"pairs\.fingerprint"):
        train_run(a_request(other, whole[0]), backbones)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        train_run(a_request(pairs, tmp_path / "mine"), backbones)


def test_two_processes_never_work_on_one_run(whole, pairs, backbones):
    with run_state.locked(whole[0]), pytest.raises(StoreBusy, match="is being written by"):
        train_run(a_request(pairs, whole[0]), backbones)


def test_a_full_disk_is_told_and_older_checkpoints_stay(tmp_path, pairs, backbones, monkeypatch):
    train_run(a_request(pairs, tmp_path / "run", stop_after=2), backbones)

    def full(*arguments):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(run_state, "save_file", full)
    with pytest.raises(ResourceError, match=r"00000004\.safetensors cannot be written"):
        train_run(a_request(pairs, tmp_path / "run"), backbones)
    assert [path.name for path in (tmp_path / "run" / "state").iterdir()] == [
        "00000002.safetensors"
    ]


def test_out_of_memory_names_the_option_that_helps(backbones, views, monkeypatch):
    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(type(backbones.towers["first"]), "run", full)
    with pytest.raises(ResourceError, match="4 photos of 48 pixels") as refused:
        segment_features(backbones.towers, views)
    assert refused.value.hint.startswith("--micro-batch 2 ")


def test_crops_that_do_not_divide_into_patches_are_refused(tmp_path, pairs, backbones):
    with pytest.raises(UsageError, match="patches of 16") as refused:
        train_run(a_request(pairs, tmp_path / "run", replace(RECIPE, crop=40)), backbones)
    assert refused.value.hint in ("--crop 32", "--crop 48")


@pytest.mark.parametrize(
    "option",
    [{"mask_equal": True}, {"hard_negatives": 2}, {"rarity": 1.0}, {"learn_scale": True}],
)
def test_what_goes_beyond_the_paper_changes_the_curve_and_stays_finite(
    tmp_path, pairs, backbones, whole, option
):
    outcome = train_run(a_request(pairs, tmp_path / "run", replace(RECIPE, **option)), backbones)
    losses = [line["loss"] for line in curve(tmp_path / "run")]
    assert np.isfinite(losses).all()
    assert losses != [line["loss"] for line in curve(whole[0])]
    assert (outcome.logit_scale != 30.0) == ("learn_scale" in option)


def test_the_learned_scale_survives_a_kill(tmp_path, pairs, backbones):
    recipe = replace(RECIPE, learn_scale=True, steps=3)
    train_run(a_request(pairs, tmp_path / "a", recipe), backbones)
    train_run(a_request(pairs, tmp_path / "b", recipe, stop_after=1), backbones)
    train_run(a_request(pairs, tmp_path / "b", recipe), backbones)
    scales = [
        [line["logit_scale"] for line in run_state.read_metrics(tmp_path / run)] for run in "ab"
    ]
    assert scales[0] == scales[1]
    assert len(set(scales[0])) == 3


def test_a_loss_that_is_no_number_ends_the_run_before_it_spoils_the_weights(
    tmp_path, pairs, backbones, monkeypatch
):
    real, asked = loop.segment_text_loss, []

    def spoiled(*arguments):
        asked.append(1)
        return real(*arguments) * (float("nan") if len(asked) == 4 else 1.0)

    monkeypatch.setattr(loop, "segment_text_loss", spoiled)
    with pytest.raises(CheckFailed, match=r"step 4: the loss is nan.*photos made/") as refused:
        train_run(a_request(pairs, tmp_path / "run", save_every=1), backbones)
    assert "00000003.safetensors is kept" in refused.value.message
    head, _ = load_head(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for tensor in head.state_dict().values())


def test_the_photo_whose_features_are_not_finite_is_named(tmp_path, pairs, backbones, monkeypatch):
    real = loop.segment_vectors

    def overflowing(head, features):
        if "made/7" in features.photos:
            features.cls["first"][features.photos.index("made/7")] = torch.inf
        return real(head, features)

    monkeypatch.setattr(loop, "segment_vectors", overflowing)
    with pytest.raises(CheckFailed, match="not finite for photo made/7;"):
        train_run(a_request(pairs, tmp_path / "run"), backbones)


def test_a_head_learns_to_tell_segments_that_it_has_seen(tmp_path, pairs, backbones, collection):
    recipe = replace(RECIPE, steps=20, scale=(1.0, 1.0), learning_rate=3e-3)
    outcome = train_run(a_request(pairs, tmp_path / "run", recipe), backbones)
    losses = [line["loss"] for line in curve(tmp_path / "run")]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])
    assert outcome.finished


def test_figures_on_held_out_photos_are_those_of_a_slow_count(backbones, collection, bank):
    features = held_out_features(collection, backbones.towers, RECIPE)
    torch.manual_seed(3)
    head = USEHead(shape_for(backbones.towers, 16))
    figures = held_out_figures(head, features, bank, 30.0)
    with torch.no_grad():
        vectors = segment_vectors(head, features).numpy()
    names = sorted({own[0] for own in features.texts})
    texts = bank.vectors([bank.row[name] for name in names]).numpy()
    named = [
        names[int(np.argmax(texts @ vector))] in own
        for vector, own in zip(vectors, features.texts, strict=True)
    ]
    assert figures["naming"] == pytest.approx(np.mean(named))
    for k in (1, 10):
        found = [
            any(name in features.texts[i] for i in np.argsort(-vectors @ text)[:k])
            for name, text in zip(names, texts, strict=True)
        ]
        assert figures[f"recall@{k}"] == pytest.approx(np.mean(found))
    assert (figures["segments"], figures["texts"]) == (len(features), len(names))


# Steps and gradients


def test_epochs_visit_every_photo_that_fits_whole_batches(collection):
    recipe = replace(RECIPE, steps=0, epochs=3, batch=5)
    plan = plan_of(10, recipe)
    assert (plan.per_epoch, plan.total) == (2, 6)
    steps = list(steps_of(collection.train, recipe, plan))
    for epoch in range(3):
        rows = np.concatenate([s.rows for s in steps if s.epoch == epoch])
        assert sorted(rows) == list(range(10))
    late = list(steps_of(collection.train, recipe, plan, start=3))
    assert [(s.step, s.rows.tolist()) for s in late] == [
        (s.step, s.rows.tolist()) for s in steps[3:]
    ]


def test_small_parts_of_a_batch_give_the_gradients_of_the_whole(backbones, collection, bank):
    (step,) = list(steps_of(collection.train, RECIPE, plan_of(10, RECIPE)))[:1]
    scale = torch.tensor(math.log(30.0))
    found = []
    for micro_batch in (0, 1):
        head = USEHead(shape_for(backbones.towers, 16))
        with torch.no_grad():
            for i, parameter in enumerate(head.parameters()):
                parameter.copy_(0.1 * unit(parameter.shape, i))
        (features,) = direct_features(
            collection, backbones.towers, RECIPE, [step], ONE, micro_batch=micro_batch
        )
        loss, _ = batch_loss(head, scale, features, step, RECIPE, bank, ONE)
        loss.backward()
        found.append([p.grad for p in head.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_a_batch_without_segments_changes_nothing(backbones, collection, bank):
    head = USEHead(shape_for(backbones.towers, 16))
    empty = replace(RECIPE, min_pixels=10_000)
    step = StepPhotos(0, 0, np.arange(2, dtype=np.int32))
    (features,) = direct_features(collection, backbones.towers, empty, [step], ONE)
    loss, segments = batch_loss(head, torch.tensor(3.4), features, step, empty, bank, ONE)
    assert (loss.item(), segments) == (0.0, 0)


# Backbones


def test_the_trainable_numbers_of_the_paper():
    count = sum(p.numel() for p in USEHead(PAPER).parameters())
    assert count == 34_695_966
    assert count == 30 * (2 * 1024 + 1024 * 1024 + 1024) + 30 + (4096 * 768 + 768)


def test_random_towers_are_the_same_on_every_call():
    one, other = random_backbones("tiny"), random_backbones("tiny")
    assert one.dim == 24
    assert list(one.towers) == ["clip", "dino"]
    np.testing.assert_array_equal(one.encoder.encode(["cat"]), other.encoder.encode(["cat"]))


@pytest.mark.parametrize("names", [["clop"], [], ["mini", "mini"], ["dino=vit_tiny"]])
def test_unknown_backbones_are_refused(names):
    with pytest.raises(UsageError):
        open_backbones(names)


def test_a_missing_weight_file_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(ModelError, match=r"ViT-L-14-336px\.pt"):
        open_backbones(["clip", "dino"], weights=tmp_path)


def test_the_bundled_tower_trains_with_the_bundled_texts():
    backbones = open_backbones(["mini"])
    assert backbones.identities["mini"]["library"] == "usearch"
    assert backbones.identities["text"]["library"] == "usearch"
    assert backbones.dim == 448
    assert json.dumps(backbones.identities["text"])
    assert not [path for path in backbones.files.values() if not Path(path).is_file()]
