"""The record of an evaluation: figures, intervals, and a JSON form that loses nothing."""

import dataclasses
import json

import jsonschema
import numpy as np
import pytest
from report_samples import CLASSES, blank, names_of, photo_maps, tally_of, toy_report

from eval import metrics
from eval.metrics import Interval
from eval.naming import report_of_scores
from eval.photo_sums import sparse_of
from eval.proposals import proposal_report
from eval.report import (
    Published,
    Sample,
    with_maps,
    with_naming,
    with_proposals,
    with_sample,
    with_values,
)
from eval.report_json import read_report, report_text
from usearch.errors import InputError
from usearch.schemas import schema


@pytest.fixture
def full():
    """A report that has something of everything."""
    report = toy_report(
        subset=True,
        times={"index": 3.25, "maps": 0.5},
        options={"templates": "photo", "vote": False, "scale": 20.0},
        notes=("values 1 to 4 are the classes",),
        published=(Published("miou_present", 0.37, "USE + SAM", "Table 2", False, "a part"),),
    )
    maps = tally_of(photo_maps(12, 0.1))
    report = with_maps(report, maps, names_of(12), prefix="oracles.proposals.")
    return with_values(report, {"parts.ap": 0.171, "retrieval.recall@5": float("nan")})


def test_scores_of_maps_are_those_of_the_whole_confusion():
    tally = tally_of(photo_maps(12, 0.5))
    scores = metrics.map_scores(tally.matrix)
    report = toy_report()
    for key in ("miou_present", "miou_union", "fwiou", "pixel_accuracy", "class_accuracy"):
        assert report.metrics[key] == pytest.approx(getattr(scores, key))
        ends = report.intervals[key]
        assert ends.low < report.metrics[key] < ends.high
    assert report.metrics["classes_present"] == 3
    assert report.metrics["covered"] == pytest.approx(0.97, abs=0.01)


def test_the_class_table_says_what_was_taken_for_what():
    sky, road, tree, cat = toy_report().classes
    assert [row.name for row in (sky, road, tree, cat)] == list(CLASSES)
    assert (sky.taken_for, road.taken_for, tree.taken_for) == ("road", CLASSES[2], "sky")
    assert 0.1 < sky.taken_share < 0.5
    assert cat.iou is None
    assert cat.taken_for is None
    assert sky.right <= min(sky.labelled, sky.predicted)


def test_pixels_without_a_class_are_taken_for_none():
    truth = np.zeros((4, 4), np.uint16)
    report = with_maps(blank(1), tally_of([(truth, np.full((4, 4), 255))]), ["a.jpg"], CLASSES)
    assert report.classes[0].taken_for == ""
    assert report.classes[0].taken_share == 1.0


def test_naming_and_proposals_bring_their_own_photos():
    scores = np.eye(3)[[0, 1, 2, 0, 1]]
    labels, photos = np.array([0, 1, 2, 1, 1]), np.array([0, 0, 3, 3, 3])
    naming = report_of_scores(scores, labels, photos, CLASSES[:3])
    report = with_naming(blank(2), naming, ["a.jpg", "b.jpg"])
    assert report.metrics["naming.top1"] == pytest.approx(4 / 5)
    assert report.metrics["naming.class_mean"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert report.intervals["naming.class_mean"].low <= naming.class_mean
    best, of = [0.9, 0.4, 0.6], ["b.jpg", "a.jpg", "a.jpg"]
    report = with_proposals(report, proposal_report(best, np.array([1, 0, 0]), 50), best, of)
    assert report.metrics["proposals.mean_best_iou"] == pytest.approx(1.9 / 3)
    assert report.metrics["proposals.recall_50"] == pytest.approx(2 / 3)
    assert report.samples["proposals.recall_50"].names == ("a.jpg", "b.jpg")
    assert report.samples["proposals.recall_50"].sums.dense(0, 2).tolist() == [[1, 2], [1, 1]]


def test_the_json_form_loses_nothing(full, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(report_text(full))
    again = read_report(path)
    assert report_text(again) == report_text(full)
    assert again.metrics == dict(full.metrics)
    assert again.intervals == full.intervals
    assert again.published == full.published
    assert again.classes == full.classes
    for key, sample in full.samples.items():
        np.testing.assert_array_equal(again.samples[key].sums.total(), sample.sums.total())


def test_the_json_form_is_as_its_schema_says(full):
    document = json.loads(report_text(full))
    jsonschema.Draft202012Validator(schema("eval")).validate(document)
    assert document["metrics"]["retrieval.recall@5"] is None
    assert document["metrics"]["oracles.proposals.miou_present"] > document["metrics"]["miou_union"]
    document["metrics"]["naming.top1"] = 31.8  # a share is not a percentage
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema("eval")).validate(document)


def test_the_json_form_has_a_line_a_photo_and_is_ascii():
    report = toy_report(system="Straße \udcff")
    text = report_text(report)
    assert text.isascii()
    assert len(text.splitlines()) < 200
    assert json.loads(text)["system"]


def test_sums_of_thousands_of_photos_stay_small():
    rows = np.zeros((2000, 3 * 847))
    rng = np.random.default_rng(0)
    for row in rows:
        row[rng.integers(0, 847, 12)] = 12345
    sample = Sample("photo", tuple(names_of(2000)), sparse_of(rows))
    text = report_text(dataclasses.replace(blank(2000), samples={"maps": sample}))
    assert len(text) < 600_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no JSON"),
        ("[1, 2]", "is no report"),
        ('{"schema": "usearch.query/1"}', "is no report"),
        ('{"schema": "usearch.eval/2"}', "has the form usearch.eval/2"),
        ('{"schema": "usearch.eval/1"}', "no 'data_set'"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_what_is_no_report_is_said_to_be_none(content, said, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        read_report(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d["samples"]["maps"]["columns"][0].reverse(),
        lambda d: d["samples"]["maps"]["values"].pop(),
        lambda d: d["samples"]["maps"]["names"].pop(),
        lambda d: d["metrics"].update(miou_present="0.3"),
        lambda d: d["intervals"].update(miou_present=[0.1]),
        lambda d: d.update(per_class=[{}]),
        lambda d: d.update(samples=3),
    ],
)
def test_a_damaged_report_is_refused(damage, tmp_path):
    document = json.loads(report_text(toy_report()))
    damage(document)
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="damaged report"):
        read_report(path)


def test_a_missing_report_is_said_to_be_missing(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_report(tmp_path / "none.json")


def test_a_metric_of_another_sample_is_refused():
    sample = Sample("photo", ("a",), sparse_of(np.ones((1, 2))))
    with pytest.raises(ValueError, match=r"no function of naming\.top1"):
        with_sample(blank(1), "naming.top1", sample, ["miou_present"])
    with pytest.raises(ValueError, match="2 names of 1 rows"):
        with_sample(blank(1), "naming.top1", Sample("photo", ("a", "b"), sample.sums), [])


def test_an_unknown_metric_is_refused():
    with pytest.raises(KeyError):
        with_values(blank(1), {"naming.guesswork": 1.0})


def test_one_photo_has_an_interval_without_width():
    report = toy_report(1)
    value = report.metrics["miou_present"]
    assert report.intervals["miou_present"] == Interval(pytest.approx(value), pytest.approx(value))
