"""Sparse sums of photos are dense sums that take less room."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval import metrics
from eval.photo_sums import sparse_of, sparse_sums


@st.composite
def tables(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = draw(st.integers(1, 600)), draw(st.integers(1, 12))
    return np.where(rng.random(shape) < 0.7, 0, rng.integers(1, 99, shape)).astype(float)


@given(tables())
def test_sums_keep_every_row(table):
    sums = sparse_of(table)
    assert sums.shape == table.shape
    np.testing.assert_array_equal(sums.dense(0, len(sums)), table)
    np.testing.assert_array_equal(sums.total(), table.sum(0))
    np.testing.assert_array_equal(sums.row(len(table) - 1), table[-1])
    for (columns, values), row in zip(sums.rows(), table, strict=True):
        np.testing.assert_array_equal(row[columns], values)
        assert np.count_nonzero(row) == len(columns)


@given(tables())
def test_weighted_sums_are_those_of_the_dense_table(table):
    weights = np.random.default_rng(1).integers(0, 4, (3, len(table))).astype(float)
    np.testing.assert_allclose(weights @ sparse_of(table), weights @ table)


def test_intervals_do_not_depend_on_the_form():
    rng = np.random.default_rng(0)
    table = rng.integers(0, 50, (300, 9)).astype(float)
    table[:, 3:6] += table[:, :3]
    table[:, 6:] += table[:, :3]
    dense = metrics.bootstrap_interval(table, metrics.miou_present_of)
    sparse = metrics.bootstrap_interval(sparse_of(table), metrics.miou_present_of)
    assert (sparse.low, sparse.high) == pytest.approx((dense.low, dense.high))


def test_an_empty_photo_has_a_row():
    sums = sparse_sums([([], []), ([1], [2.0]), ([], [])], 3)
    assert sums.dense(0, 3).tolist() == [[0, 0, 0], [0, 2, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ([0, 1], [1.0]),
        ([3], [1.0]),
        ([-1], [1.0]),
        ([1, 1], [1.0, 1.0]),
        ([1, 0], [1.0, 1.0]),
        ([0.5], [1.0]),
        ([0], [float("nan")]),
        ([[0]], [[1.0]]),
    ],
)
def test_a_row_that_is_none_is_refused(columns, values):
    with pytest.raises(ValueError, match="row 0"):
        sparse_sums([(columns, values)], 3)


def test_memory_of_847_classes_does_not_grow_with_the_photos():
    """Whole confusion matrices of 110 photos would take 630 MB, dense sums 2.2 MB."""
    rng = np.random.default_rng(0)
    maps = [rng.integers(0, 847, (2, 16, 16)).astype(np.uint16) for _ in range(4)]

    def peak(photos):
        tally = metrics.MapTally(847)
        tracemalloc.start()
        for i in range(photos):
            truth, guess = maps[i % len(maps)] // 40
            tally.add(truth, guess)
        metrics.bootstrap_interval(tally.sums(), metrics.miou_present_of, rounds=20)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few = peak(10)
    assert peak(110) < few + 1_000_000
