"""The collection as memory: votes of neighbours, never from the same photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.store_samples import SETTINGS, SPACE, photo, row, segments, unit

from usearch.classify import mixed_scores, open_bank, voters_of
from usearch.classify.bank import NEIGHBOURS, vote_weights
from usearch.classify.neighbours import require_same_keys
from usearch.cli.class_options import DEFAULT_NEIGHBOURS
from usearch.errors import SpaceMismatch, StoreError, UsageError
from usearch.records import EmbeddingSpace
from usearch.store import IndexedPhoto, open_snapshot, open_writer

KEYS = EmbeddingSpace(id="toy-keys-1", dim=4, name="toy keys 1")


def softmaxed(rng: np.random.Generator, n: int, c: int = 3) -> np.ndarray:
    return rng.dirichlet(np.ones(c), n).astype(np.float32)


def test_the_default_of_the_command_is_that_of_the_functions():
    assert DEFAULT_NEIGHBOURS == NEIGHBOURS


def test_a_weight_of_zero_changes_nothing():
    rng = np.random.default_rng(0)
    own, bank = softmaxed(rng, 4), softmaxed(rng, 9)
    rows = rng.integers(0, 9, (4, 2))
    assert (mixed_scores(own, rows, np.ones((4, 2), np.float32), bank, 0.0) == own).all()


def test_a_weight_of_one_is_the_mean_of_equally_near_neighbours():
    rng = np.random.default_rng(1)
    own, bank = softmaxed(rng, 1), softmaxed(rng, 3)
    mixed = mixed_scores(own, np.array([[0, 2]]), np.array([[0.5, 0.5]], np.float32), bank, 1.0)
    assert mixed[0] == pytest.approx(bank[[0, 2]].mean(0), abs=1e-6)


def test_a_segment_without_neighbours_keeps_its_scores():
    rng = np.random.default_rng(2)
    own, bank = softmaxed(rng, 2), softmaxed(rng, 3)
    rows = np.array([[-1, -1], [1, -1]])
    mixed = mixed_scores(own, rows, np.full((2, 2), 0.9, np.float32), bank, 0.5)
    assert (mixed[0] == own[0]).all()
    assert mixed[1] == pytest.approx((own[1] + bank[1]) / 2, abs=1e-6)


def test_a_nearer_neighbour_counts_more():
    votes = vote_weights(np.array([[3, 4]]), np.array([[0.9, 0.7]], np.float32))
    assert votes[0, 0] > votes[0, 1] > 0


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_that_is_no_share_is_refused(weight):
    own = np.ones((1, 1), np.float32)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        mixed_scores(own, np.array([[0]]), own, own, weight)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 6), st.integers(1, 5))
def test_mixed_scores_are_shares_between_what_was_mixed(seed, weight, n, k):
    rng = np.random.default_rng(seed)
    own, bank = softmaxed(rng, n), softmaxed(rng, 7)
    rows = rng.integers(-1, 7, (n, k))
    near = rng.uniform(-1, 1, (n, k)).astype(np.float32)
    mixed = mixed_scores(own, rows, near, bank, weight)
    assert mixed.sum(1) == pytest.approx(np.ones(n), abs=1e-4)
    low = np.minimum(own, bank.min(0)) - 1e-5
    high = np.maximum(own, bank.max(0)) + 1e-5
    assert ((mixed >= low) & (mixed <= high)).all()


def keyed(rng, name: str, content: str, n: int = 3, keys: np.ndarray | None = None):
    found = IndexedPhoto(row(name, hash=content), segments(rng, n), unit(rng, n))
    return replace(found, keys=unit(rng, n, KEYS.dim) if keys is None else keys)


@pytest.fixture
def store(tmp_path):
    """Five photos; a.jpg and its copy have the same content, old.jpg has no keys."""
    rng = np.random.default_rng(3)
    one = unit(rng, 3, KEYS.dim)
    with open_writer(tmp_path, space=SPACE, preset="toy", segmenter="boxes",
                     segmenter_settings=SETTINGS, keys=KEYS) as w:  # fmt: skip
        w.add([keyed(rng, "a.jpg", "aa", keys=one), keyed(rng, "b.jpg", "bb")])
        w.add([photo(rng, "old.jpg", 3)])
        w.add([keyed(rng, "copy.jpg", "aa", keys=one), keyed(rng, "c.jpg", "cc")])
    return open_snapshot(tmp_path), one


def voting_photos(snapshot, voters) -> set[str]:
    return set(snapshot.segments(voters.sources)["path"].to_pylist())


def test_no_segment_of_a_photo_with_the_same_content_votes(store):
    snapshot, one = store
    bank = open_bank(snapshot, 0.5, k=20)
    assert voting_photos(snapshot, voters_of(bank, one, "aa")) == {"b.jpg", "c.jpg"}
    # Neither its own segments nor those of the copy, though their keys are the nearest there are.
    voters = voters_of(bank, one, "aa")
    assert (voters.similarities < 0.9999).all()
    assert voting_photos(snapshot, voters_of(bank, one, "other")) == {
        "a.jpg", "b.jpg", "c.jpg", "copy.jpg",
    }  # fmt: skip


def test_neighbours_are_the_nearest_by_key_and_bring_their_own_vectors(store):
    snapshot, one = store
    voters = voters_of(open_bank(snapshot, 0.5, k=2), one, "other")
    assert voters.rows.shape == (3, 2)
    assert voters.similarities[:, 0] == pytest.approx(np.ones(3), abs=2e-3)
    assert (voters.vectors == snapshot.vectors(voters.sources)).all()
    assert voters.weight == 0.5


def test_a_segment_without_key_has_no_neighbour(store):
    snapshot, one = store
    keys = one.copy()
    keys[1] = 0
    voters = voters_of(open_bank(snapshot, 0.5), keys, "")
    assert (voters.rows[1] == -1).all()
    assert (voters.rows[[0, 2]] >= 0).all()


def test_a_bank_that_holds_only_copies_of_the_photo_has_no_voters(tmp_path):
    rng = np.random.default_rng(4)
    with open_writer(tmp_path, space=SPACE, preset="toy", segmenter="boxes",
                     segmenter_settings=SETTINGS, keys=KEYS) as w:  # fmt: skip
        w.add([keyed(rng, "a.jpg", "aa")])
    bank = open_bank(open_snapshot(tmp_path), 0.5)
    voters = voters_of(bank, unit(rng, 2, KEYS.dim), "aa")
    own = softmaxed(rng, 2)
    empty = np.zeros((0, 3), np.float32)
    assert (mixed_scores(own, voters.rows, voters.similarities, empty, 0.5) == own).all()


def test_a_store_without_keys_says_how_it_gets_them(tmp_path):
    rng = np.random.default_rng(5)
    with open_writer(tmp_path, space=SPACE, preset="toy", segmenter="boxes",
                     segmenter_settings=SETTINGS) as w:  # fmt: skip
        w.add([photo(rng, "a.jpg")])
    with pytest.raises(StoreError, match="no visual keys") as caught:
        open_bank(open_snapshot(tmp_path), 0.5)
    assert f"usearch index FOLDER --keys --store {tmp_path}" in caught.value.hint


def test_keys_and_vectors_of_another_model_are_refused(store):
    bank = open_bank(store[0], 0.5)
    other = EmbeddingSpace(id="other", dim=4, name="other")
    require_same_keys(bank, KEYS, SPACE, "mine")
    with pytest.raises(SpaceMismatch, match="toy-keys-1"):
        require_same_keys(bank, other, SPACE, "mine")
    with pytest.raises(SpaceMismatch, match="toy-1"):
        require_same_keys(bank, KEYS, other, "mine")


@pytest.mark.parametrize(("weight", "k"), [(1.5, 3), (0.5, 0)])
def test_options_that_make_no_sense_are_refused(store, weight, k):
    with pytest.raises(UsageError):
        open_bank(store[0], weight, k)
