"""What a score says: exact values, order, bounds, and where matching ends."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usearch.models.card import read_card
from usearch.models.presets import MINI_FOLDER, Calibration, card_calibration, preset_calibration
from usearch.scores import (
    HIGHEST_CUTOFF,
    USUAL_SEGMENTS,
    Contrast,
    logistic,
    match_scores,
    share_log_odds,
    text_cutoff,
    visual_cutoff,
    visual_scores,
)

PLAIN = Calibration(10.0, 1.0, 0.0, 0.1, background=("a", "b"))
MANY = st.integers(1, 10**9)


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def random_units(seed, *shape):
    return unit(np.random.default_rng(seed).normal(size=shape))


def test_the_share_is_that_of_a_softmax_over_the_query_and_the_background():
    query, background, segments = unit([1, 0, 0]), unit([[0, 1, 0], [0, 0, 1]]), unit([[2, 1, 0]])
    cosines = [2 / math.sqrt(5), 1 / math.sqrt(5), 0]
    own, *rest = [math.exp(10 * c) for c in cosines]
    (score,) = match_scores(query, segments, Contrast(background, PLAIN))
    assert score == pytest.approx(own / (own + sum(rest)), rel=1e-5)


def test_many_queries_at_once_have_the_log_odds_that_each_has_alone():
    queries, background, segments = (random_units(i, n, 8) for i, n in enumerate((5, 7, 9)))
    together = share_log_odds(queries, segments, background, 30.0)
    alone = [share_log_odds(query[None], segments, background, 30.0)[:, 0] for query in queries]
    np.testing.assert_allclose(together, np.stack(alone, 1), rtol=1e-6)


def test_a_query_that_every_background_word_means_too_competes_with_none():
    query, segments = unit([[1, 0]]), unit([[1, 0], [0, 1]])
    twins = unit([[1, 0.1], [1, -0.1]])
    np.testing.assert_allclose(share_log_odds(query, segments, twins, 5.0)[:, 0], [5.0, 0.0])


def test_another_name_of_the_query_takes_nothing_from_it():
    query, other, segments = unit([[1, 0]]), unit([[0, 1]]), unit([[1, 0.2]])
    twin = unit([[1, 0.01]])
    np.testing.assert_allclose(
        share_log_odds(query, segments, np.concatenate((twin, other)), 30.0),
        share_log_odds(query, segments, other, 30.0),
        rtol=1e-6,
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 2000), st.floats(-3, 3), st.floats(-20, 20))
def test_scores_of_words_lie_between_0_and_1(seed, scale, slope, bias):
    vectors = random_units(seed, 16, 4)
    calibration = replace(PLAIN, logit_scale=scale, slope=slope, bias=bias)
    scores = match_scores(vectors[0], vectors[1:10], Contrast(vectors[10:], calibration))
    assert ((scores >= 0) & (scores <= 1)).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 5), st.floats(-9, 9))
def test_a_curve_keeps_the_order_of_the_shares(seed, slope, bias):
    vectors = random_units(seed, 30, 4)
    background = vectors[20:]
    odds = share_log_odds(vectors[:1], vectors[1:20], background, 10.0)[:, 0]
    curved = replace(PLAIN, slope=slope, bias=bias)
    scores = match_scores(vectors[0], vectors[1:20], Contrast(background, curved))
    order = np.argsort(odds)
    assert (np.diff(scores[order]) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 100), st.floats(-50, 50))
def test_scores_of_looks_lie_between_0_and_1_and_keep_the_order_of_the_cosines(seed, slope, bias):
    query, *others = random_units(seed, 20, 5)
    calibration = replace(PLAIN, look_slope=slope, look_bias=bias)
    scores = visual_scores(query, np.stack(others), calibration)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores[np.argsort(np.stack(others) @ query)]) >= 0).all()


def test_the_score_of_a_look_is_a_logistic_curve_over_the_cosine():
    calibration = replace(PLAIN, look_slope=4.0, look_bias=-2.0)
    scores = visual_scores(unit([1, 0]), unit([[1, 0], [1, math.sqrt(3)]]), calibration)
    np.testing.assert_allclose(scores, [1 / (1 + math.exp(-2)), 0.5], rtol=1e-6)


def test_a_cut_off_holds_as_stated_at_the_usual_number_of_segments():
    calibration = replace(PLAIN, cutoff=0.2, look_cutoff=0.3, cutoff_growth=1.0)
    assert text_cutoff(calibration, USUAL_SEGMENTS) == pytest.approx(0.2)
    assert visual_cutoff(calibration, USUAL_SEGMENTS) == pytest.approx(0.3)


def test_e_times_as_many_segments_raise_the_logit_of_the_cut_off_by_its_growth():
    calibration = replace(PLAIN, cutoff=0.1, cutoff_growth=0.4)
    grown = text_cutoff(calibration, round(USUAL_SEGMENTS * math.e))
    assert math.log(grown / (1 - grown)) == pytest.approx(math.log(1 / 9) + 0.4, abs=1e-3)


@given(MANY, MANY, st.floats(0.001, 0.999), st.floats(0, 3))
def test_more_segments_never_lower_the_cut_off_nor_push_it_past_even_odds(a, b, cutoff, growth):
    calibration = replace(PLAIN, cutoff=cutoff, cutoff_growth=growth)
    few, many = (text_cutoff(calibration, n) for n in sorted((a, b)))
    assert 0 <= few <= many <= max(cutoff, HIGHEST_CUTOFF)


def test_a_preset_without_calibration_leaves_nothing_out():
    calibration = preset_calibration("clip")
    assert not calibration.calibrated
    assert text_cutoff(calibration, 10**6) == 0
    assert visual_cutoff(calibration, 10**6) == 0


def test_a_card_without_fitted_constants_makes_no_claim():
    card = replace(read_card(MINI_FOLDER), calibration={"slope": 1.0, "bias": 0.0, "cutoff": 0.0})
    assert not card_calibration(card, ("a",)).calibrated


def test_the_bundled_model_is_calibrated_for_words_and_for_looks():
    calibration = preset_calibration("mini")
    assert calibration.calibrated
    assert calibration.slope > 0
    assert calibration.look_slope > 0
    assert 0 < text_cutoff(calibration, 100) <= text_cutoff(calibration, 10**5) <= HIGHEST_CUTOFF
    assert 0 < visual_cutoff(calibration, 100) <= HIGHEST_CUTOFF


def test_the_curve_is_finite_at_both_ends():
    np.testing.assert_allclose(logistic([-1e6, 0.0, 1e6]), [0, 0.5, 1])


@pytest.fixture(scope="module")
def dog_photos(shared, tmp_path_factory):
    """A store over the photos with a dog that the bundled model was not calibrated on."""
    from functools import partial

    from eval.datasets import region_set
    from indexer.pipeline import index_photos
    from indexer.presets import load_indexer
    from usearch import open_store

    sets = [region_set(shared / "data", name) for name in ("coco-stuff100", "coco-captions80")]
    judged = [photo for one in sets for photo in one.photos][1::2]
    dogs = [photo.path for photo in judged if "dog" in {region.name for region in photo.regions}]
    store = tmp_path_factory.mktemp("dogs") / ".usearch"
    index_photos(dogs, store, partial(load_indexer, "mini", None, "cpu"), preset="mini")
    return open_store(store)


@pytest.mark.slow
def test_a_dog_is_found_where_there_are_dogs(dog_photos):
    answer = dog_photos.ask("dog")
    assert len(answer.hits) > 0
    assert answer.hits.score.max() >= answer.cutoff


@pytest.mark.slow
def test_a_zebra_is_not_found_where_there_is_none(dog_photos):
    answer = dog_photos.ask("zebra")
    assert len(answer.hits) == 0
    assert answer.best.score < answer.cutoff
    assert len(dog_photos.ask("zebra", everything=True).hits) == 10
