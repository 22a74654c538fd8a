"""The tree segmenter: what holds for every photo, and what it finds in easy ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco

from indexer.segmenters import boundaries
from indexer.segmenters.merging import Mix, members, merge
from indexer.segmenters.regions import describe, partition
from indexer.segmenters.runs import counts_of_nodes, upscale
from indexer.segmenters.selection import overlaps, parents_of
from indexer.segmenters.tree import TreeSegmenter
from usearch import masks
from usearch.errors import UsageError
from usearch.records import Segments

AWKWARD = [(1, 1), (1, 2), (1, 9), (9, 1), (2, 2), (3, 5), (1, 1024), (1024, 1), (2, 700), (900, 3)]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blobs(height: int = 90, width: int = 120, seed: int = 0) -> np.ndarray:
    """A smooth picture with regions of many sizes."""
    small = Image.fromarray(noise(6, 8, seed))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def scene() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A plate with a cherry on it, beside a box, on a table."""
    picture = np.full((120, 160, 3), (120, 90, 60), np.uint8)
    y, x = np.mgrid[:120, :160]
    things = {
        "plate": (x - 60) ** 2 + (y - 60) ** 2 < 40**2,
        "cherry": (x - 60) ** 2 + (y - 60) ** 2 < 12**2,
        "box": (x > 115) & (x < 150) & (y > 20) & (y < 100),
    }
    picture[things["plate"]] = (230, 230, 235)
    picture[things["cherry"]] = (180, 20, 40)
    picture[things["box"]] = (40, 70, 160)
    return picture, things


def decoded(segments: Segments) -> np.ndarray:
    return np.stack([masks.decode(rle, segments.size) for rle in segments.rles])


def check_invariants(segments: Segments, picture: np.ndarray, limit: int) -> None:
    grid = decoded(segments)
    flat = grid.reshape(len(grid), -1)
    assert segments.size == picture.shape[:2]
    assert 1 <= len(segments) <= limit
    assert segments.areas.tolist() == flat.sum(1).tolist()
    assert segments.areas.min() > 0
    assert len(set(segments.rles)) == len(segments)
    assert (np.diff(segments.scores) <= 0).all()
    assert 0 <= segments.scores.min() <= segments.scores.max() <= 1
    for row, parent in enumerate(segments.parents):
        if parent < 0:
            assert segments.depths[row] == 0
            continue
        assert not (flat[row] & ~flat[parent]).any()
        assert segments.areas[parent] > segments.areas[row]
        assert segments.depths[row] == segments.depths[parent] + 1


def best_iou(segments: Segments, truth: np.ndarray) -> float:
    grid = decoded(segments)
    return float(((grid & truth).sum((1, 2)) / (grid | truth).sum((1, 2))).max())


@pytest.mark.parametrize("size", AWKWARD)
@pytest.mark.parametrize("kind", ["black", "noise"])
def test_awkward_sizes_give_at_least_one_sound_segment(size: tuple[int, int], kind: str) -> None:
    picture = np.zeros((*size, 3), np.uint8) if kind == "black" else noise(*size)
    check_invariants(TreeSegmenter(max_segments=30).segment(picture), picture, 30)


def test_a_flat_photo_is_one_segment_the_whole() -> None:
    segments = TreeSegmenter().segment(np.full((200, 300, 3), 77, np.uint8))
    assert segments.areas.tolist() == [200 * 300]


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=25)
def test_the_invariants_hold_for_any_pixels(
    picture: np.ndarray, limit: int, granularity: float
) -> None:
    segmenter = TreeSegmenter(max_segments=limit, granularity=granularity, working_size=16)
    check_invariants(segmenter.segment(picture), picture, limit)


def test_the_invariants_hold_on_a_picture_larger_than_the_working_grid() -> None:
    picture = blobs(375, 500)
    check_invariants(TreeSegmenter(working_size=160).segment(picture), picture, 100)


def test_plain_objects_are_found_and_parts_know_their_whole() -> None:
    picture, things = scene()
    segments = TreeSegmenter().segment(picture)
    for name, truth in things.items():
        assert best_iou(segments, truth) > 0.85, name
    grid = decoded(segments)
    cherry = int((grid & things["cherry"]).sum((1, 2)).argmax())
    ious = (grid & things["cherry"]).sum((1, 2)) / (grid | things["cherry"]).sum((1, 2))
    cherry = int(ious.argmax())
    assert segments.parents[cherry] >= 0


def test_no_two_segments_are_near_the_same() -> None:
    grid = decoded(TreeSegmenter().segment(blobs())).reshape(-1, 90 * 120).astype(np.float32)
    both = grid @ grid.T
    area = np.diag(both)
    iou = both / (area[:, None] + area[None] - both)
    np.fill_diagonal(iou, 0)
    assert iou.max() < 0.95


def test_the_same_photo_gives_the_same_segments() -> None:
    first, second = (TreeSegmenter().segment(blobs()) for _ in range(2))
    assert first.rles == second.rles
    assert first.scores.tolist() == second.scores.tolist()


def test_fewer_segments_are_the_first_of_more() -> None:
    few, many = (TreeSegmenter(max_segments=n).segment(blobs()) for n in (10, 60))
    assert few.rles == many.rles[:10]


def test_finer_granularity_gives_smaller_segments() -> None:
    coarse, fine = (TreeSegmenter(granularity=g).segment(blobs()) for g in (0.0, 1.0))
    assert np.median(fine.areas) < np.median(coarse.areas)


def test_a_learned_boundary_map_shapes_the_segments() -> None:
    picture = np.full((80, 80, 3), 90, np.uint8)
    line = np.zeros((20, 20), np.float32)
    line[:, 9:11] = 1
    segments = TreeSegmenter(lambda _: line).segment(picture)
    left = np.zeros((80, 80), bool)
    left[:, :40] = True
    assert best_iou(segments, left) > 0.85


@pytest.mark.parametrize("value", [np.nan, np.inf, -5.0])
def test_a_broken_boundary_map_does_no_harm(value: float) -> None:
    picture = blobs()
    segmenter = TreeSegmenter(lambda _: np.full((7, 9), value, np.float32))
    check_invariants(segmenter.segment(picture), picture, 100)


def test_a_photo_for_which_the_network_has_no_map_is_cut_by_colour() -> None:
    assert (
        TreeSegmenter(lambda _: None).segment(blobs()).rles == TreeSegmenter().segment(blobs()).rles
    )


def test_settings_are_json_and_say_where_boundaries_come_from() -> None:
    plain, learned = TreeSegmenter().settings, TreeSegmenter(lambda _: None).settings
    assert json.loads(json.dumps(plain)) == plain
    assert plain != learned


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_segments", 0), ("max_segments", 5000), ("granularity", -0.1), ("granularity", 1.1),
     ("granularity", float("nan")), ("working_size", 0), ("working_size", 99999)],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(UsageError, match=setting):
        TreeSegmenter(**{setting: value})


def test_runs_of_nodes_equal_pycocotools() -> None:
    rng = np.random.default_rng(0)
    labels = upscale(rng.integers(0, 6, (9, 7)).astype(np.int32), (20, 31))
    nodes = rng.random((15, 6)) < 0.5
    for node, counts in zip(nodes, counts_of_nodes(labels, nodes), strict=True):
        truth = coco.encode(np.asfortranarray(node[labels].astype(np.uint8)))["counts"]
        assert masks.counts_to_rle(counts) == truth or not node[labels].any()


def regions_of(picture: np.ndarray, count: int):
    lab = boundaries.to_lab(picture)
    across, down = boundaries.edge_strengths(lab, None)
    return describe(lab, partition(across, down, count), across, down)


def test_a_partition_has_connected_regions_and_not_too_many() -> None:
    from scipy import ndimage

    labels = regions_of(blobs(60, 80), 40).labels
    assert 2 <= labels.max() + 1 <= 40
    assert all(ndimage.label(labels == k)[1] == 1 for k in range(labels.max() + 1))


def test_a_hierarchy_joins_neighbours_until_one_is_left() -> None:
    regions = regions_of(blobs(60, 80), 40)
    parents, altitudes = merge(regions, Mix(1, 1, 1, 0.8))
    nodes = members(parents, len(regions))
    assert nodes[-1].all()
    assert (altitudes[parents] >= altitudes).all()
    children = np.bincount(parents[:-1], minlength=len(parents))
    assert set(children[len(regions) :].tolist()) == {2}
    assert parents_of(nodes, regions.areas)[:-1].tolist() == parents[:-1].tolist()


def test_overlaps_of_nodes_are_those_of_their_masks() -> None:
    regions = regions_of(blobs(40, 50), 12)
    nodes = members(merge(regions, Mix(1, 1, 1, 0.8))[0], len(regions))
    grid = nodes[:, regions.labels]
    expected = [[(a & b).sum() / (a | b).sum() for b in grid] for a in grid]
    np.testing.assert_allclose(overlaps(nodes, regions.areas), expected, atol=1e-5)


def test_lab_equals_scikit_image() -> None:
    from skimage.color import rgb2lab

    np.testing.assert_allclose(boundaries.to_lab(noise(30, 40)), rgb2lab(noise(30, 40)), atol=0.01)
