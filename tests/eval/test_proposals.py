"""Cover of regions by masks, with pycocotools as judge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import proposals
from usearch import masks


def random_masks(rng, n, size=(23, 31)):
    out = []
    for _ in range(n):
        share = rng.choice([0.0, 0.1, 0.6, 1.0])
        out.append(rng.random(size) < share)
    return out


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_iou_matrix_equals_pycocotools(seed):
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    truth, found = random_masks(rng, 4), random_masks(rng, 6)
    rles = [[masks.encode(m) for m in group] for group in (truth, found)]
    ours = proposals.iou_matrix(rles[0], rles[1], (23, 31))
    theirs = coco.iou(
        *[[{"size": [23, 31], "counts": rle} for rle in group] for group in rles], [0] * 6
    )
    np.testing.assert_allclose(ours, np.nan_to_num(theirs), atol=1e-12)


def test_no_proposals_cover_nothing():
    region = masks.encode(np.ones((4, 5), bool))
    ious = proposals.iou_matrix([region], [], (4, 5))
    assert ious.shape == (1, 0)
    assert proposals.best_iou(ious, 100).tolist() == [0.0]


def test_only_the_first_k_masks_count():
    ious = np.array([[0.2, 0.9, 0.4], [0.5, 0.1, 0.6]])
    assert proposals.best_iou(ious, 1).tolist() == [0.2, 0.5]
    assert proposals.best_iou(ious, 3).tolist() == [0.9, 0.6]


def test_report_by_hand():
    report = proposals.proposal_report([0.2, 0.5, 0.9, 0.4], np.array([0, 0, 3, 3]), k=50)
    assert report.mean_best_iou == pytest.approx(0.5)
    assert report.recall_50 == pytest.approx(0.5)
    assert (report.n_regions, report.n_photos, report.k) == (4, 2, 50)
    low, high = report.to_json()["intervals"]["mean_best_iou"]
    assert 0.35 <= low <= 0.5 <= high <= 0.65


def test_a_report_without_regions_is_refused():
    with pytest.raises(ValueError, match="no region"):
        proposals.proposal_report([], np.zeros(0, np.int64), k=50)
