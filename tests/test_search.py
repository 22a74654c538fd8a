"""Hits: ranked by cosine, scored against the background vocabulary."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usearch.errors import SpaceMismatch, UsageError
from usearch.records import EmbeddingSpace
from usearch.search import (
    SAME_MEANING,
    Contrast,
    checked_text,
    match_scores,
    query_vector,
    require_same_space,
    shown_path,
)


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def contrast(background, logit_scale=10.0, slope=1.0, bias=0.0):
    calibration = SimpleNamespace(logit_scale=logit_scale, slope=slope, bias=bias, cutoff=0.5)
    return Contrast(np.asarray(background, np.float32), calibration)


class FlatSnapshot:
    """What `query_vector` needs of a snapshot: exact search over a few vectors."""

    path = ".usearch"
    space = EmbeddingSpace("abc", 3, "toy 1")

    def __init__(self, vectors):
        self.held = unit(vectors)
        self.n_segments = len(self.held)

    def search(self, queries, k, allowed=None):
        cosines = queries @ self.held.T
        if allowed is not None:
            cosines[:, np.setdiff1d(np.arange(self.n_segments), allowed)] = -2
            k = min(k, len(allowed))
        rows = np.argsort(-cosines, axis=1)[:, :k]
        return np.take_along_axis(cosines, rows, 1), rows

    def vectors(self, rows):
        return self.held[rows]

    def segments(self, rows):
        names = {
            "segment_id": 65536, "photo_id": 1, "path": "a/b.jpg", "root": "/photos",
            "width": 640, "height": 480, "x0": 1.0, "y0": 2.0, "x1": 30.5, "y1": 40.0,
            "area_share": 0.25, "mask_h": 48, "mask_w": 64, "rle": b"0",
        }  # fmt: skip
        table = [{**names, "segment_id": 65536 + int(row)} for row in rows]
        return SimpleNamespace(to_pylist=lambda: table)


def test_hits_are_ranked_by_cosine_and_numbered_from_one():
    snapshot = FlatSnapshot([[0, 1, 0], [1, 0.1, 0], [1, 1, 0]])
    hits = query_vector(snapshot, unit([1, 0, 0]), 2, contrast=contrast([[0, 0, 1]]))
    assert [(hit.rank, hit.segment - 65536) for hit in hits] == [(1, 1), (2, 2)]
    assert hits[0].cosine == pytest.approx(1 / np.sqrt(1.01))
    assert hits[0].image == "/photos/a/b.jpg"
    assert hits[0].box == (1.0, 2.0, 30.5, 40.0)
    assert (hits[0].mask_size, hits[0].rle) == ((48, 64), b"0")


def test_asking_for_more_than_there_is_gives_all_of_it():
    snapshot = FlatSnapshot(np.eye(3))
    hits = query_vector(snapshot, unit([1, 0, 0]), 2**40, contrast=contrast([[0, 0, 1]]))
    assert [hit.rank for hit in hits] == [1, 2, 3]


def test_a_filter_searches_only_the_rows_allowed():
    snapshot = FlatSnapshot(np.eye(3))
    allowed = np.array([2])
    hits = query_vector(
        snapshot, unit([1, 0, 0]), 5, contrast=contrast([[0, 1, 0]]), allowed=allowed
    )
    assert [hit.segment for hit in hits] == [65538]


def test_an_empty_store_has_no_hits():
    snapshot = FlatSnapshot(np.eye(3))
    snapshot.n_segments = 0
    assert query_vector(snapshot, unit([1, 0, 0]), 5, contrast=contrast([[0, 1, 0]])) == []


def test_hits_below_the_minimum_score_are_left_out():
    snapshot = FlatSnapshot([[1, 0, 0], [0, 1, 0]])
    background = contrast([[0, 1, 0]])
    hits = query_vector(snapshot, unit([1, 0, 0]), 5, contrast=background, min_score=0.5)
    assert [hit.segment for hit in hits] == [65536]


@pytest.mark.parametrize("k", [0, -3])
def test_asking_for_no_hits_is_refused(k):
    with pytest.raises(UsageError, match="at least 1"):
        query_vector(FlatSnapshot(np.eye(3)), unit([1, 0, 0]), k, contrast=contrast([[0, 0, 1]]))


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_a_minimum_score_outside_0_to_1_is_refused(score):
    with pytest.raises(UsageError, match="between 0 and 1"):
        query_vector(
            FlatSnapshot(np.eye(3)), unit([1, 0, 0]), 1, contrast=contrast([[0, 0, 1]]),
            min_score=score,
        )  # fmt: skip


def test_the_score_is_the_share_of_the_softmax_that_the_query_takes():
    query = unit([1, 0.2, 0])
    background = unit([[0, 1, 0], [0, 0, 1]])
    vector = unit([[0.9, 0.3, 0.1]])
    logits = 10 * vector.astype(np.float64)[0] @ np.stack([query, *background]).T
    share = np.exp(logits[0]) / np.exp(logits).sum()
    assert match_scores(query, vector, contrast(background)) == pytest.approx(share, rel=1e-5)


def test_calibration_is_a_logistic_curve_on_the_logit_of_the_share():
    query, background, vectors = unit([1, 0, 0]), unit([[0, 1, 0]]), unit(np.eye(3) + 0.1)
    share = match_scores(query, vectors, contrast(background))
    logit = np.log(share / (1 - share))
    calibrated = match_scores(query, vectors, contrast(background, slope=0.5, bias=-2.0))
    np.testing.assert_allclose(calibrated, 1 / (1 + np.exp(-(0.5 * logit - 2))), rtol=1e-6)


def test_another_name_of_the_query_in_the_background_takes_nothing_from_it():
    query = unit([1, 0, 0])
    synonym, other = unit([1, 0.1, 0]), unit([0, 1, 0])
    assert synonym @ query > SAME_MEANING
    with_synonym = match_scores(query, query[None], contrast([synonym, other]))
    np.testing.assert_allclose(with_synonym, match_scores(query, query[None], contrast([other])))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1000), st.floats(-3, 3))
def test_scores_lie_between_0_and_1_whatever_the_calibration(seed, logit_scale, slope):
    rng = np.random.default_rng(seed)
    query, *background = unit(rng.normal(size=(6, 4)))
    scores = match_scores(
        query, unit(rng.normal(size=(9, 4))), contrast(background, logit_scale, slope)
    )
    assert ((scores >= 0) & (scores <= 1)).all()


def test_without_a_background_the_score_follows_the_cosine():
    vectors = unit([[1, 0, 0], [0, 1, 0]])
    scores = match_scores(unit([1, 0, 0]), vectors, contrast(np.zeros((0, 3))))
    assert scores[0] > scores[1]


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b", "\x00\x1b"])
def test_an_empty_question_is_refused(text):
    with pytest.raises(UsageError, match="empty"):
        checked_text(text)


def test_a_whole_book_is_refused():
    with pytest.raises(UsageError, match="100000 characters"):
        checked_text("a" * 100_000)


def test_a_question_that_is_not_text_is_refused():
    with pytest.raises(UsageError, match="UTF-8"):
        checked_text("caf\udce9")


@pytest.mark.parametrize("text", ["красная машина", "赤い車", "🚗", "قطة", "%s {} ' ; drop table"])
def test_a_question_in_any_script_is_taken(text):
    assert checked_text(f"  {text}\n") == text


def test_vectors_of_two_spaces_never_meet():
    encoder = SimpleNamespace(space=EmbeddingSpace("xyz", 3, "other 2"))
    with pytest.raises(SpaceMismatch, match=r"toy 1 \(abc\).*other 2 \(xyz\)"):
        require_same_space(FlatSnapshot(np.eye(3)), encoder)


def test_paths_are_shown_relative_only_below_the_current_folder(tmp_path):
    assert shown_path(str(tmp_path / "a" / "b.jpg"), tmp_path) == "a/b.jpg"
    assert shown_path("/elsewhere/b.jpg", tmp_path) == "/elsewhere/b.jpg"
    assert shown_path(f"{tmp_path}2/b.jpg", tmp_path) == f"{tmp_path}2/b.jpg"
