"""Names find segments; a segment is right when it overlaps a region of that name."""

from pathlib import Path

import numpy as np
import pytest

from eval import retrieval
from eval.naming import PhotoRegions
from usearch import masks
from usearch.errors import InputError

NAMES = ("cat", "dog", "cow")
HALF = np.zeros((10, 20), bool)
HALF[:, :10] = True


def segments(*found):
    return masks.segments_from_masks(list(found), np.ones(len(found)))


def regions(names, *found):
    return PhotoRegions(Path("a.jpg"), segments(*found), names, np.ones(len(names), bool))


def test_a_segment_is_right_from_half_overlap_on():
    most = HALF.copy()
    most[:, 5:10] = False  # IoU 0.5 with HALF
    less = HALF.copy()
    less[:, 4:10] = False
    ious = retrieval.region_ious(regions(("cat", "cow"), HALF, ~HALF), segments(most, less, ~HALF))
    right = retrieval.right_segments(ious, ("cat", "cow"), NAMES)
    assert right.tolist() == [[True, False, False], [False] * 3, [False, False, True]]


def test_grids_of_different_sizes_are_never_scaled_silently():
    with pytest.raises(InputError, match=r"a\.jpg"):
        retrieval.region_ious(regions(("cat",), HALF), segments(HALF[:5]))


def test_each_name_that_occurs_is_asked_for_once():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    text = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    relevant = np.array([[True, False, False], [False, False, True], [False] * 3])
    asked = np.array([True, True, False])
    found = retrieval.retrieval_report(vectors, relevant, text, NAMES, asked, 1, ks=(1, 2))
    assert found.recall == {1: 0.5, 2: 1.0}
    assert found.found == {1: ("cat",), 2: ("cat", "dog")}
    assert (found.n_names, found.n_reachable, found.n_segments) == (2, 2, 3)
    assert found.to_json()["chance@1"] == pytest.approx(1 / 3)


def test_a_name_that_no_segment_covers_is_not_found():
    vectors = np.eye(2, dtype=np.float32)
    relevant = np.zeros((3, 2), bool)
    found = retrieval.retrieval_report(
        vectors, relevant, vectors[[0, 1, 1]], NAMES, np.ones(3, bool), 1
    )
    assert (found.recall[10], found.n_reachable, found.n_names) == (0.0, 0, 3)


def test_no_name_at_all_is_refused():
    with pytest.raises(ValueError, match="no name"):
        retrieval.retrieval_report(
            np.eye(2, dtype=np.float32),
            np.zeros((1, 2), bool),
            np.ones((1, 2), np.float32),
            ("cat",),
            np.zeros(1, bool),
            1,
        )


@pytest.mark.parametrize(("right", "n", "k"), [(2, 7, 3), (0, 7, 3), (7, 7, 1), (1, 4, 10)])
def test_chance_equals_counting_all_draws(right, n, k):
    from itertools import combinations

    draws = list(combinations(range(n), min(k, n)))
    expected = np.mean([min(draw) < right for draw in draws])
    assert retrieval.random_hit(np.array([right]), n, k)[0] == pytest.approx(expected)
