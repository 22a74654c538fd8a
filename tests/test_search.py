"""Hits: the nearest segments, as many as were asked for where the store has them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.store_samples import DIM, photo, row, segments, unit, writer

from usearch.asked import ask_questions
from usearch.errors import SpaceMismatch, UsageError
from usearch.models.presets import Calibration
from usearch.questions import Question, Term, Text
from usearch.ranking import COPY_COSINE, Wanted
from usearch.records import EmbeddingSpace
from usearch.scores import SAME_MEANING, Contrast, match_scores
from usearch.search import PATIENCE, photo_ids, require_same_space, search, shown_path
from usearch.store import IndexedPhoto, open_snapshot

NO_CONTRAST = Contrast(
    np.zeros((0, DIM), np.float32),
    Calibration(logit_scale=10.0, slope=1.0, bias=-5.0, cutoff=0.5, background=()),
)


def every(k, **options):
    """Wanted is the nearest, matching or not."""
    return Wanted(k, everything=True, **options)


def scaled(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def contrast(background, logit_scale=10.0, slope=1.0, bias=0.0):
    calibration = Calibration(logit_scale, slope, bias, 0.5, background=())
    return Contrast(np.asarray(background, np.float32), calibration)


def asked(vectors, *weighted):
    """Questions of one text each with the vectors given, or one question of several terms."""
    terms = [Term(Text(f"q{i}"), w) for i, w in enumerate(weighted or [1.0] * len(vectors))]
    questions = [Question(tuple(terms))] if weighted else [Question((term,)) for term in terms]
    look = {f"q{i}": vector for i, vector in enumerate(vectors)}
    return ask_questions(
        questions, lambda texts: np.stack([look[text] for text in texts]), lambda term: None
    )


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Thirty photos of one to seven segments in three parts, some of them removed."""
    path = tmp_path_factory.mktemp("search") / ".usearch"
    rng = np.random.default_rng(3)
    with writer(path) as out:
        for part in range(3):
            out.add([photo(rng, f"{part}/{n}.jpg", 1 + (n + part) % 7) for n in range(10)])
        out.remove([2, 17])
    return open_snapshot(path)


def by_hand(snapshot, vectors, allowed=None):
    """Cosines of all rows that are there, by their best question, best first."""
    rows = (
        snapshot.live_rows() if allowed is None else np.intersect1d(snapshot.live_rows(), allowed)
    )
    cosines = (snapshot.vectors(rows) @ np.stack(vectors).T).max(1)
    order = np.argsort(-cosines, kind="stable")
    return rows[order], cosines[order]


def ids(snapshot, rows):
    return snapshot.segments(rows)["segment_id"].to_pylist()


def test_hits_are_ranked_by_cosine_and_numbered_from_one(snapshot):
    query = unit(np.random.default_rng(0), 1)
    found = search(snapshot, asked(query), every(5), NO_CONTRAST)
    rows, cosines = by_hand(snapshot, query)
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4, 5]
    assert [hit.segment for hit in found.hits] == ids(snapshot, rows[:5])
    np.testing.assert_allclose([hit.cosine for hit in found.hits], cosines[:5], atol=1e-3)


def test_a_hit_says_where_it_is_and_what_is_known_of_its_photo(snapshot):
    hit = search(snapshot, asked(unit(np.random.default_rng(0), 1)), every(1), NO_CONTRAST).hits[0]
    [stored] = (
        snapshot.segments(snapshot.rows_of_photo(hit.photo))
        .filter([i == hit.segment for i in ids(snapshot, snapshot.rows_of_photo(hit.photo))])
        .to_pylist()
    )
    assert hit.box == tuple(stored[side] for side in ("x0", "y0", "x1", "y1"))
    assert (hit.parent, hit.depth) == (stored["parent"], stored["depth"])
    assert hit.segmenter_score == stored["score"]
    assert hit.image == f"/photos/{stored['path']}"
    assert (hit.taken_at, hit.camera) == ("2024-05-06T07:08:09", "Toy 1")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 40),
    questions=st.integers(1, 4),
    per_image=st.none() | st.integers(1, 3),
    share=st.none() | st.floats(0.02, 1.0),
)
def test_there_are_never_fewer_hits_than_asked_for_where_the_store_has_them(
    snapshot, seed, k, questions, per_image, share
):
    rng = np.random.default_rng(seed)
    query = unit(rng, questions)
    live = snapshot.live_rows()
    allowed = None if share is None else live[rng.random(len(live)) < share]
    rows, cosines = by_hand(snapshot, query, allowed)
    expected, taken = [], {}
    for place, photo_id in enumerate(photo_ids(snapshot, rows).tolist()):
        taken[photo_id] = taken.get(photo_id, 0) + 1
        if per_image is None or taken[photo_id] <= per_image:
            expected.append(place)
    found = search(snapshot, asked(query), every(k, per_image=per_image), NO_CONTRAST, allowed)
    assert [hit.segment for hit in found.hits] == ids(snapshot, rows[expected[:k]])
    np.testing.assert_allclose([hit.cosine for hit in found.hits], cosines[expected[:k]], atol=1e-3)
    assert (found.segments, found.photos) == (len(rows), len(taken))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 30), cutoff=st.floats(0, 1))
def test_there_are_never_fewer_matches_than_asked_for_where_the_store_has_them(
    snapshot, seed, k, cutoff
):
    rng = np.random.default_rng(seed)
    query, background = unit(rng, 1), contrast(unit(rng, 3))
    rows, _ = by_hand(snapshot, query)
    scores = match_scores(query[0], snapshot.vectors(rows), background)
    found = search(snapshot, asked(query), Wanted(k, cutoff), background)
    assert [hit.segment for hit in found.hits] == ids(snapshot, rows[scores >= cutoff][:k])
    assert found.below == (scores[:k] < cutoff).sum()
    assert found.best.score == pytest.approx(scores.max(), rel=1e-4)


def test_several_questions_give_one_ranking_and_each_hit_says_which_it_answers(snapshot):
    query = unit(np.random.default_rng(5), 2)
    hits = search(snapshot, asked(query), every(40), NO_CONTRAST).hits
    for hit in hits:
        vector = snapshot.vectors(snapshot.rows_of_photo(hit.photo))[hit.segment % 65536]
        assert hit.matched == f"q{(query @ vector).argmax()}"
        assert hit.cosine == pytest.approx((query @ vector).max(), abs=1e-3)
    assert {hit.matched for hit in hits} == {"q0", "q1"}


def test_one_question_needs_no_name(snapshot):
    hits = search(snapshot, asked(unit(np.random.default_rng(5), 1)), Wanted(), NO_CONTRAST).hits
    assert {hit.matched for hit in hits} <= {""}


def test_more_questions_than_are_looked_up_at_once_give_the_same_ranking(snapshot):
    query = unit(np.random.default_rng(6), 150)
    rows, _ = by_hand(snapshot, query)
    found = search(snapshot, asked(query), every(20), NO_CONTRAST)
    assert [hit.segment for hit in found.hits] == ids(snapshot, rows[:20])


def test_photos_are_ranked_by_their_best_segment_and_stand_together(snapshot):
    query = unit(np.random.default_rng(7), 1)
    rows, _ = by_hand(snapshot, query)
    photos = list(dict.fromkeys(photo_ids(snapshot, rows).tolist()))
    hits = search(snapshot, asked(query), every(4, per_image=2, group=True), NO_CONTRAST).hits
    assert list(dict.fromkeys(hit.photo for hit in hits)) == photos[:4]
    for number in photos[:4]:
        mine = [hit for hit in hits if hit.photo == number]
        best = [i for i in ids(snapshot, rows) if i >> 16 == number]
        assert [hit.segment for hit in mine] == best[:2]
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_what_is_likelier_unwanted_is_left_out_and_the_rest_keeps_its_order(snapshot):
    wanted, other = unit(np.random.default_rng(8), 2)
    rows, _ = by_hand(snapshot, wanted[None])
    vectors = snapshot.vectors(rows).astype(np.float64)
    # Odds are those of a logistic curve of ten times the cosine: four to one are asked for.
    kept = rows[10 * (vectors @ wanted - vectors @ other) >= np.log(4)]
    [one] = asked([wanted, other], 1.0, -1.0)
    found = search(snapshot, [one], every(99), NO_CONTRAST)
    assert 0 < len(kept) < len(rows)
    assert [hit.segment for hit in found.hits] == ids(snapshot, kept)
    np.testing.assert_allclose(one.vector, wanted, atol=1e-6)


def test_more_weight_on_what_is_not_wanted_leaves_out_more(snapshot):
    pair = unit(np.random.default_rng(8), 2)
    counts = [
        len(search(snapshot, asked(pair, 1.0, -w), every(99), NO_CONTRAST).hits)
        for w in (0.1, 1.0, 10.0)
    ]
    assert counts[0] > counts[1] > counts[2]


def test_a_weighted_sum_is_looked_for(snapshot):
    query = unit(np.random.default_rng(8), 2)
    [both] = asked(query, 2.0, 1.0)
    np.testing.assert_allclose(both.vector, scaled(2 * query[0] + query[1]), atol=1e-6)


def test_terms_that_cancel_each_other_are_refused():
    one = unit(np.random.default_rng(1), 1)
    with pytest.raises(UsageError, match="cancel"):
        asked(np.concatenate([one, -one]), 1.0, 1.0)


@pytest.fixture(scope="module")
def bursts(tmp_path_factory):
    """Four shots of one scene, nearly alike, and one other photo."""
    path = tmp_path_factory.mktemp("bursts") / ".usearch"
    rng = np.random.default_rng(9)
    scene, vectors = segments(rng, 3), unit(rng, 3)
    with writer(path) as out:
        out.add(
            [
                IndexedPhoto(row(f"{n}.jpg"), scene, scaled(vectors + 0.01 * unit(rng, 3)))
                for n in range(4)
            ]
        )
        out.add([photo(rng, "other.jpg", 3)])
    return open_snapshot(path), vectors


def test_near_copies_are_folded_into_the_best_of_them(bursts):
    snapshot, vectors = bursts
    found = search(snapshot, asked(vectors[1:2]), every(6, dedupe=True), NO_CONTRAST)
    assert found.hits[0].folded == 3
    # Three things of the scene, each once, and three segments of the other photo.
    assert sorted(hit.folded for hit in found.hits) == [0, 0, 0, 3, 3, 3]


def test_ranked_photos_fold_copies_and_stay_as_many_as_asked_for(bursts):
    snapshot, vectors = bursts
    wanted = every(2, dedupe=True, group=True, per_image=3)
    hits = search(snapshot, asked(vectors[1:2]), wanted, NO_CONTRAST).hits
    assert len({hit.photo for hit in hits}) == 2
    assert hits[0].folded == 3
    assert len(hits) == 6


def test_the_same_thing_elsewhere_in_the_photo_is_no_copy(tmp_path):
    rng = np.random.default_rng(2)
    near = scaled(np.repeat(unit(rng, 1), 2, 0) + 0.001 * unit(rng, 2))
    assert near[0] @ near[1] > COPY_COSINE
    left, right = np.zeros((24, 32), bool), np.zeros((24, 32), bool)
    left[:, :8], right[:, 24:] = True, True
    from usearch.masks import segments_from_masks

    with writer(tmp_path / "s") as out:
        out.add(
            [
                IndexedPhoto(row("l.jpg"), segments_from_masks([left], np.ones(1)), near[:1]),
                IndexedPhoto(row("r.jpg"), segments_from_masks([right], np.ones(1)), near[1:]),
            ]
        )
    snapshot = open_snapshot(tmp_path / "s")
    found = search(snapshot, asked(near[:1]), every(5, dedupe=True), NO_CONTRAST)
    assert [hit.folded for hit in found.hits] == [0, 0]


def test_the_search_for_matches_ends_when_none_is_to_be_expected(tmp_path):
    """Behind so many neighbours that score too little, a match is not looked for."""
    rng = np.random.default_rng(4)
    with writer(tmp_path / "s") as out:
        out.add([photo(rng, f"{n}.jpg", 60) for n in range(PATIENCE // 60 + 20)])
    snapshot = open_snapshot(tmp_path / "s")
    found = search(snapshot, asked(unit(rng, 1)), Wanted(10, 1.0), NO_CONTRAST)
    assert (found.hits, found.below) == ([], 10)
    assert found.best is not None


def test_an_empty_filter_finds_nothing(snapshot):
    found = search(
        snapshot, asked(unit(np.random.default_rng(0), 1)), Wanted(), NO_CONTRAST, np.zeros(0, int)
    )
    assert (found.hits, found.best, found.photos, found.segments) == ([], None, 0, 0)


def test_a_filter_may_name_rows_twice_and_rows_that_are_gone(snapshot):
    rows = np.flatnonzero(~snapshot.alive)
    live = snapshot.live_rows()[:3]
    allowed = np.concatenate([rows, live, live])
    query = asked(unit(np.random.default_rng(0), 1))
    assert len(search(snapshot, query, every(9), NO_CONTRAST, allowed).hits) == 3


@pytest.mark.parametrize("k", [0, -3])
def test_asking_for_no_hits_is_refused(k):
    with pytest.raises(UsageError, match="at least 1"):
        Wanted(k)


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_a_minimum_score_outside_0_to_1_is_refused(score):
    with pytest.raises(UsageError, match="between 0 and 1"):
        Wanted(min_score=score)


def test_the_score_is_the_share_of_the_softmax_that_the_query_takes():
    query = scaled([1, 0.2, 0])
    background = scaled([[0, 1, 0], [0, 0, 1]])
    vector = scaled([[0.9, 0.3, 0.1]])
    logits = 10 * vector.astype(np.float64)[0] @ np.stack([query, *background]).T
    share = np.exp(logits[0]) / np.exp(logits).sum()
    assert match_scores(query, vector, contrast(background)) == pytest.approx(share, rel=1e-5)


def test_calibration_is_a_logistic_curve_on_the_logit_of_the_share():
    query, background, vectors = scaled([1, 0, 0]), scaled([[0, 1, 0]]), scaled(np.eye(3) + 0.1)
    share = match_scores(query, vectors, contrast(background))
    logit = np.log(share / (1 - share))
    calibrated = match_scores(query, vectors, contrast(background, slope=0.5, bias=-2.0))
    np.testing.assert_allclose(calibrated, 1 / (1 + np.exp(-(0.5 * logit - 2))), rtol=1e-6)


def test_another_name_of_the_query_in_the_background_takes_nothing_from_it():
    query = scaled([1, 0, 0])
    synonym, other = scaled([1, 0.1, 0]), scaled([0, 1, 0])
    assert synonym @ query > SAME_MEANING
    with_synonym = match_scores(query, query[None], contrast([synonym, other]))
    np.testing.assert_allclose(with_synonym, match_scores(query, query[None], contrast([other])))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1000), st.floats(-3, 3))
def test_scores_lie_between_0_and_1_whatever_the_calibration(seed, logit_scale, slope):
    rng = np.random.default_rng(seed)
    query, *background = scaled(rng.normal(size=(6, 4)))
    scores = match_scores(
        query, scaled(rng.normal(size=(9, 4))), contrast(background, logit_scale, slope)
    )
    assert ((scores >= 0) & (scores <= 1)).all()


def test_without_a_background_the_score_follows_the_cosine():
    vectors = scaled([[1, 0, 0], [0, 1, 0]])
    scores = match_scores(scaled([1, 0, 0]), vectors, contrast(np.zeros((0, 3))))
    assert scores[0] > scores[1]


def test_vectors_of_two_spaces_never_meet(snapshot):
    encoder = SimpleNamespace(space=EmbeddingSpace("xyz", 3, "other 2"))
    with pytest.raises(SpaceMismatch, match=r"toy 1 \(toy-1\).*other 2 \(xyz\)"):
        require_same_space(snapshot, encoder)


def test_paths_are_shown_relative_only_below_the_current_folder(tmp_path):
    assert shown_path(str(tmp_path / "a" / "b.jpg"), tmp_path) == "a/b.jpg"
    assert shown_path("/elsewhere/b.jpg", tmp_path) == "/elsewhere/b.jpg"
    assert shown_path(f"{tmp_path}2/b.jpg", tmp_path) == f"{tmp_path}2/b.jpg"
