"""Hits for supervision and FiftyOne, and as plain arrays."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from usearch import masks
from usearch.answers import Answer
from usearch.convert import (
    by_photo,
    detections_arrays,
    fiftyone_values,
    to_fiftyone,
    to_supervision,
)
from usearch.errors import ModelError, UsageError
from usearch.hits import Hit, Hits

GRID, SIZE = (20, 30), (41, 60)


def square(x: int, y: int, side: int = 6) -> np.ndarray:
    mask = np.zeros(GRID, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def hit(mask: np.ndarray, number: int = 1, **changes: object) -> Hit:
    counts = masks.mask_to_counts(mask)
    x0, y0, x1, y1 = masks.box_of(counts, GRID[0])
    down, across = SIZE[0] / GRID[0], SIZE[1] / GRID[1]
    facts = {
        "rank": number, "cosine": 0.4, "score": 0.9 / number, "root": "/photos", "path": "a.jpg",
        "width": SIZE[1], "height": SIZE[0],
        "box": (x0 * across, y0 * down, x1 * across, y1 * down),
        "area_share": float(mask.mean()), "segment": number, "photo": 0, "mask_size": GRID,
        "rle": masks.counts_to_rle(counts),
    }  # fmt: skip
    return Hit(**{**facts, **changes})


def answer(*hits: Hit) -> Answer:
    return Answer("red car", Hits(hits), 0.5, 0, hits[0] if hits else None, 1, 2)


def on_photo(mask: np.ndarray) -> np.ndarray:
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new) for old, new in zip(GRID, SIZE, strict=True)
    )
    return mask[rows[:, None], columns[None]]


CARS = [square(2, 3), square(20, 10)]


def test_arrays_are_in_pixels_of_the_photo():
    found = detections_arrays(answer(*(hit(m, i) for i, m in enumerate(CARS, 1))))
    assert found.size == SIZE
    np.testing.assert_array_equal(found.mask(), [on_photo(m) for m in CARS])
    np.testing.assert_allclose(found.xyxy[0], [4, 6.15, 16, 18.45], rtol=1e-6)
    np.testing.assert_allclose(found.confidence, [0.9, 0.45])
    assert found.classes == ("red car",)
    assert found.class_id.tolist() == [0, 0]
    assert found.data["segment"].tolist() == [1, 2]


def test_arrays_can_be_had_at_another_size():
    found = detections_arrays(answer(hit(CARS[0])), size=GRID)
    np.testing.assert_array_equal(found.mask(), CARS[:1])
    np.testing.assert_allclose(found.xyxy, [[2, 3, 8, 9]], rtol=1e-5)


def test_the_question_that_a_hit_matches_is_its_class():
    found = detections_arrays(
        Hits([hit(CARS[0], matched="car"), hit(CARS[1], matched="toy"), hit(CARS[0])])
    )
    assert found.classes == ("car", "toy", "match")
    assert found.data["class_name"].tolist() == ["car", "toy", "match"]


def test_segments_with_classes_of_their_own():
    segments = masks.segments_from_masks(CARS, [0.7, 0.2])
    found = detections_arrays(segments, size=SIZE, classes=["cat", "dog"], class_ids=[1, 0])
    assert found.data["class_name"].tolist() == ["dog", "cat"]
    np.testing.assert_array_equal(found.mask(), [on_photo(m) for m in CARS])
    assert detections_arrays(segments).classes == ("segment",)


def test_what_makes_no_sense_is_refused():
    two = [hit(CARS[0]), hit(CARS[1], photo=1, path="b.jpg")]
    with pytest.raises(UsageError, match="hits of 2 photos"):
        detections_arrays(two)
    with pytest.raises(UsageError, match="how large"):
        detections_arrays(answer())
    with pytest.raises(UsageError, match="classes"):
        detections_arrays(two[:1], classes=["a"])
    segments = masks.segments_from_masks(CARS, [0.7, 0.2])
    with pytest.raises(UsageError, match="for 2 segments"):
        detections_arrays(segments, class_ids=[0])
    with pytest.raises(UsageError, match="1 classes"):
        detections_arrays(segments, class_ids=[0, 1])


def test_no_hit_of_a_photo_is_no_detection():
    found = detections_arrays(answer(), size=SIZE)
    assert found.xyxy.shape == (0, 4)
    assert found.mask().shape == (0, *SIZE)


def test_hits_by_photo_come_best_first():
    hits = [hit(CARS[0], path="b.jpg"), hit(CARS[0], path="a.jpg"), hit(CARS[1], path="b.jpg")]
    assert {path: len(found) for path, found in by_photo(hits).items()} == {
        "/photos/b.jpg": 2,
        "/photos/a.jpg": 1,
    }
    assert next(iter(by_photo(answer(*hits)))) == "/photos/b.jpg"


@pytest.mark.parametrize("compact", [False, True])
def test_supervision_takes_them(compact):
    sv = pytest.importorskip("supervision", reason="supervision is not installed")
    found = to_supervision(answer(*(hit(m, i) for i, m in enumerate(CARS, 1))), compact=compact)
    assert isinstance(found, sv.Detections)
    assert len(found) == 2
    dense = found.mask.to_dense() if compact else found.mask
    np.testing.assert_array_equal(dense, [on_photo(m) for m in CARS])
    assert found["class_name"].tolist() == ["red car", "red car"]
    best = found[found.confidence > 0.5]
    assert best.data["segment"].tolist() == [1]
    scene = np.zeros((*SIZE, 3), np.uint8)
    drawn = sv.MaskAnnotator(opacity=1).annotate(scene.copy(), found)
    assert ((drawn != 0).any(2) == dense[0] | dense[1]).all()


def test_supervision_takes_a_segment_at_the_edge_and_none_at_all():
    sv = pytest.importorskip("supervision", reason="supervision is not installed")
    whole = to_supervision(answer(hit(np.ones(GRID, bool))), compact=True)
    assert whole.mask.to_dense().all()
    nothing = to_supervision(answer(), size=SIZE)
    assert isinstance(nothing, sv.Detections)
    assert len(nothing) == 0


def test_fiftyone_values_are_shares_of_the_photo_and_masks_within_the_box():
    hits = [hit(CARS[0]), hit(CARS[1], path="b.jpg", photo=1)]
    first, second = fiftyone_values(answer(*hits))
    assert first["filepath"] == "/photos/a.jpg"
    assert first["metadata"] == {"width": 60, "height": 41}
    [detection] = first["detections"]
    assert detection["label"] == "red car"
    assert detection["bounding_box"] == [2 / 30, 3 / 20, 6 / 30, 6 / 20]
    assert detection["mask"].shape == (6, 6)
    assert detection["mask"].all()
    assert second["detections"][0]["segment"] == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # many, of what it imports
def test_fiftyone_takes_them():
    fo = pytest.importorskip("fiftyone", reason="fiftyone is not installed")
    ring = square(2, 3, 9)
    ring[5:8, 4:7] = False
    [sample] = to_fiftyone(answer(hit(ring)), field="cars")
    again = fo.Sample.from_dict(sample.to_dict())
    [detection] = again["cars"].detections
    assert again.metadata.width == 60
    assert detection.label == "red car"
    assert detection["segment"] == 1
    # FiftyOne's own drawing of the mask over the whole photo.
    drawn = detection.to_segmentation(frame_size=(30, 20)).mask > 0
    np.testing.assert_array_equal(drawn, ring)


@pytest.mark.parametrize(
    ("package", "convert"), [("supervision", to_supervision), ("fiftyone", to_fiftyone)]
)
def test_without_the_package_the_error_names_it(package, convert, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=f"{package} is not installed") as caught:
        convert(answer(hit(CARS[0])))
    assert f"pip install {package}" in caught.value.hint
