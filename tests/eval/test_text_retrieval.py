"""Text to segment and text to photo, against a plain ranking of the whole gallery."""

from __future__ import annotations

import numpy as np
import pytest

from eval.report import EvalReport
from eval.text_retrieval import (
    LabelledPhoto,
    asked_names,
    photo_blocks,
    text_retrieval,
    with_retrieval,
)


def unit(rows) -> np.ndarray:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def photo(vectors, names, ious, wanted=None) -> LabelledPhoto:
    names = np.array(names, np.int64)
    wanted = np.ones(len(names), bool) if wanted is None else np.array(wanted)
    vectors = unit(vectors) if len(vectors) else np.zeros((0, 2), np.float32)
    return LabelledPhoto(
        vectors, names, wanted, np.array(ious, float).reshape(len(names), len(vectors))
    )


def blocks(*photos, at_once=10**9):
    return photo_blocks(((one.vectors, np.zeros(1, np.int64)) for one in photos), at_once)


def at_angle(*degrees: float) -> list[list[float]]:
    """Vectors that score lower against the first axis the larger the angle is."""
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).tolist()


AXIS = [unit([[1, 0]])]


def test_precision_counts_each_region_once_and_regions_that_nothing_reaches_as_misses():
    # By score: wrong, right (region 0), again region 0, right (region 1); region 2 has nothing.
    one = photo(at_angle(1, 5, 10, 20), [0, 0, 0],
                [[0, 0.8, 0.6, 0], [0, 0, 0, 0.7], [0, 0, 0, 0.2]])  # fmt: skip
    found = text_retrieval(asked_names([one], AXIS), blocks(one)).segments
    # The second segment on region 0 neither helps nor pushes down what follows.
    assert found.precision[0] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert found.first[0] == 2
    assert (found.to_find[0], found.right[0], found.gallery) == (3, 2, 4)


def test_crowds_and_small_regions_neither_help_nor_harm():
    crowd = photo(at_angle(1, 5), [0, 0], [[0.9, 0], [0, 0.9]], wanted=[False, True])
    found = text_retrieval(asked_names([crowd], AXIS), blocks(crowd)).segments
    assert (found.first[0], found.precision[0], found.to_find[0]) == (1, 1.0, 1)


def test_a_photo_ranks_by_its_best_segment():
    near = photo(at_angle(3, 80), [1], [[0, 0]])
    right = photo(at_angle(40, 5), [0], [[0, 0]])
    far = photo(at_angle(50), [0], [[0.9]])
    texts = [*AXIS, unit([[0, 1]])]
    asked = asked_names([near, right, far], texts)
    found = text_retrieval(asked, blocks(near, right, far)).photos
    assert found.first[0] == 2
    assert found.precision[0] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found.gallery == 3


def test_the_nearest_of_several_texts_counts():
    one = photo([[0, 1], [1, 1]], [0], [[0.9, 0]])
    found = text_retrieval(asked_names([one], [unit([[1, 0], [0, 1]])]), blocks(one))
    assert found.segments.first[0] == 1


def test_distractors_push_answers_down_and_never_up():
    one = photo(at_angle(10, 30), [0], [[0, 0.9]])
    other = photo(at_angle(20, 40), [], [])
    asked = asked_names([one], AXIS)
    alone, among = (text_retrieval(asked, blocks(*g)) for g in ([one], [one, other]))
    assert (alone.segments.first[0], among.segments.first[0]) == (2, 3)
    assert (alone.photos.first[0], among.photos.first[0]) == (1, 1)
    assert among.segments.gallery == 4


def test_a_photo_that_could_not_be_read_is_a_miss():
    lost, seen = photo([], [0], []), photo(at_angle(5), [0], [[0.9]])
    found = text_retrieval(asked_names([lost, seen], AXIS), blocks(seen))
    assert found.segments.precision[0] == 0.5
    assert found.photos.precision[0] == 0.5
    with pytest.raises(ValueError, match="no name is labelled"):
        asked_names([photo(at_angle(5), [], [])], AXIS)


@pytest.mark.parametrize("seed", range(5))
def test_ranks_are_those_of_sorting_everything_whatever_the_blocks(seed):
    rng = np.random.default_rng(seed)
    texts = [unit(rng.standard_normal((int(rng.integers(1, 3)), 2))) for _ in range(3)]
    photos = [
        photo(rng.standard_normal((n, 2)), rng.integers(0, 3, m), rng.random((m, n)) ** 2)
        for n, m in rng.integers(1, 6, (9, 2)).tolist()
    ]
    asked = asked_names(photos, texts, 0.4)
    found = text_retrieval(asked, blocks(*photos))
    small = text_retrieval(asked, blocks(*photos, at_once=4))
    for q, name in enumerate(asked.names):
        plain = sorted_by_hand(photos, texts[name], name, 0.4)
        assert found.segments.precision[q] == pytest.approx(plain[0])
        assert found.photos.precision[q] == pytest.approx(plain[1])
        assert small.segments.precision[q] == pytest.approx(plain[0])
        assert small.photos.precision[q] == pytest.approx(plain[1])


def sorted_by_hand(photos, text, name, least) -> tuple[float, float]:
    """Average precision over a ranking that is written out."""
    rows = []
    for number, one in enumerate(photos):
        mine = np.flatnonzero(one.names == name)
        for at, score in enumerate((one.vectors @ text.T).max(1)):
            over = [i for i in mine if one.ious[i, at] >= least]
            region = max(over, key=lambda i: one.ious[i, at]) if over else None
            rows.append((-score, number, None if region is None else (number, region)))
    rows.sort(key=lambda row: row[0])
    seen, rank, hits, total = set(), 0, 0, 0.0
    for _, _, region in rows:
        if region in seen and region is not None:
            continue
        rank += 1
        if region is not None:
            seen.add(region)
            hits += 1
            total += hits / rank
    order = list(dict.fromkeys(number for _, number, _ in rows))
    shown = [number for number, one in enumerate(photos) if (one.names == name).any()]
    ranks = sorted(order.index(number) + 1 for number in shown)
    return (
        total / sum((one.names == name).sum() for one in photos),
        sum(i / rank for i, rank in enumerate(ranks, 1)) / len(shown),
    )


def test_a_report_has_recall_map_chance_and_intervals_over_names():
    rng = np.random.default_rng(3)
    texts = [unit(rng.standard_normal((1, 2))) for _ in range(4)]
    photos = [photo(rng.standard_normal((4, 2)), [i % 3], rng.random((1, 4))) for i in range(6)]
    found = text_retrieval(asked_names(photos, texts, 0.3), blocks(*photos))
    report = EvalReport(data_set="toy", list_id="", system="toy", command="", n_photos=6,
                        n_classes=4)  # fmt: skip
    report = with_retrieval(report, found, ["a", "b", "c", "never"])
    for direction in ("text_to_segment", "text_to_image"):
        key = f"retrieval.{direction}."
        assert report.metrics[key + "queries"] == 3
        assert report.samples[key + "recall@5"].names == ("a", "b", "c")
        low, high = report.intervals[key + "map"].low, report.intervals[key + "map"].high
        assert low <= report.metrics[key + "map"] <= high
        assert report.metrics[key + "recall@1"] <= report.metrics[key + "recall@10"] <= 1
        assert 0 < report.metrics[key + "chance@1"] <= report.metrics[key + "chance@5"]
    assert report.metrics["retrieval.text_to_segment.segments"] == 24
    assert report.metrics["retrieval.text_to_image.recall@10"] == 1.0
