"""The tower and head of `mini`: what training relies on and what export must keep."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from indexer.embedders.mini import MiniModel as RuntimeModel  # noqa: E402
from indexer.embedders.mini import input_size  # noqa: E402
from trainer.mini.export import write_card, write_head, write_tower  # noqa: E402
from trainer.mini.head import StageHead, pool  # noqa: E402
from trainer.mini.model import MiniModel  # noqa: E402
from trainer.mini.tower import HANDED, TOKENS, MiniTower, Unit, normalise_tokens  # noqa: E402
from usearch.errors import ModelError  # noqa: E402
from usearch.masks import pooling_weights, segments_from_masks  # noqa: E402
from usearch.models.card import read_card  # noqa: E402

DIM = 20


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = MiniModel(head_width=32, dim=DIM, cls=True)
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mini")
    write_tower(model.tower, folder / "tower.onnx")
    write_head(model.head, folder / "head.npz")
    write_card(
        folder,
        "mini test",
        sides=[96],
        colour_weight=0.3,
        logit_scale=30.0,
        templates="single",
        calibration={"slope": 1.0, "bias": 0.0, "cutoff": 0.0},
        about={},
    )
    return folder


@pytest.fixture
def photo():
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (70, 96, 3), dtype=np.uint8)


@pytest.fixture
def segments(photo):
    masks = [np.zeros(photo.shape[:2], bool) for _ in range(4)]
    masks[0][:] = True
    masks[1][10:40, 20:60] = True
    masks[2][33, 17] = True
    masks[3][::2, ::3] = True
    return segments_from_masks(masks, [1.0] * 4)


def test_maps_have_the_strides_of_their_names():
    maps = MiniTower()(torch.rand(2, 3, 64, 96) * 255)
    assert list(maps.handed) == list(HANDED)
    for name, channels in TOKENS.items():
        stride = int(name[1:])
        assert maps.tokens[name].shape == (2, channels, 64 // stride, 96 // stride)


def test_a_forced_unit_sees_the_teacher_and_sends_no_gradient_back():
    tower = MiniTower().eval()
    pixels = torch.rand(2, 3, 64, 64) * 255
    given = {k: torch.randn_like(v) for k, v in tower(pixels).handed.items()}
    forced = {k: torch.ones(2, dtype=torch.bool) for k in HANDED}
    first = tower(pixels, given, forced).handed["s32.3"]
    other = tower(torch.zeros_like(pixels), given, forced).handed["s32.3"]
    assert torch.equal(first, other)
    first.sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in tower.part("s8.0").parameters())
    assert any(p.grad is not None and p.grad.any() for p in tower.part("s32.3").parameters())


def test_half_of_a_units_channels_go_through():
    unit = Unit(8).eval()
    x = torch.rand(1, 8, 4, 4)
    torch.testing.assert_close(unit(x)[:, 0::2], x[:, :4])


def test_tokens_are_normalised_as_layer_norm_without_parameters_does():
    x = torch.randn(2, 7, 3, 4) * 5 + 2
    ours = normalise_tokens(x).permute(0, 2, 3, 1)
    theirs = torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), (7,))
    torch.testing.assert_close(ours, theirs)


def test_pooling_first_and_projecting_later_is_projecting_first_and_pooling_later(model):
    maps = model.tower(torch.rand(1, 3, 64, 96) * 255).tokens
    same = {k: maps[k] if k != "s32" else maps["s32"] for k in TOKENS}
    weights = {k: torch.rand(3, *same[k].shape[2:]) for k in TOKENS}
    weights = {k: w / w.sum((1, 2), keepdim=True) for k, w in weights.items()}
    pooled = pool(same, weights, torch.zeros(3, dtype=torch.long), model.head.stages)
    matrix, offset = model.head.fold()
    start, late = 0, torch.zeros(3, DIM)
    for stage, width in TOKENS.items():
        tokens = normalise_tokens(same[stage])[0].flatten(1).T
        late += weights[stage].flatten(1) @ (tokens @ matrix[:, start : start + width].T)
        start += width
    whole = normalise_tokens(same["s32"]).mean((2, 3))
    late += whole @ matrix[:, start:].T + offset
    late = torch.nn.functional.normalize(late, dim=1)
    torch.testing.assert_close(late, model.head(pooled), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cls", [True, False])
def test_the_folded_head_is_the_head(cls):
    torch.manual_seed(1)
    head = StageHead({"s8": 6, "s32": 10}, width=8, dim=5, cls=cls)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    rows = torch.randn(9, head.inputs)
    matrix, offset = head.fold()
    folded = torch.nn.functional.normalize(rows @ matrix.T + offset, dim=1)
    torch.testing.assert_close(folded, head(rows), atol=1e-5, rtol=1e-4)


def test_onnx_gives_the_vectors_of_torch(model, bundle, photo, segments):
    runtime = RuntimeModel(read_card(bundle), threads=1)
    ours = runtime.embed(photo, segments)
    assert ours.shape == (4, DIM + 11)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1.0, atol=1e-5)

    from PIL import Image

    height, width = input_size(*photo.shape[:2], 96)
    small = Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        maps = model.tower(pixels).tokens
        weights = {
            k: torch.from_numpy(pooling_weights(segments, tuple(maps[k].shape[2:]))).view(
                4, *maps[k].shape[2:]
            )
            for k in TOKENS
        }
        rows = pool(maps, weights, torch.zeros(4, dtype=torch.long), model.head.stages)
        theirs = model.head(rows).numpy()
    names = ours[:, :DIM] / np.linalg.norm(ours[:, :DIM], axis=1, keepdims=True)
    # Kernels rest in 8 bits and the matrix in half precision, hence not to float32 rounding.
    assert (names * theirs).sum(1).min() > 0.995


def test_segmenter_and_embedder_share_one_pass(bundle, photo, segments):
    runtime = RuntimeModel(read_card(bundle), threads=1)
    boundary = runtime.boundary(photo)
    assert boundary.min() >= 0 and boundary.max() <= 1
    assert runtime.features(photo)[-1].boundary is boundary
    assert runtime.features(photo.copy())[-1].boundary is not boundary


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (900, 3), (37, 41)])
def test_awkward_sizes_have_vectors(bundle, size):
    image = np.full((*size, 3), 90, np.uint8)
    segments = segments_from_masks([np.ones(size, bool)], [1.0])
    vectors = RuntimeModel(read_card(bundle), threads=1).embed(image, segments)
    assert np.isfinite(vectors).all()


def test_a_damaged_tower_is_refused_by_its_checksum(bundle, tmp_path):
    for file in bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    raw = bytearray((tmp_path / "tower.onnx").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "tower.onnx").write_bytes(bytes(raw))
    with pytest.raises(ModelError, match=r"tower\.onnx is damaged"):
        RuntimeModel(read_card(tmp_path))


def test_a_card_of_another_schema_is_refused(bundle, tmp_path):
    card = json.loads((bundle / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"schema_version": 99}))
    with pytest.raises(ModelError, match="schema version 99"):
        read_card(tmp_path)


def test_the_space_changes_with_the_weights(model, bundle, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(bundle, other)
    with torch.no_grad():
        model.head.project.bias.add_(0.1)
    write_head(model.head, other / "head.npz")
    with torch.no_grad():
        model.head.project.bias.sub_(0.1)
    old = read_card(bundle)
    write_card(
        other,
        old.name,
        sides=[96],
        colour_weight=0.3,
        logit_scale=30.0,
        templates="single",
        calibration=old.calibration,
        about={},
    )
    assert read_card(other).space.id != old.space.id
