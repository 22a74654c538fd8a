"""The paper's ablations: every head sees what its name says, over one cache."""

import json

import numpy as np
import pytest
import torch
from use_samples import SIDE, ToyText, pairs_file, towers

from indexer.embedders.head import Branch, HeadShape, vit_branch
from indexer.interrupts import Stop
from trainer.use.ablation import ablate_run, select, variants_of
from trainer.use.backbones import Backbones
from trainer.use.features import SegmentFeatures
from trainer.use.recipe import Recipe
from trainer.use.run import Request, train_run
from trainer.use.run_state import RUN_NAME, read_metrics
from usearch.errors import InputError

RECIPE = Recipe(preset="toy", crop=SIDE, batch=4, steps=3, min_pixels=8)


@pytest.fixture(scope="module")
def backbones():
    own = towers()
    identities = {name: tower.identity for name, tower in own.items()}
    return Backbones(own, ToyText(), identities, {}, {"model": "toy"})


def test_the_papers_backbones_give_the_rows_of_its_tables():
    paper = HeadShape((vit_branch("clip", 24, 1024), vit_branch("dino", 6, 1024)), 768)
    names = [(v.table, v.name) for v in variants_of(paper)]
    assert names[:3] == [
        ("backbones", "clip + dino"),
        ("backbones", "clip only"),
        ("backbones", "dino only"),
    ]
    assert ("class tokens", "dino only, no class token") in names
    assert ("blocks", "clip + dino, last 4 of dino's 6 blocks") in names
    assert len(set(names)) == len(names)


def test_a_single_backbone_leaves_nothing_to_leave_out_but_token_and_blocks():
    shape = HeadShape((Branch("mini", (4, 5, 6), 6, 6),), 8)
    assert [v.name for v in variants_of(shape)] == [
        "mini",
        "mini, no class token",
        "mini, last 1 of mini's 3 blocks",
        "mini, last 2 of mini's 3 blocks",
    ]


def test_a_head_sees_its_branches_and_the_last_of_their_blocks():
    blocks = [torch.full((2, width), float(width)) for width in (4, 5, 6)]
    whole = SegmentFeatures(
        {"a": blocks, "b": blocks[:1]},
        {"a": torch.ones(2, 6), "b": torch.ones(2, 4)},
        (("x",), ("y",)),
        ("p", "p"),
        (0, 1),
    )
    seen = select(whole, HeadShape((Branch("a", (5, 6), 6, 0),), 8))
    assert list(seen.pooled) == ["a"]
    assert [x.shape[1] for x in seen.pooled["a"]] == [5, 6]
    assert seen.texts == whole.texts


def test_the_table_is_resumed_and_its_rows_are_those_of_whole_runs(tmp_path, backbones):
    pairs = pairs_file(tmp_path / "pairs.parquet")
    request = Request((pairs,), tmp_path / "run", RECIPE, cache=tmp_path / "cache")
    stop, seen = Stop(), []

    def halt(row):
        seen.append(row.variant.name)
        if len(seen) == 2:
            stop.signal = 2

    rows, whole = ablate_run(request, backbones, 1, stop, on_row=halt)
    assert (len(rows), whole) == (2, False)
    again, whole = ablate_run(request, backbones, 1)
    assert whole
    assert again[:2] == rows
    assert again[-1].variant.table == "closed form"
    assert [row.parameters for row in again[:3]] == sorted(
        (row.parameters for row in again[:3]), reverse=True
    )
    for row in again:
        assert row.segments == again[0].segments > 0
        assert all(np.isfinite(list(row.mean.values())))
    alone = train_run(
        Request((pairs,), tmp_path / "alone", RECIPE, cache=tmp_path / "cache"), backbones
    )
    assert alone.held["loss"] == pytest.approx(again[0].mean["loss"], rel=1e-5)


def test_without_held_out_photos_there_is_nothing_to_compare_on(tmp_path, backbones):
    pairs = pairs_file(tmp_path / "pairs.parquet", held=0)
    request = Request((pairs,), tmp_path / "run", RECIPE, cache=tmp_path / "cache")
    with pytest.raises(InputError, match="held-out"):
        ablate_run(request, backbones, 1)


def test_a_run_that_starts_as_a_ridge_begins_better_and_says_so(tmp_path, backbones):
    pairs = pairs_file(tmp_path / "pairs.parquet")
    cache = tmp_path / "cache"
    began = {}
    for warm in (False, True):
        run = tmp_path / f"run-{warm}"
        train_run(Request((pairs,), run, RECIPE, cache=cache, warm_start=warm), backbones)
        began[warm] = read_metrics(run)[0]["loss"]
        said = json.loads((run / RUN_NAME).read_text())
        assert said.get("warm_start") == ("ridge" if warm else None)
        assert said["cached_views"] == 1
    assert began[True] < began[False]
