"""Scores against published logs: their class figures have their means."""

import json

import numpy as np
import pytest

from eval import metrics


def matrix_with(ious, labelled):
    """A confusion matrix whose classes have these IoUs, as well as whole pixels allow.

    Missed pixels go to the last column, no class, so a class's union is its labels.
    """
    n = len(ious)
    matrix = np.zeros((n, n + 1), np.int64)
    right = np.round(np.asarray(ious) * labelled).astype(np.int64)
    matrix[np.arange(n), np.arange(n)] = right
    matrix[:, n] = labelled - right
    return matrix


GOLDEN = [
    f"{data}_{method}"
    for data in ("ade150", "ade847", "pc459", "pc59", "voc20")
    for method in ("fcclip_convnext_l", "san_vitb16", "san_vitl14")
] + ["voc21_fcclip_convnext_l"]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_mean_of_published_class_figures_is_the_published_mean(name, shared):
    log = json.loads((shared / "data" / "golden" / f"{name}.json").read_text())
    figures = list(log["per_class"].values())
    ious = np.array([0.0 if value is None else value / 100 for value in figures])
    # A class that the log has no figure for occurs in no label.
    labelled = np.array([0 if value is None else 10**7 for value in figures])
    scores = metrics.map_scores(matrix_with(ious, labelled))
    assert 100 * scores.miou_present == pytest.approx(log["miou_reported"], abs=2e-5)
    assert scores.n_present == log["n_classes_with_gt"]
    assert len(figures) == log["n_classes_total"]


@pytest.mark.parametrize("name", ["pc459_san_vitl14", "pc459_san_vitb16"])
def test_classes_without_labels_separate_the_two_conventions_of_published_figures(name, shared):
    """459 classes, 345 of them in the labels: 15.7 is 20.8 in the other convention."""
    log = json.loads((shared / "data" / "golden" / f"{name}.json").read_text())
    figures = list(log["per_class"].values())
    ious = np.array([0.0 if value is None else value / 100 for value in figures])
    matrix = matrix_with(ious, np.array([0 if v is None else 10**7 for v in figures]))
    # One pixel of another class is predicted as each class that is nowhere labelled.
    present = int(np.flatnonzero(matrix.sum(1))[0])
    for row in np.flatnonzero(matrix.sum(1) == 0):
        matrix[present, row] += 1
        matrix[present, -1] -= 1
    scores = metrics.map_scores(matrix)
    assert scores.miou_union == pytest.approx(scores.miou_present * scores.n_present / 459)
    printed = {"pc459_san_vitl14": 15.7, "pc459_san_vitb16": 12.6}
    assert round(100 * scores.miou_union, 1) == printed[name]
