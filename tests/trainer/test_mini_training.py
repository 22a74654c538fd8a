"""The tower of `mini` trained as a whole: what a run leaves behind, and how it goes on."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trainer.mini.data import Sample  # noqa: E402
from trainer.mini.export import load_run  # noqa: E402
from trainer.mini.losses import Vocabulary  # noqa: E402
from trainer.mini.tower import HANDED, MiniTower  # noqa: E402
from trainer.mini.train import GROUPS, Recipe, train  # noqa: E402
from trainer.pairs import PairSegment  # noqa: E402


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(5)
    tower = MiniTower().eval()

    @torch.no_grad()
    def maps(pixels):
        handed = tower(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()).handed
        return {name: m[0].numpy() for name, m in handed.items()}

    return maps


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    segment = PairSegment("object", "human", (0, 0, 80, 90), texts=("cup",), text_weights=(1.0,))
    cover = np.zeros((1, 24, 30), np.uint8)
    cover[0, :22, :20] = 255
    photos = [rng.integers(0, 256, (96, 120, 3), dtype=np.uint8) for _ in range(4)]
    return [Sample(pixels, (segment,), cover) for pixels in photos]


@pytest.fixture(scope="module")
def vocabulary():
    vectors = torch.nn.functional.normalize(torch.randn(2, 6), dim=1)
    return Vocabulary({"cup": 0, "car": 1}, vectors, torch.arange(2), np.ones(2, np.float32))


def test_a_run_goes_on_from_its_checkpoint_and_can_be_loaded(
    samples, vocabulary, teacher, tmp_path
):
    recipe = Recipe(steps=1, batch=2, warm_up=1, head_width=8, naming_weight=0.5)
    train(samples, vocabulary, recipe, tmp_path, teacher)
    first = torch.load(tmp_path / "last.pt", weights_only=True)
    assert first["step"] == 1

    longer = Recipe(steps=2, batch=2, warm_up=1, head_width=8, naming_weight=0.5)
    average = train(samples, vocabulary, longer, tmp_path, teacher)
    last = torch.load(tmp_path / "last.pt", weights_only=True)
    assert last["step"] == 2
    moved = [k for k, v in last["model"].items() if not torch.equal(v, first["model"][k])]
    assert any("tower.parts.s32_3" in k for k in moved) and any(
        k.startswith("head.") for k in moved
    )
    for name in first["model"]:
        if name.startswith("scale_"):
            assert torch.equal(first["model"][name], last["model"][name])  # measured once

    loaded = load_run(tmp_path)
    pixels = torch.rand(1, 3, 64, 64) * 255
    ours, theirs = loaded.tower(pixels), average.eval().tower(pixels)
    torch.testing.assert_close(ours.tokens["h8"], theirs.tokens["h8"])
    assert json.loads((tmp_path / "recipe.json").read_text())["steps"] == 2


def test_every_map_is_reported_in_one_group():
    assert sorted(n for names in GROUPS.values() for n in names) == sorted(HANDED)
