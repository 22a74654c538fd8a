"""Where the error comes from: labelled regions, their best segments, the map these could give."""

import numpy as np
import pytest
from class_samples import masks_of
from hypothesis import given
from hypothesis import strategies as st

from eval.datasets import NO_LABEL
from eval.metrics import MapTally, map_scores
from eval.oracles import labelled_regions, proposal_oracle, region_ious
from eval.proposals import iou_matrix
from usearch import masks
from usearch.masks import segments_from_counts, segments_from_masks


def truth_of(rng, size=(24, 30), classes=3):
    cells = rng.integers(0, classes + 1, (4, 5)).astype(np.uint16)
    cells[cells == classes] = NO_LABEL
    return cells.repeat(size[0] // 4, 0).repeat(size[1] // 5, 1)


def test_a_region_is_one_class_in_one_piece_and_corners_touch():
    truth = np.full((4, 6), NO_LABEL, np.uint16)
    truth[0:2, 0:2] = 1
    truth[2:4, 2:4] = 1  # touches the first at a corner
    truth[0, 5] = 1
    truth[3, 5] = 0
    found = labelled_regions(truth)
    assert sorted(zip(found.classes.tolist(), found.areas.tolist(), strict=True)) == [
        (0, 1), (1, 1), (1, 8),
    ]  # fmt: skip
    assert (found.map[truth == NO_LABEL] == -1).all()


@given(st.integers(0, 10_000))
def test_ious_are_those_of_masks_compared_pair_by_pair(seed):
    rng = np.random.default_rng(seed)
    truth = truth_of(rng)
    regions = labelled_regions(truth)
    segments = segments_from_masks(masks_of(rng, 6, *truth.shape), np.ones(6))
    pieces = [masks.encode(regions.map == i) for i in range(len(regions.classes))]
    if pieces:
        np.testing.assert_allclose(
            region_ious(regions, segments), iou_matrix(pieces, segments.rles, truth.shape)
        )


def test_ious_are_taken_at_the_size_of_the_labels():
    truth = np.zeros((40, 60), np.uint16)
    truth[:, 30:] = 1
    left = np.zeros((20, 30), bool)
    left[:, :15] = True
    segments = segments_from_masks([left, ~left], np.ones(2))
    np.testing.assert_allclose(region_ious(labelled_regions(truth), segments), np.eye(2))


@given(st.integers(0, 10_000))
def test_segments_that_are_the_regions_lose_nothing(seed):
    truth = truth_of(np.random.default_rng(seed), (64, 80))
    regions = labelled_regions(truth)
    found = [regions.map == i for i in range(len(regions.classes))]
    if not found:
        return
    got, best = proposal_oracle(truth, segments_from_masks(found, np.ones(len(found))), 3)
    np.testing.assert_array_equal(got[truth != NO_LABEL], truth[truth != NO_LABEL])
    assert (best == 1.0).all()


def test_one_segment_for_two_regions_goes_to_the_one_it_fits_and_small_lies_on_large():
    truth = np.zeros((50, 60), np.uint16)
    truth[10:45, 10:50] = 1
    truth[20:22, 20:22] = 2  # nothing but the large segment covers it
    inner = truth != 0
    segments = segments_from_masks([np.ones_like(inner), inner], np.ones(2))
    got, best = proposal_oracle(truth, segments, 3)
    np.testing.assert_array_equal(got, np.where(inner, 1, 0))
    assert len(best) == 2  # the region of four pixels is too small to count
    tally = MapTally(3)
    tally.add(truth, got)
    assert map_scores(tally.matrix).iou[2] == 0.0


def test_without_segments_all_is_lost():
    truth = np.zeros((40, 40), np.uint16)
    got, best = proposal_oracle(truth, segments_from_counts([], (40, 40), np.zeros(0)), 2)
    assert (got == 255).all()
    assert best.tolist() == [0.0]


@pytest.mark.parametrize("n_classes", [2, 847])
def test_a_photo_without_labels_has_no_region(n_classes):
    truth = np.full((8, 8), NO_LABEL, np.uint16)
    whole = segments_from_masks([np.ones((8, 8), bool)], np.ones(1))
    got, best = proposal_oracle(truth, whole, n_classes)
    assert len(best) == 0
    assert (got >= n_classes).all()
