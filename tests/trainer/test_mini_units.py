"""Fitting the parts of the tower one by one, and the head on kept tokens."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trainer.mini.head import StageHead  # noqa: E402
from trainer.mini.losses import Vocabulary  # noqa: E402
from trainer.mini.model import MiniModel  # noqa: E402
from trainer.mini.refit import (  # noqa: E402
    CachedSegments,
    HeadFit,
    fit_head,
    naming_scores,
    standardise_inputs,
)
from trainer.mini.tower import HANDED, SOURCES, MiniTower, Unit  # noqa: E402
from trainer.mini.units import (  # noqa: E402
    GROUPS,
    Fit,
    assemble,
    computed_channels,
    fit_part,
    part_file,
)
from trainer.pairs import PairSegment  # noqa: E402


def test_every_part_is_in_one_group():
    listed = [name for _, names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(HANDED)


def test_every_part_starts_from_maps_that_are_there_before_it():
    there = {"pixels"}
    for name, sources in SOURCES.items():
        assert there.issuperset(sources)
        there.add(name)


def test_a_part_learns_what_another_of_its_kind_computes():
    torch.manual_seed(1)
    teacher = Unit(8).eval()
    for p in teacher.parameters():
        torch.nn.init.normal_(p, std=0.7)
    x = torch.randn(48, 8, 10, 10)
    with torch.no_grad():
        y = teacher(x)
    part = Unit(8)
    part.start_at(y.mean((0, 2, 3)))
    explains = fit_part("s8.1", part, [x.half()], y.half(), Fit(steps=150))
    assert explains > 0.8
    assert not part.training


def test_what_goes_through_a_unit_does_not_count_as_explained():
    assert computed_channels("s8.0") == slice(None)
    assert computed_channels("s16.3") == slice(1, None, 2)
    assert computed_channels("p16") == slice(None)


def test_fitted_parts_become_the_tower(tmp_path):
    torch.manual_seed(2)
    fitted = MiniTower()
    (tmp_path / "parts").mkdir()
    for name in HANDED:
        state = {"part": fitted.part(name).state_dict(), "explains": 0.5}
        torch.save(state, part_file(tmp_path, name))
    tower = MiniTower().eval()
    assert assemble(tower, tmp_path) == dict.fromkeys(HANDED, 0.5)
    pixels = torch.rand(1, 3, 64, 64) * 255
    torch.testing.assert_close(tower(pixels).tokens["h32"], fitted.eval()(pixels).tokens["h32"])


def test_scales_bring_the_teachers_maps_to_unit_spread():
    model = MiniModel(4, 4)
    maps = {"p8": torch.randn(4, 96, 9, 9) * torch.rand(96).view(1, -1, 1, 1) * 20 + 3}
    model.measure([maps])
    scaled = model.standardised(maps)["p8"]
    torch.testing.assert_close(scaled.std((0, 2, 3)), torch.ones(96), atol=0.01, rtol=0.01)
    assert (scaled.mean((0, 2, 3)) > 0).all()  # scaled, not centred


@pytest.fixture
def cached():
    """Four names whose tokens are noise around a point each."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 20 + 6)) * 3 + 5
    truth = np.arange(400) % 4
    rows = torch.from_numpy(centres[truth] + rng.normal(size=(400, 26))).half()
    names = ("cup", "mug", "tree", "car")
    segments = [
        PairSegment("object", "human", (0, 0, 1, 1), texts=(names[t],), text_weights=(1.0,))
        for t in truth
    ]
    vectors = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(4, 8))).float())
    vocabulary = Vocabulary(
        {n: i for i, n in enumerate(names)}, vectors, torch.arange(4), np.full(4, 100, np.float32)
    )
    return CachedSegments(rows, segments), vocabulary


def test_the_head_learns_names_from_kept_tokens(cached):
    segments, vocabulary = cached
    torch.manual_seed(0)
    head = StageHead({"s16": 20, "s32": 6}, width=8, dim=8)
    segments = CachedSegments(
        torch.cat([segments.rows, segments.rows[:, -6:]], 1), segments.segments
    )
    before = head(segments.rows.float())
    standardise_inputs(head, segments.rows)
    assert not torch.allclose(before, head(segments.rows.float()))
    losses = fit_head(head, segments, vocabulary, HeadFit(epochs=12, batch=50, learning_rate=1e-2))
    assert losses[-1] < 0.3 * losses[0]
    scores = naming_scores(head, segments, vocabulary, frozenset({"cup", "mug"}))
    assert scores["segments"] == 200 and scores["names"] == 2
    assert scores["top1"] > 90
