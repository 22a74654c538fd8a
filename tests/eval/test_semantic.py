"""Class maps against label maps of a whole set."""

import numpy as np
import pytest

from eval import semantic
from eval.datasets import NO_LABEL

TRUTH = np.array([[0, 0, 1, 1], [2, 2, NO_LABEL, NO_LABEL]], np.uint16)
GUESS = np.array([[0, 0, 1, 0], [255, 2, 0, 0]], np.uint8)


def test_photos_are_summed_before_classes_are_averaged():
    other = np.full((2, 4), 1, np.uint16), np.full((2, 4), 1, np.uint8)
    report = semantic.semantic_report([(TRUTH, GUESS), other], 4)
    # class 0: 2 / 3, class 1: 9 / 10, class 2: 1 / 2, class 3 never
    assert report.scores.miou_present == pytest.approx((2 / 3 + 9 / 10 + 1 / 2) / 3)
    assert report.scores.pixel_accuracy == pytest.approx(12 / 14)
    assert report.covered == pytest.approx(13 / 14)
    assert (report.n_photos, report.n_classes, report.scores.n_present) == (2, 4, 3)
    low, high = report.to_json()["miou_present_interval"]
    assert low <= report.scores.miou_present <= high


def test_a_score_of_things_alone_keeps_other_pixels_as_errors():
    report = semantic.semantic_report([(TRUTH, GUESS)], 3)
    assert semantic.things_only(report, 2) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_no_things_in_the_labels_have_no_score():
    report = semantic.semantic_report([(TRUTH[1:], GUESS[1:])], 3)
    assert np.isnan(semantic.things_only(report, 2))


def test_no_photo_is_refused():
    with pytest.raises(ValueError, match="no photo"):
        semantic.semantic_report([], 3)
