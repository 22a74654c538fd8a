"""Masks: pycocotools is the judge of the codec, plain NumPy of boxes, areas and weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from usearch import masks
from usearch.errors import InputError

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
some_masks = shapes.flatmap(
    lambda size: st.one_of(
        hnp.arrays(bool, size),
        st.just(np.zeros(size, bool)),
        st.just(np.ones(size, bool)),
    )
)


@given(some_masks)
def test_a_mask_survives_its_run_lengths(mask):
    assert np.array_equal(masks.decode(masks.encode(mask), mask.shape), mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(some_masks)
def test_run_lengths_are_those_of_pycocotools(mask):
    coco = pytest.importorskip("pycocotools.mask")
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert masks.encode(mask) == theirs["counts"]
    assert np.array_equal(
        coco.decode(theirs).astype(bool), masks.decode(theirs["counts"], mask.shape)
    )


def test_long_runs_are_those_of_pycocotools():
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    mask = np.zeros((700, 1000), bool)
    mask[:, 400:] = True
    mask[100:300, 700:900] = rng.random((200, 200)) < 0.5
    assert masks.encode(mask) == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]


@given(some_masks)
def test_area_and_box_are_those_of_the_pixels(mask):
    counts = masks.mask_to_counts(mask)
    assert masks.area(counts) == mask.sum()
    rows, columns = np.nonzero(mask)
    box = masks.box_of(counts, mask.shape[0])
    if len(rows) == 0:
        assert box == (0, 0, 0, 0)
    else:
        assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(st.binary(max_size=40), shapes)
def test_bytes_from_anywhere_are_a_mask_or_a_typed_error(raw, size):
    try:
        mask = masks.decode(raw, size)
    except InputError:
        return
    assert mask.shape == size


@pytest.mark.parametrize(
    ("raw", "size", "message"),
    [
        (b"", (2, 2), "never has"),
        (b"\x00", (2, 2), "never has"),
        (b"P", (2, 2), "middle of a number"),
        (b"5", (2, 2), "do not fill 2 x 2"),
        (b"oooooooo0", (2, 2), "beyond 32 bits"),
        (b"4", (0, 4), "a mask of 4 x 0"),
    ],
)
def test_malformed_run_lengths_are_refused_before_anything_is_allocated(raw, size, message):
    with pytest.raises(InputError, match=message):
        masks.decode(raw, size)


def test_a_huge_claim_costs_nothing():
    with pytest.raises(InputError, match="do not fill"):
        masks.rle_to_counts(b"4", (1 << 30, 1 << 30))


@given(some_masks.filter(lambda m: m.any()), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_pooling_weights_are_shares_of_area(mask, grid):
    segments = masks.segments_from_masks([mask], [1.0])
    weights = masks.pooling_weights(segments, grid)[0].reshape(grid)
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)
    # Slow definition: blow the mask up until the cells fall on pixel edges.
    fine = np.kron(mask, np.ones(grid)).reshape(grid[0], mask.shape[0], grid[1], mask.shape[1])
    expected = fine.sum((1, 3))
    np.testing.assert_allclose(weights, expected / expected.sum(), atol=1e-5)


def test_one_pixel_of_a_large_photo_has_a_weight():
    mask = np.zeros((999, 1001), bool)
    mask[998, 1000] = True
    weights = masks.pooling_weights(masks.segments_from_masks([mask], [1.0]), (3, 4))[0]
    assert weights.argmax() == 11
    assert weights.sum() == pytest.approx(1.0)


def test_depths_follow_parents():
    assert masks.depths_of(np.array([-1, 0, 1, -1, 3], np.int32)).tolist() == [0, 1, 2, 0, 1]


def test_an_empty_segment_is_refused():
    with pytest.raises(ValueError, match="segment 1 is empty"):
        masks.segments_from_masks([np.ones((2, 2), bool), np.zeros((2, 2), bool)], [1.0, 1.0])
