"""The bundled text encoder: the trained network in NumPy, and what it knows."""

import json
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch.errors import ModelError, UsageError
from usearch.models.presets import MINI_FOLDER as BUNDLED
from usearch.text.mini import encode_texts
from usearch.text.network import MAX_PIECES, TextNetwork, read_safetensors
from usearch.text.wordpiece import WordPiece

PIECES = ["[PAD]", "[UNK]", "red", "car", "##s", "dog", "a", "of", "photo", "b", "##b"]


@pytest.fixture(scope="module")
def bundled():
    return TextNetwork(BUNDLED / "text.safetensors", BUNDLED / "text.vocab.txt")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A student with random weights, and the folder it was exported to."""
    torch = pytest.importorskip("torch")
    from trainer.text import export, student

    torch.manual_seed(0)
    table = torch.randn(len(PIECES), student.DIM) * 0.3
    model = student.Student(table, torch.randn(student.NAME_DIM, student.DIM) * 0.1)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    folder = tmp_path_factory.mktemp("student")
    export.export(model, PIECES, folder, {"epochs": 0})
    return model, folder


def network(folder):
    return TextNetwork(folder / "text.safetensors", folder / "text.vocab.txt")


def test_numpy_gives_what_torch_gives(small):
    import torch

    model, folder = small
    tensors, _ = read_safetensors(folder / "text.safetensors")
    with torch.no_grad():  # what was written is what is compared: int8 tables, float16 layers
        for name, value in model.state_dict().items():
            short = name.removesuffix(".weight")
            stored = np.asarray(tensors.get(name, tensors.get(short)), np.float32)
            if name not in tensors:
                stored = stored * np.asarray(tensors[f"{short}.scale"], np.float32)[:, None]
            value.copy_(torch.from_numpy(stored))
    texts = ["red cars", "a photo of a dog", "car", "zebra of red", "a " * 60]
    cut = WordPiece(PIECES)
    vectors = network(folder)(texts)
    for text, vector in zip(texts, vectors, strict=True):
        with torch.inference_mode():
            wanted = model(torch.tensor([cut(text)]))[0].numpy()
        np.testing.assert_allclose(vector, wanted, atol=2e-5)


def test_rounding_to_eight_bits_moves_vectors_little(small):
    from trainer.text.export import tensors_of

    tensors = tensors_of(small[0])
    table = small[0].pieces.weight.detach().numpy()
    back = tensors["pieces"] * tensors["pieces.scale"].astype(np.float32)[:, None]
    assert np.abs(back - table).max() <= np.abs(table).max() / 127


def test_a_batch_gives_what_single_texts_give(small):
    encoder = network(small[1])
    texts = ["red", "a photo of a red car", "dog", "b" * 70, "car"] * 60
    together = encoder(texts)
    alone = np.concatenate([encoder([text]) for text in texts[:5]])
    np.testing.assert_allclose(together[:5], alone, atol=1e-5)
    np.testing.assert_allclose(together[295:], alone, atol=1e-5)


@given(st.text(max_size=40))
def test_any_text_gives_a_unit_vector_or_a_usage_error(bundled, text):
    try:
        vectors = encode_texts(bundled, [text])
    except UsageError:
        assert not any(c.isalnum() and c.isascii() for c in text)
    else:
        assert vectors.dtype == np.float32
        assert abs(float(np.linalg.norm(vectors[0])) - 1) < 1e-5


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b", "\x00"])
def test_a_text_of_nothing_is_a_usage_error(bundled, text):
    with pytest.raises(UsageError, match=r"empty|no letters"):
        bundled([text])


def test_a_long_text_is_cut_and_said(bundled, caplog):
    words = "a dog on a couch and " * 40
    with caplog.at_level(logging.WARNING, "usearch.text"):
        vector = bundled([words])[0]
    assert "the rest is not read" in caplog.text
    assert str(MAX_PIECES) in caplog.text
    assert np.isfinite(vector).all()


def test_words_of_another_script_are_taken_and_said(bundled, caplog):
    with caplog.at_level(logging.WARNING, "usearch.text"):
        vectors = encode_texts(bundled, ["собака", "चाय", "犬"])
    assert np.isfinite(vectors).all()
    assert caplog.text.count("no word of") == 3


def test_an_emoji_means_what_it_shows(bundled):
    names = ["dog", "car", "person", "pizza"]
    nearest = encode_texts(bundled, ["🐶", "🚗", "🍕"]) @ encode_texts(bundled, names).T
    assert [names[i] for i in nearest.argmax(1)] == ["dog", "car", "pizza"]


NAMES = [
    "person",
    "dog",
    "cat",
    "cow",
    "horse",
    "car",
    "bicycle",
    "bus",
    "couch",
    "chair",
    "tv",
    "refrigerator",
    "airplane",
    "boat",
    "tree",
    "grass",
    "sky",
    "building",
    "cup",
    "book",
]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("puppy", "dog"),
        ("automobile", "car"),
        ("kitten", "cat"),
        ("sofa", "couch"),
        ("fridge", "refrigerator"),
        ("dogs", "dog"),
        ("a photo of a dog.", "dog"),
        ("The Dog", "dog"),
        ("mug", "cup"),
        ("lady", "person"),
        ("red car", "car"),
        ("black dog", "dog"),
        ("plane", "airplane"),
        ("novel", "book"),
        ("lawn", "grass"),
        ("a man wearing a hat", "person"),
        ("wooden chair", "chair"),
        ("skyscraper", "building"),
    ],
)
def test_what_is_typed_lands_near_its_meaning(bundled, text, name):
    scores = encode_texts(bundled, NAMES) @ encode_texts(bundled, [text])[0]
    assert NAMES[int(scores.argmax())] == name


@pytest.mark.parametrize(
    ("word", "below"),
    [
        ("animal", {"dog", "cat", "cow", "horse"}),
        ("vehicle", {"car", "bicycle", "bus", "airplane", "boat"}),
        ("furniture", {"couch", "chair"}),
        ("plant", {"tree", "grass"}),
    ],
)
def test_a_hypernym_is_nearer_to_its_hyponyms_than_to_most_else(bundled, word, below):
    scores = encode_texts(bundled, NAMES) @ encode_texts(bundled, [word])[0]
    ranks = {NAMES[i]: rank for rank, i in enumerate(np.argsort(-scores))}
    assert max(ranks[name] for name in below) < len(below) + 2


def test_a_colour_phrase_keeps_colour_and_thing(bundled):
    phrases = [f"{c} {t}" for c in ("red", "blue", "white") for t in ("car", "dog", "couch")]
    vectors = encode_texts(bundled, phrases)
    other = encode_texts(bundled, [f"a {t} that is {c}" for c, t in (p.split() for p in phrases)])
    assert (vectors @ other.T).argmax(1).tolist() == list(range(len(phrases)))


def test_the_bundled_files_are_small_and_their_card_names_terms():
    assert sum(p.stat().st_size for p in BUNDLED.glob("text.*")) < 16e6
    card = json.loads((BUNDLED / "text.json").read_text(encoding="utf-8"))
    assert all(source["terms"] for source in card["sources"])
    assert card["id"] == read_safetensors(BUNDLED / "text.safetensors")[1]["id"]


@pytest.mark.parametrize("damage", ["missing", "cut", "header", "vocabulary"])
def test_damaged_files_are_a_model_error(small, tmp_path, damage):
    for name in ("text.safetensors", "text.vocab.txt"):
        (tmp_path / name).write_bytes((small[1] / name).read_bytes())
    weights = tmp_path / "text.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif damage == "header":
        weights.write_bytes(b"\xff" * 100)
    else:
        (tmp_path / "text.vocab.txt").write_text("[PAD]\n[UNK]\nred")
    with pytest.raises(ModelError):
        network(tmp_path)
