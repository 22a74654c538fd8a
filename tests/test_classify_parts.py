"""Parts inside their wholes: `cup > handle`."""

from __future__ import annotations

from dataclasses import replace

import class_samples
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from usearch.classify import Rule, classify_segments
from usearch.classify.parts import holders
from usearch.classify.regions import find_regions, region_areas
from usearch.masks import segments_from_masks

SEEDS = st.integers(0, 2**32 - 1)
LINES = ["cup, mug", "table", "cup > handle", "cup > rim", "table > leg", "table > leg > screw"]
CUP, TABLE, HANDLE, RIM, LEG, SCREW = range(6)
AXES = np.eye(8, dtype=np.float32)


def axis_texts():
    """Every class is an axis of its own; `cup` has two names."""
    classes = class_samples.texts(np.random.default_rng(0), LINES)
    own = [AXES[[value]] for value in range(6)]
    own[0] = AXES[[0, 6]]
    return replace(classes, vectors=own)


def boxes(*corners, size=(10, 10)):
    masks = []
    for y0, x0, y1, x1 in corners:
        mask = np.zeros(size, bool)
        mask[y0:y1, x0:x1] = True
        masks.append(mask)
    return masks


def towards(*weights):
    vector = np.zeros(8, np.float32)
    for value, weight in weights:
        vector[value] = weight
    return class_samples.unit(vector)


def classified(masks, vectors, parents=None, rule=Rule()):  # noqa: B008
    segments = segments_from_masks(masks, np.ones(len(masks)), parents)
    return classify_segments(segments, np.stack(vectors), axis_texts(), rule)


def test_a_part_is_found_inside_its_whole_and_shown_over_it():
    masks = boxes((2, 2, 8, 8), (4, 2, 6, 4))
    found = classified(masks, [towards((CUP, 1)), towards((HANDLE, 1), (CUP, 0.5))], [-1, 0])
    labels = found.map()
    assert (labels[masks[1]] == HANDLE).all()
    assert (labels[masks[0] & ~masks[1]] == CUP).all()
    assert found.segment_labels.tolist() == [CUP, HANDLE]


def test_the_same_segment_outside_of_any_whole_is_no_part():
    masks = boxes((0, 0, 3, 3), (6, 6, 9, 9))
    found = classified(masks, [towards((CUP, 1)), towards((HANDLE, 1), (TABLE, 0.2))])
    assert (found.map()[masks[1]] == TABLE).all()
    assert found.segment_labels.tolist() == [CUP, TABLE]


def test_a_part_of_another_whole_is_not_sought():
    masks = boxes((1, 1, 9, 9), (3, 3, 5, 5))
    found = classified(masks, [towards((CUP, 1)), towards((LEG, 1), (CUP, 0.3))], [-1, 0])
    assert (found.map()[masks[0]] == CUP).all()


def test_a_larger_segment_that_covers_it_is_a_whole_without_any_link():
    masks = boxes((1, 1, 9, 9), (3, 3, 5, 5))
    vectors = [towards((CUP, 1)), towards((HANDLE, 1), (CUP, 0.3))]
    assert (classified(masks, vectors).map()[masks[1]] == HANDLE).all()


def test_an_ancestor_is_a_whole_also_where_it_covers_less():
    # The link says that they belong together; the whole's own mask ends early.
    masks = boxes((0, 0, 6, 6), (4, 4, 8, 8))
    vectors = [towards((CUP, 1)), towards((HANDLE, 1), (CUP, 0.4))]
    linked = classified(masks, vectors, [-1, 0])
    assert linked.segment_labels.tolist() == [CUP, HANDLE]
    assert (linked.map()[masks[0] & masks[1]] == HANDLE).all()
    assert classified(masks, vectors).segment_labels.tolist() == [CUP, CUP]


def test_a_thing_inside_that_is_more_like_another_class_stays_it():
    masks = boxes((1, 1, 9, 9), (3, 3, 5, 5))
    vectors = [towards((CUP, 1)), towards((TABLE, 1), (HANDLE, 0.5))]
    found = classified(masks, vectors, [-1, 0])
    assert found.segment_labels.tolist() == [CUP, TABLE]


def test_parts_of_parts_are_sought_inside_the_part():
    masks = boxes((0, 0, 10, 10), (5, 0, 10, 4), (7, 1, 8, 2))
    vectors = [
        towards((TABLE, 1)),
        towards((LEG, 1), (TABLE, 0.6)),
        towards((SCREW, 1), (TABLE, 0.6), (LEG, 0.5)),
    ]
    found = classified(masks, vectors, [-1, 0, 1])
    assert found.segment_labels.tolist() == [TABLE, LEG, SCREW]
    assert (found.map()[masks[2]] == SCREW).all()
    # Without the leg between them, a screw is not sought in a table.
    found = classified([masks[0], masks[2]], [vectors[0], vectors[2]], [-1, 0])
    assert SCREW not in found.map()


def test_without_parts_the_wholes_alone_are_on_the_map():
    masks = boxes((2, 2, 8, 8), (4, 2, 6, 4))
    vectors = [towards((CUP, 1)), towards((HANDLE, 1), (CUP, 0.5))]
    found = classified(masks, vectors, [-1, 0], Rule(parts=False))
    assert set(np.unique(found.map())) == {CUP, 255}


@given(SEEDS, st.integers(1, 7), st.sampled_from([0.0, 0.3]))
def test_parts_divide_the_pixels_of_their_whole_and_change_nothing_else(seed, n, unknown):
    rng = np.random.default_rng(seed)
    classes = class_samples.texts(rng, LINES, 1, scale=4.0)
    parents = [int(rng.integers(-1, i)) if i else -1 for i in range(n)]
    segments, _, vectors = class_samples.photo(rng, n, 8, 8, parents)
    plain = classify_segments(segments, vectors, classes, Rule(unknown, parts=False)).map()
    parted = classify_segments(segments, vectors, classes, Rule(unknown)).map()
    whole = np.arange(256)
    whole[[HANDLE, RIM, LEG, SCREW]] = CUP, CUP, TABLE, TABLE
    np.testing.assert_array_equal(whole[parted], plain)


@given(SEEDS, st.integers(1, 7))
def test_a_part_lies_in_a_segment_of_its_whole_or_below_one(seed, n):
    rng = np.random.default_rng(seed)
    classes = class_samples.texts(rng, ["cup", "table", "cup > handle"], scale=4.0)
    parents = [int(rng.integers(-1, i)) if i else -1 for i in range(n)]
    segments, masks, vectors = class_samples.photo(rng, n, 8, 8, parents)
    found = classify_segments(segments, vectors, classes)
    alone = classify_segments(segments, vectors, classes, Rule(parts=False))
    for row in np.flatnonzero(found.segment_labels == 2):
        above, rows = parents[row], set()
        while above >= 0:
            rows.add(above)
            above = parents[above]
        area = masks[row].sum()
        rows |= {
            other
            for other in range(n)
            if masks[other].sum() > area and (masks[other] & masks[row]).sum() >= 0.9 * area
        }
        assert any(alone.segment_labels[other] == 0 for other in rows)
    # A pixel shows a part only where a segment that may be one covers it.
    inside = [row for row in range(n) if found.segment_labels[row] == 2]
    if not inside and n == 1:
        assert 2 not in found.map()


@given(SEEDS, st.integers(1, 8))
def test_holders_are_ancestors_and_larger_segments_that_cover(seed, n):
    rng = np.random.default_rng(seed)
    parents = [int(rng.integers(-1, i)) if i else -1 for i in range(n)]
    segments, masks, _ = class_samples.photo(rng, n, 8, 8, parents)
    regions = find_regions(segments)
    held = holders(segments.parents, regions.members, region_areas(regions))
    for i in range(n):
        above, wanted = parents[i], np.zeros(n, bool)
        while above >= 0:
            wanted[above] = True
            above = parents[above]
        for j in range(n):
            both = (masks[i] & masks[j]).sum()
            wanted[j] |= masks[j].sum() > masks[i].sum() and both >= 0.9 * masks[i].sum()
        np.testing.assert_array_equal(held[i], wanted)
