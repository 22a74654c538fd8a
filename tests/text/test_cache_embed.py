"""Text vectors are computed once, and a cache can never make an answer wrong."""

import multiprocessing
import os

import numpy as np
import pytest

from usearch.errors import UsageError
from usearch.records import EmbeddingSpace
from usearch.text.cache import recall
from usearch.text.embed import embed_names


class Letters:
    """Counts letters; remembers what it was asked."""

    def __init__(self, space="letters", weights="1"):
        self.space = EmbeddingSpace(space, 26, "letters")
        self.id = weights
        self.asked = []

    def encode(self, texts):
        self.asked += texts
        counts = np.array([[t.lower().count(chr(97 + i)) for i in range(26)] for t in texts])
        counts = counts.astype(np.float32) + 0.01
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def files(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def encode_cached(encoder, texts, folder):
    return recall(encoder, texts, encoder.encode, folder)


def test_a_text_is_encoded_once(tmp_path):
    texts = ["red car", "dog", "red car"]
    first = encode_cached(Letters(), texts, tmp_path)
    again = Letters()
    np.testing.assert_array_equal(encode_cached(again, texts, tmp_path), first)
    assert again.asked == []
    np.testing.assert_array_equal(first, Letters().encode(texts))
    assert len(files(tmp_path)) == 2


def test_only_new_texts_are_asked_and_order_is_kept(tmp_path):
    encode_cached(Letters(), ["dog"], tmp_path)
    encoder = Letters()
    vectors = encode_cached(encoder, ["cat", "dog", "cow"], tmp_path)
    assert encoder.asked == ["cat", "cow"]
    np.testing.assert_array_equal(vectors, Letters().encode(["cat", "dog", "cow"]))


@pytest.mark.parametrize("other", [Letters(space="other"), Letters(weights="2")])
def test_another_space_or_other_weights_share_nothing(tmp_path, other):
    encode_cached(Letters(), ["dog"], tmp_path)
    encode_cached(other, ["dog"], tmp_path)
    assert other.asked == ["dog"]
    other.asked.clear()


@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "longer", "folder"])
def test_a_damaged_file_is_computed_again(tmp_path, damage):
    right = encode_cached(Letters(), ["dog"], tmp_path)
    (file,) = files(tmp_path)
    data = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(data[:-7])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "longer":
        file.write_bytes(data + b"x")
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        data[-1] ^= 255
        file.write_bytes(data)
    np.testing.assert_array_equal(encode_cached(Letters(), ["dog"], tmp_path), right)


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "text").write_text("a file where the folder should be")
    np.testing.assert_array_equal(
        encode_cached(Letters(), ["dog", "cat"], tmp_path), Letters().encode(["dog", "cat"])
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder_is_no_error(tmp_path):
    tmp_path.chmod(0o500)
    assert encode_cached(Letters(), ["dog"], tmp_path / "cache").shape == (1, 26)


def test_no_cache_and_no_texts(tmp_path):
    assert encode_cached(Letters(), [], tmp_path).shape == (0, 26)
    assert encode_cached(Letters(), ["a", "a"], None).shape == (2, 26)
    assert files(tmp_path) == []


def test_lone_surrogates_and_zero_bytes_are_keys_like_others(tmp_path):
    texts = ["\ud83d", "\0", "a\0", "/../x"]
    encode_cached(Letters(), texts, tmp_path)
    encoder = Letters()
    encode_cached(encoder, texts, tmp_path)
    assert encoder.asked == []


def _fill(folder):
    for _ in range(20):
        encode_cached(Letters(), [f"text {i}" for i in range(10)], folder)


def test_processes_share_a_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_fill, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(files(tmp_path)) == 10
    encoder = Letters()
    encode_cached(encoder, [f"text {i}" for i in range(10)], tmp_path)
    assert encoder.asked == []


def test_a_name_is_the_normalised_mean_over_templates(tmp_path):
    templates = ("a {}", "the {} zzz")
    vectors = embed_names(Letters(), ["dog", "cat"], templates, tmp_path)
    mean = Letters().encode(["a dog", "the dog zzz"]).mean(0)
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_templates_are_part_of_what_is_remembered(tmp_path):
    embed_names(Letters(), ["dog"], ("a {}",), tmp_path)
    encoder = Letters()
    embed_names(encoder, ["dog"], ("the {}",), tmp_path)
    embed_names(encoder, ["dog"], ("a {}",), tmp_path)
    assert encoder.asked == ["the dog"]


def test_no_names_give_no_rows_and_no_templates_are_refused():
    assert embed_names(Letters(), [], ("{}",)).shape == (0, 26)
    with pytest.raises(UsageError):
        embed_names(Letters(), ["dog"], ())
