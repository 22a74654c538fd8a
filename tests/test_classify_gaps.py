"""What no segment covers: pieces of it, and the classes that they bring."""

from __future__ import annotations

import class_samples
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from usearch import masks
from usearch.classify import classify_segments, gap_pieces, shares_of
from usearch.classify.gaps import uncovered

SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 60)
LINES = ["sky", "road, street"]


@given(SEEDS, st.integers(1, 4), SIDES, SIDES, st.sampled_from([(4,), (16, 8, 4, 2, 1), (7, 1)]))
def test_each_scale_divides_what_is_uncovered(seed, n, height, width, scales):
    rng = np.random.default_rng(seed)
    segments, pictures, _ = class_samples.photo(rng, n, height, width)
    rest = ~np.any(pictures, axis=0)
    np.testing.assert_array_equal(uncovered(segments), rest)
    pieces = gap_pieces(segments, scales)
    times = np.zeros((height, width), int)
    for rle in pieces.rles:
        times += masks.decode(rle, pieces.size)
    np.testing.assert_array_equal(times, np.where(rest, len(scales), 0))
    assert (pieces.parents == -1).all()
    for rle, box in zip(pieces.rles, pieces.boxes, strict=True):
        assert masks.box_of(masks.rle_to_counts(rle, pieces.size), height) == tuple(box)


@given(SEEDS, st.integers(1, 4))
def test_run_lengths_of_pieces_are_the_canonical_ones(seed, n):
    rng = np.random.default_rng(seed)
    segments, _, _ = class_samples.photo(rng, n, 20, 30)
    for rle in gap_pieces(segments).rles:
        assert masks.encode(masks.decode(rle, (20, 30))) == rle


def test_a_photo_that_segments_cover_has_no_pieces():
    rng = np.random.default_rng(0)
    whole = masks.segments_from_masks([np.ones((4, 5), bool)], [1.0])
    assert len(gap_pieces(whole)) == 0
    classes = class_samples.texts(rng, LINES)
    vectors = class_samples.unit(rng.normal(size=(1, class_samples.DIM)))
    filled = classify_segments(
        whole, vectors, classes, pieces=gap_pieces(whole), piece_vectors=vectors[:0]
    )
    assert shares_of(filled).filled == 0.0


@given(SEEDS, st.integers(1, 4))
def test_filling_changes_no_pixel_that_a_segment_covers(seed, n):
    rng = np.random.default_rng(seed)
    classes = class_samples.texts(rng, LINES, 1)
    segments, pictures, vectors = class_samples.photo(rng, n, 16, 20)
    pieces = gap_pieces(segments, (4, 2))
    piece_vectors = class_samples.unit(rng.normal(size=(len(pieces), class_samples.DIM)))
    bare = classify_segments(segments, vectors, classes)
    full = classify_segments(segments, vectors, classes, pieces=pieces, piece_vectors=piece_vectors)
    covered = np.any(pictures, axis=0)
    np.testing.assert_array_equal(full.map()[covered], bare.map()[covered])
    np.testing.assert_array_equal(full.segment_labels, bare.segment_labels)
    np.testing.assert_allclose(full.probabilities, bare.probabilities, rtol=1e-5)
    assert not (full.map() == 255).any()
    assert (bare.map()[~covered] == 255).all()
    # The rest is what the pieces say of it, as if they were segments of a photo.
    if len(pieces):
        grids = [masks.decode(rle, pieces.size) for rle in pieces.rles]
        wanted = class_samples.slow_rule(grids, piece_vectors, classes)
        np.testing.assert_array_equal(full.map()[~covered], wanted[~covered])
    shares = shares_of(full)
    assert np.isclose(shares.covered, covered.mean())
    assert np.isclose(shares.filled, 1 - covered.mean())
