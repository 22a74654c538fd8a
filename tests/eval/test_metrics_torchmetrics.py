"""torchmetrics as the judge of all scores of class maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import metrics
from eval.datasets import NO_LABEL

torch = pytest.importorskip("torch")
judges = pytest.importorskip("torchmetrics.classification")


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10**6))
def test_torchmetrics_agrees_over_many_photos(n_classes, seed):
    rng = np.random.default_rng(seed)
    tally = metrics.MapTally(n_classes)
    options = {"ignore_index": NO_LABEL, "validate_args": False}
    jaccard = judges.MulticlassJaccardIndex(n_classes, average="none", **options)
    weighted = judges.MulticlassJaccardIndex(n_classes, average="weighted", **options)
    accuracy = judges.MulticlassAccuracy(n_classes, average="micro", **options)
    recall = judges.MulticlassAccuracy(n_classes, average="none", **options)
    for _ in range(3):
        shape = rng.integers(5, 30, 2)
        truth = rng.integers(0, n_classes, shape).astype(np.uint16)
        noise = rng.integers(0, n_classes, shape)
        guess = np.where(rng.random(shape) < 0.5, truth, noise).astype(np.uint8)
        truth[rng.random(shape) < 0.2] = NO_LABEL
        tally.add(truth, guess)
        pair = (torch.from_numpy(array.astype(np.int64))[None] for array in (guess, truth))
        answers = tuple(pair)
        for judge in (jaccard, weighted, accuracy, recall):
            judge.update(*answers)
    scores = metrics.map_scores(tally.matrix)
    iou = np.nan_to_num(scores.iou)
    np.testing.assert_allclose(iou, jaccard.compute().numpy(), atol=1e-6)
    assert scores.fwiou == pytest.approx(float(weighted.compute()), abs=1e-6)
    assert scores.pixel_accuracy == pytest.approx(float(accuracy.compute()), abs=1e-6)
    present = tally.matrix.sum(1) > 0
    found = recall.compute().numpy()[present]
    assert scores.class_accuracy == pytest.approx(float(found.mean()), abs=1e-6)
