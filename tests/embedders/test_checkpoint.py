"""Weight files and trained heads: what is read, what is refused, and with which words."""

import contextlib
import dataclasses
import json
import pickle
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from indexer.embedders.checkpoint import HeadCard, load_card, load_head, save_head
from indexer.embedders.head import HeadShape, USEHead, vit_branch
from indexer.embedders.weights import is_torchscript, load_into, read_weights
from usearch.errors import ModelError

SHAPE = HeadShape((vit_branch("clip", 2, 6), vit_branch("dino", 1, 4)), 5)
CARD = HeadCard(
    shape=SHAPE,
    towers={"clip": {"library": "open_clip", "model": "ViT-B-32", "weights": "ab"}},
    files={"clip": "ViT-B-32.pt"},
    input={"short": 560, "long": 1120, "resize": "pillow-bicubic"},
    space_id="",
    logit_scale=30.0,
    notes={"data": "Grüße"},
)


class Evil:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))


def assert_state(got, want):
    assert got.keys() == want.keys()
    for name in want:
        torch.testing.assert_close(got[name], want[name])


def test_a_head_survives_saving_and_loading(tmp_path):
    head = USEHead(SHAPE)
    save_head(tmp_path / "run", head, CARD)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "head.json",
        "head.safetensors",
    ]
    loaded, card = load_head(tmp_path / "run")
    assert_state(loaded.state_dict(), head.state_dict())
    assert dataclasses.replace(card, sha256="", space_id="") == CARD
    assert len(card.sha256) == 64
    assert len(card.space_id) == 16


def test_saving_again_replaces(tmp_path):
    save_head(tmp_path, USEHead(SHAPE), CARD)
    second = USEHead(SHAPE)
    save_head(tmp_path, second, CARD)
    assert_state(load_head(tmp_path)[0].state_dict(), second.state_dict())


def test_weights_that_do_not_match_the_card_are_refused(tmp_path):
    save_head(tmp_path, USEHead(SHAPE), CARD)
    path = tmp_path / "head.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="fails the checksum") as caught:
        load_head(tmp_path)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tower"}, "another kind of model"),
        ({"format": 99}, "has format 99, this version reads up to 1"),
        ({"shape": {"dim": 5}}, "does not describe a USE head"),
        ({"logit_scale": None}, "is damaged"),
    ],
)
def test_a_card_that_cannot_be_used_says_why(tmp_path, change, message):
    save_head(tmp_path, USEHead(SHAPE), CARD)
    path = tmp_path / "head.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        load_card(tmp_path)


def test_missing_and_unreadable_parts_are_named(tmp_path):
    with pytest.raises(ModelError, match="holds no trained USE head"):
        load_head(tmp_path)
    save_head(tmp_path, USEHead(SHAPE), CARD)
    (tmp_path / "head.safetensors").unlink()
    with pytest.raises(ModelError, match=r"a card but no head\.safetensors"):
        load_head(tmp_path)
    (tmp_path / "head.json").write_text("{")
    with pytest.raises(ModelError, match="not readable as a card"):
        load_head(tmp_path)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}])
def test_torch_files_are_read(tmp_path, wrap):
    state = net().state_dict()
    torch.save(wrap({f"module.{k}": v for k, v in state.items()}), tmp_path / "w.pth")
    assert_state(read_weights(tmp_path / "w.pth"), dict(state))


def test_safetensors_are_read(tmp_path):
    save_file(net().state_dict(), tmp_path / "w.safetensors")
    assert_state(read_weights(tmp_path / "w.safetensors"), dict(net().state_dict()))


@pytest.fixture
def archive(tmp_path):
    """A TorchScript archive in half precision, as OpenAI published CLIP."""
    path = tmp_path / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net().half().float(), torch.zeros(1, 3)).half().save(path)
    return path


def test_tensors_of_a_torchscript_archive_are_read_without_its_code(archive):
    assert is_torchscript(archive)
    want = {k: v.half() for k, v in net().state_dict().items()}
    state = read_weights(archive)
    assert_state(state, want)
    other = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    load_into(other, state, archive)
    torch.testing.assert_close(other[0].weight, net()[0].weight, atol=1e-3, rtol=1e-3)


def test_a_torchscript_archive_that_calls_anything_is_refused(tmp_path, archive):
    import zipfile

    marker, evil = tmp_path / "ran", tmp_path / "evil.pt"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(evil, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("/data.pkl"):
                data = pickle.dumps(Evil(marker), protocol=2)
            target.writestr(name, data)
    with pytest.raises(ModelError, match="refused"):
        read_weights(evil)
    assert not marker.exists()


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    marker = tmp_path / "ran"
    torch.save({"w": torch.zeros(2), "x": Evil(marker)}, tmp_path / "zip.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Evil(marker)))
    for name in ("zip.pth", "old.pth"):
        with pytest.raises(ModelError, match=r"refused|not a weight file"):
            read_weights(tmp_path / name)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors"])
@pytest.mark.parametrize("data", [b"", b"hello, world", b"PK\x03\x04 cut off"])
def test_what_is_not_a_weight_file_is_one_clear_error(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=name):
        read_weights(tmp_path / name)


def test_a_missing_file_and_a_file_without_tensors(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(tmp_path / "none.pth")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(ModelError, match="holds no tensors"):
        read_weights(tmp_path / "empty.pth")


def test_names_and_shapes_must_fit(tmp_path):
    state = dict(net().state_dict())
    path = tmp_path / "w.pth"
    with pytest.raises(ModelError, match=r"lacks 0\.weight and 1 more"):
        load_into(net(), {k: v for k, v in state.items() if not k.startswith("0")}, path)
    with pytest.raises(ModelError, match="has unknown extra"):
        load_into(net(), state | {"extra": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"has misshapen 0\.bias"):
        load_into(net(), state | {"0.bias": torch.zeros(5)}, path)
    load_into(net(), state | {"extra": torch.zeros(1)}, path, ignore_extra=True)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["zip.pth", "old.pth", "w.safetensors", "script.pt"]),
    at=st.floats(0, 1, exclude_max=True),
    value=st.integers(1, 255),
    cut=st.booleans(),
)
def test_damaged_files_are_read_or_refused_but_never_crash(good_files, kind, at, value, cut):
    data = bytearray((good_files / kind).read_bytes())
    place = int(at * len(data))
    if cut:
        del data[place:]
    else:
        data[place] ^= value
    damaged = good_files / f"damaged-{kind}"
    damaged.write_bytes(data)
    with contextlib.suppress(ModelError):
        assert all(isinstance(v, torch.Tensor) for v in read_weights(damaged).values())


@pytest.fixture(scope="module")
def good_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    state = net().state_dict()
    torch.save(state, folder / "zip.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "w.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net(), torch.zeros(1, 3)).save(folder / "script.pt")
    return folder
