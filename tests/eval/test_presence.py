"""Is there one at all? Collections of photos whose content is known."""

import numpy as np
import pytest

from eval.calibration import even_cutoff
from eval.datasets import Region, RegionPhoto
from eval.evidence import Evidence, as_looks, inside_shares, named_areas
from eval.presence import (
    best_of_collections,
    best_of_photos,
    collections,
    decision_intervals,
    decisions,
    fit_cutoff,
    returned_hits,
    shown_hits,
)
from usearch import masks


def evidence(shows, odds, lacks=None, vectors=None):
    """One segment a photo; it is right where the photo shows the name."""
    shows, odds = np.asarray(shows, bool), np.asarray(odds, float)
    n = len(shows)
    return Evidence(
        vectors=np.eye(n, dtype=np.float32) if vectors is None else vectors,
        areas=np.full(n, 0.1),
        cosines=odds.astype(np.float32),
        odds=odds,
        right=shows,
        photo=np.arange(n),
        shows=shows,
        lacks=~shows if lacks is None else np.asarray(lacks, bool),
    )


def best(one):
    return best_of_photos(one.odds, one.photo, len(one.shows))


def mask(*boxes, size=(40, 60)):
    out = np.zeros(size, bool)
    for x0, y0, x1, y1 in boxes:
        out[y0:y1, x0:x1] = True
    return out


def region(name, *boxes, crowd=False):
    own = mask(*boxes)
    return Region(name, masks.encode(own), (0, 0, 1, 1), int(own.sum()), crowd=crowd)


def test_a_segment_is_on_a_name_with_all_of_its_regions_together():
    cut = masks.segments_from_masks([mask((0, 0, 20, 20)), mask((30, 0, 50, 20))], [1.0, 1.0])
    regions = [
        region("dog", (0, 0, 5, 20)),
        region("dog", (10, 0, 15, 20), crowd=True),
        region("cat", (30, 0, 60, 40)),
        region("emu", (0, 0, 60, 40)),
    ]
    shares = inside_shares(cut, regions, ["cat", "dog", "zebra"])
    np.testing.assert_allclose(shares, [[0, 0.5, 0], [1, 0, 0]])


def test_a_photo_with_small_regions_only_neither_shows_nor_lacks_a_name():
    regions = [region("dog", (0, 0, 5, 5)), region("cat", (0, 0, 40, 40))]
    np.testing.assert_array_equal(named_areas(regions, ["dog", "cat", "zebra"]), [25, 1600, 0])


def test_collections_of_one_take_every_photo_once():
    assert [c.tolist() for c in collections(np.arange(3), 1, 99)] == [[0], [1], [2]]


def test_collections_hold_no_photo_twice_and_are_the_same_each_time():
    first, again = (collections(np.arange(10), 4, 20) for _ in range(2))
    assert all(len(set(c.tolist())) == 4 for c in first)
    np.testing.assert_array_equal(first, again)


def test_a_collection_has_what_one_photo_shows_and_lacks_what_all_lack():
    one = evidence([[1, 0], [0, 0], [0, 0]], [[3, 1], [2, 9], [1, 5]], [[0, 1], [1, 0], [1, 1]])
    present, absent = best_of_collections(best(one), one, [np.array([0, 2]), np.array([1, 2])])
    assert present.tolist() == [3]  # the first name in the first collection
    assert absent.tolist() == [5, 2]  # the second name is unclear in photo 1


def test_what_can_be_separated_is_decided_without_a_mistake():
    shows = np.eye(6, dtype=bool)
    one = evidence(shows, np.where(shows, 2.0, -2.0))
    for size in (1, 3):
        made = decisions(best(one), one, size, 0.0)
        assert made.absent > 0
        assert made.present > 0
        assert made.false_alarms == made.misses == 0


def test_a_cut_off_above_everything_misses_all_and_is_never_fooled():
    shows = np.eye(4, dtype=bool)
    made = decisions(best(evidence(shows, shows * 1.0)), evidence(shows, shows * 1.0), 2, 9.0)
    assert made.false_alarms == 0
    assert made.misses == 1


def test_the_cut_off_rises_with_the_number_of_segments_as_the_best_wrong_one_does():
    rng = np.random.default_rng(0)
    shows = rng.random((200, 40)) < 0.05
    odds = rng.exponential(1.0, shows.shape) + 3.0 * shows
    one = evidence(shows, odds)
    level, growth = fit_cutoff(best(one), one, 100, 1000)
    assert growth > 0.3
    some = collections(np.arange(200), 10, 200)
    assert level == pytest.approx(even_cutoff(*best_of_collections(best(one), one, some)), abs=0.4)


def test_a_cut_off_never_falls_with_the_number_of_segments():
    shows = np.zeros((40, 2), bool)
    shows[:20] = True
    odds = np.where(shows, -1.0, 1.0)  # evidence against itself
    assert fit_cutoff(best(evidence(shows, odds)), evidence(shows, odds), 1, 10)[1] >= 0


def test_shown_hits_are_the_nearest_of_each_collection_and_sizes_weigh_the_same():
    rng = np.random.default_rng(1)
    shows = rng.random((30, 4)) < 0.3
    one = evidence(shows, rng.normal(size=shows.shape))
    shown = shown_hits(one, sizes=(1, 20), count=3)
    assert shown.weight.sum() == pytest.approx(1)
    assert shown.weight[shown.size == 1].sum() == pytest.approx(0.5)
    (photos, *_) = collections(np.arange(30), 20, 3)
    nearest = photos[np.argsort(-one.cosines[photos, 0])[:10]]
    first = shown.row[(shown.size == 20) & (shown.name == 0)][:10]
    assert set(first.tolist()) == set(nearest.tolist())


def test_returned_hits_score_enough_and_come_in_the_order_of_the_cosine():
    shows = np.array([[1], [0], [0], [0]], bool)
    one = evidence(shows, [[0.9], [0.8], [0.2], [0.1]])
    got = returned_hits(one, np.array([[0.1], [0.9], [0.8], [0.7]]), 4, 0.75)
    assert got.row[:2].tolist() == [1, 2]
    assert set(got.row.tolist()) == {1, 2}
    assert got.present.all()


def test_intervals_hold_the_figure_they_are_of():
    rng = np.random.default_rng(2)
    shows = rng.random((60, 20)) < 0.2
    one = evidence(shows, rng.normal(size=shows.shape) + shows)
    table = best(one)
    made = decisions(table, one, 5, 1.0)
    found = decision_intervals(
        lambda photos: decisions(table, one, 5, 1.0, photos, 40), 60, 5, rounds=40
    )
    assert found is not None
    alarms, misses = found
    assert alarms.low < made.false_alarms < alarms.high
    assert misses.low < made.misses < misses.high


def test_there_is_no_interval_where_half_of_the_photos_are_not_two_collections():
    assert decision_intervals(lambda photos: pytest.fail("drawn"), 60, 16) is None


def test_a_segment_that_is_asked_for_is_not_answered_by_its_own_photo():
    shows = np.array([[1, 0], [1, 0], [0, 1]], bool)
    turn = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    looks = as_looks(evidence(shows, np.zeros((3, 2)), vectors=turn))
    assert looks.cosines.shape == (3, 3)  # each photo asks once for what it shows
    assert looks.right[:, 0].tolist() == [True, True, False]
    np.testing.assert_allclose(looks.cosines[:, 0], [-2, 0.8, 0], atol=1e-6)
    assert looks.shows[:, 0].tolist() == [False, True, False]
    assert looks.lacks[:, 0].tolist() == [False, False, True]


def test_photos_are_numbered_anew_when_some_are_taken():
    shows = np.eye(4, dtype=bool)
    some = evidence(shows, shows * 1.0).of_photos([1, 3])
    assert some.photo.tolist() == [0, 1]
    np.testing.assert_array_equal(some.shows, shows[[1, 3]])


def test_labelled_photos_and_stored_segments_become_evidence(tmp_path):
    from eval.evidence import evidence_of
    from eval.stored import StoredPhoto

    cut = masks.segments_from_masks([mask((0, 0, 40, 40)), mask((40, 0, 60, 40))], [1.0, 1.0])
    stored = StoredPhoto(tmp_path / "a.jpg", cut, np.eye(2, dtype=np.float32))
    labels = RegionPhoto(tmp_path / "a.jpg", (40, 60), (region("dog", (0, 0, 39, 40)),))
    one = evidence_of(
        [stored], [labels], ["dog", "cat"], np.eye(2, dtype=np.float32), np.zeros((2, 2))
    )
    assert one.right.tolist() == [[True, False], [False, False]]
    assert one.shows.tolist() == [[True, False]]
    assert one.lacks.tolist() == [[False, True]]
    np.testing.assert_allclose(one.areas, [2 / 3, 1 / 3])
