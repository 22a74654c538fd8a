"""Two reports over the same photos; anything else is refused in one clear line."""

import dataclasses

import numpy as np
import pytest
from report_samples import CLASSES, blank, names_of, photo_maps, tally_of, toy_report

from eval.compare import compare_reports
from eval.photo_sums import sparse_of
from eval.report import Sample, with_maps, with_sample, with_values
from usearch.errors import InputError

NAMES = ("a.json", "b.json")


def of(found, key):
    return next(row for row in found.differences if row.key == key)


def test_a_report_equals_itself():
    found = compare_reports(toy_report(), toy_report())
    for row in found.differences:
        assert row.change == 0
        assert row.verdict in ("equal", "")
    assert found.classes == ()


def test_a_gain_is_surely_higher_and_the_other_way_round_lower():
    better = compare_reports(toy_report(wrong=0.5), toy_report(wrong=0.3))
    row = of(better, "miou_present")
    assert row.verdict == "higher"
    assert row.better == 1.0
    assert row.interval.low <= row.change <= row.interval.high
    worse = of(compare_reports(toy_report(wrong=0.3), toy_report(wrong=0.5)), "miou_present")
    assert worse.verdict == "lower"
    assert worse.change == -row.change
    assert [change.name for change in better.classes if change.second > change.first]


def test_chance_is_unsure():
    rng = np.random.default_rng(0)
    names = tuple(names_of(60))

    def report(hits):
        sums = sparse_of(np.stack((hits, np.full(60, 20.0)), axis=1))
        return with_sample(blank(60), "naming.top1", Sample("photo", names, sums), ["naming.top1"])

    found = compare_reports(*(report(rng.integers(5, 15, 60)) for _ in range(2)))
    assert of(found, "naming.top1").verdict == "unsure"
    assert 0.0 < of(found, "naming.top1").better < 1.0


def test_a_steady_gain_shows_where_separate_intervals_would_hide_it():
    hits = np.random.default_rng(1).integers(0, 18, 60).astype(float)
    names = tuple(names_of(60))

    def report(values):
        sums = sparse_of(np.stack((values, np.full(60, 20.0)), axis=1))
        return with_sample(blank(60), "naming.top1", Sample("photo", names, sums), ["naming.top1"])

    first, second = report(hits), report(hits + 1)
    assert first.intervals["naming.top1"].high > second.intervals["naming.top1"].low
    assert of(compare_reports(first, second), "naming.top1").verdict == "higher"


def test_photos_in_another_order_are_the_same_photos():
    maps, names = photo_maps(12, 0.5), names_of(12)
    turned = with_maps(blank(12), tally_of(maps[::-1]), names[::-1], CLASSES)
    found = compare_reports(toy_report(), turned)
    assert all(row.verdict in ("equal", "") for row in found.differences)


def test_metrics_without_sums_are_compared_without_an_interval():
    first, second = (with_values(toy_report(), {"parts.ap": value}) for value in (0.1, 0.2))
    row = of(compare_reports(first, second), "parts.ap")
    assert row.change == pytest.approx(0.1)
    assert (row.interval, row.better, row.verdict) == (None, None, "")


def test_only_metrics_of_both_are_compared():
    extra = with_values(toy_report(), {"parts.ap": 0.1, "parts.ap50": None})
    keys = {row.key for row in compare_reports(extra, toy_report()).differences}
    assert keys == set(toy_report().metrics)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data_set": "other"}, "another data set: toy in a.json, other in b.json"),
        ({"list_id": "toy/openseg"}, "another class list: toy/first in a.json, toy/openseg in"),
        ({"n_classes": 5}, "another number of classes: 4 in a.json, 5 in b.json"),
        ({"n_photos": 11}, "another number of photos: 12 in a.json, 11 in b.json"),
    ],
)
def test_other_sets_and_lists_are_refused(changes, said):
    other = dataclasses.replace(toy_report(), **changes)
    with pytest.raises(InputError, match=said):
        compare_reports(toy_report(), other, NAMES)


def test_other_names_under_the_same_list_id_are_refused():
    rows = list(toy_report().classes)
    rows[1] = dataclasses.replace(rows[1], name="street")
    other = dataclasses.replace(toy_report(), classes=tuple(rows))
    with pytest.raises(InputError, match=r"class 1 is 'road' in a.json, 'street' in b.json"):
        compare_reports(toy_report(), other, NAMES)


def test_other_photos_are_refused_by_name():
    names = [*names_of(11), "val/new.jpg"]
    other = with_maps(blank(12), tally_of(photo_maps(12, 0.5)), names, CLASSES)
    said = "over other photos: 1 only in a.json, such as 'val/011.jpg'; 1 only in b.json, such"
    with pytest.raises(InputError, match=said):
        compare_reports(toy_report(), other, NAMES)


def test_a_photo_named_twice_cannot_be_paired():
    names = [*names_of(11), "val/000.jpg"]
    other = with_maps(blank(12), tally_of(photo_maps(12, 0.5)), names, CLASSES)
    with pytest.raises(InputError, match=r"only in a\.json"):
        compare_reports(toy_report(), other, NAMES)
    turned = with_maps(blank(12), tally_of(photo_maps(12, 0.5)), names[::-1], CLASSES)
    with pytest.raises(InputError, match="name some photos twice"):
        compare_reports(other, turned, NAMES)


def test_other_labels_of_the_same_photos_are_refused():
    maps = photo_maps(12, 0.5)
    maps[3] = tuple(half[::2, ::2] for half in maps[3])
    other = with_maps(blank(12), tally_of(maps), names_of(12), CLASSES)
    with pytest.raises(InputError, match=r"'val/003.jpg' is labelled in one way in a.json"):
        compare_reports(toy_report(), other, NAMES)


def test_reports_with_nothing_in_common_are_refused():
    other = with_values(blank(12), {"parts.ap": 0.1})
    with pytest.raises(InputError, match="no metric in common"):
        compare_reports(toy_report(), other, NAMES)
