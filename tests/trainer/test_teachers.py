"""The teacher networks and the rules around them, on photos where the answer is plain to see."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from trainer.human import photo_shards, read_photos, to_pairs
from trainer.imagenet import guess, plain_name
from trainer.make_pairs import choose
from trainer.pairs import PairImage, PairSegment
from trainer.regions import components, hierarchy_of, mean_by_region, overlap, plain_ground_outline
from trainer.scenes import Stuff as Region
from trainer.scenes import is_in_place, merged, place_of
from trainer.teachers import (
    DENSE,
    Detections,
    Teachers,
    decode_nanodet,
    non_maximum_suppression,
)
from trainer.words import Word, read_words, texts_for
from usearch.errors import InputError, ModelError


@pytest.fixture(scope="module")
def teachers(shared):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("ncnn")
    return Teachers(shared / "teachers")


@pytest.fixture(scope="module")
def words(shared):
    return read_words(shared / "data" / "words" / "words.json")


def photos(shared, source, count):
    found = []
    for file in photo_shards(shared / "train-data"):
        for row in read_photos(file):
            if row["source"] == source:
                found.append(to_pairs(row))
                if len(found) == count:
                    return found
    pytest.skip(f"no {count} photos of {source}")


def pixels(photo):
    return np.asarray(Image.open(io.BytesIO(photo.jpeg)).convert("RGB"))


@pytest.mark.slow
def test_the_detector_finds_what_people_named(shared, teachers):
    hits = 0
    for photo in photos(shared, "voc-100", 12):
        found = teachers.detect(pixels(photo))
        assert (np.diff(found.scores) <= 0).all()
        assert (found.boxes >= 0).all()
        assert (found.boxes[:, [0, 2]] <= photo.width + 1e-3).all()
        assert (found.boxes[:, [1, 3]] <= photo.height + 1e-3).all()
        hits += bool({t for s in photo.segments for t in s.texts} & set(found.names))
    assert hits >= 8


@pytest.mark.slow
def test_dense_teachers_give_probabilities(shared, teachers):
    image = pixels(photos(shared, "voc-100", 1)[0])
    for name in DENSE:
        dense = teachers.dense(name, image)
        assert dense.shape[2] == len(teachers.labels[name])
        assert dense.min() >= 0
        np.testing.assert_allclose(dense.sum(-1), 1, atol=0.02)


@pytest.mark.slow
def test_the_classifier_knows_a_cat_from_a_dog(shared, teachers, words):
    right = {"cat": 0, "dog": 0}
    for photo in photos(shared, "cats-dogs", 10):
        name = photo.segments[0].texts[0]
        seen = guess(teachers.classify(pixels(photo)), teachers.labels["imagenet"], words)
        if seen is not None:
            other = "dog" if name == "cat" else "cat"
            right[name] += seen.broader.get(name, 0) > seen.broader.get(other, 0)
            assert sum(p for _, p in seen.soft) <= 1 + 1e-6
    assert sum(right.values()) >= 5


def test_a_missing_teacher_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"coco-det") as error:
        Teachers(tmp_path)
    assert "--teachers" in error.value.hint


def test_a_certain_side_lies_at_its_distance():
    cells = sum((-(-416 // s)) ** 2 for s in (8, 16, 32, 64))
    out = np.zeros((cells, 80 + 32), np.float32)
    out[:, 80:] = -50
    bins = [1, 2, 3, 4]
    for side, distance in enumerate(bins):
        out[:, 80 + 8 * side + distance] = 50
    _, boxes = decode_nanodet(out)
    # the cell in row 10, column 20 of the first grid, whose stride is 8
    np.testing.assert_allclose(boxes[10 * 52 + 20], [160 - 8, 80 - 16, 160 + 24, 80 + 32])


@given(
    hnp.arrays(np.float32, (12, 2), elements=st.integers(0, 60)),
    hnp.arrays(np.float32, (12, 2), elements=st.integers(5, 30)),
    hnp.arrays(np.float32, (12,), elements=st.floats(0, 1, width=32)),
)
def test_kept_boxes_are_apart_and_the_best_is_kept(low, size, scores):
    boxes = np.hstack([low, low + size])
    keep = non_maximum_suppression(boxes, scores, 0.5)
    assert scores[keep[0]] == scores.max()
    assert (np.diff(scores[keep]) <= 0).all()
    masks = []
    for x0, y0, x1, y1 in boxes[keep].astype(int):
        mask = np.zeros((90, 90), bool)
        mask[y0:y1, x0:x1] = True
        assert all(overlap(mask, m) < 0.5 + 1e-6 for m in masks)
        masks.append(mask)


def two_fields():
    image = np.zeros((60, 80, 3), np.uint8)
    image[:, :30] = (200, 30, 30)
    image[:, 30:] = (30, 60, 200)
    image[20:40, 50:70] = (240, 240, 240)
    return image


def test_the_hierarchy_finds_the_fields_of_a_simple_picture():
    tree = hierarchy_of(two_fields())
    masks = [tree.mask(n) for n in tree.salient(0.02, 0.9, 8)]
    square = np.zeros((60, 80), bool)
    square[20:40, 50:70] = True
    assert max(overlap(m, square) for m in masks) > 0.8
    labels = tree.superpixels(3)
    assert labels.shape == (60, 80)
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    node = tree.best_in_box((50, 20, 70, 40), 0.7, 0.4)
    assert node is not None
    assert overlap(tree.mask(node), square) > 0.8
    assert tree.best_in_box((0, 0, 5, 5), 0.7, 0.4) is None


def test_means_by_region_are_the_means():
    labels = np.zeros((40, 60), np.int64)
    labels[:, 30:] = 1
    values = np.zeros((20, 30, 2), np.float32)
    values[:, 15:, 0] = 3
    values[..., 1] = 7
    np.testing.assert_allclose(mean_by_region(values, labels), [[0, 7], [3, 7]])


def test_components_come_largest_first_and_small_ones_go():
    mask = np.zeros((20, 20), bool)
    mask[0:3, 0:3] = True
    mask[10:20, 10:20] = True
    mask[0, 19] = True
    assert [int(m.sum()) for m in components(mask, 5)] == [100, 9]


def test_a_thing_on_a_plain_ground_is_outlined():
    image = np.full((60, 80, 3), 235, np.uint8)
    image[20:45, 30:60] = (120, 60, 20)
    image[28:32, 40:44] = 235  # a hole
    mask = plain_ground_outline(image)
    expected = np.zeros((60, 80), bool)
    expected[20:45, 30:60] = True
    assert mask is not None
    assert overlap(mask, expected) > 0.85
    assert mask[30, 42]
    assert plain_ground_outline(two_fields()) is None
    assert plain_ground_outline(np.full((60, 80, 3), 235, np.uint8)) is None


@pytest.mark.parametrize(
    ("name", "rows", "right"),
    [
        ("sky", slice(0, 30), True),
        ("sky", slice(70, 100), False),
        ("floor", slice(70, 100), True),
        ("floor", slice(0, 30), False),
        ("dog", slice(0, 30), True),
    ],
)
def test_sky_is_not_below_and_floor_not_above(name, rows, right):
    mask = np.zeros((100, 50), bool)
    mask[rows] = True
    assert is_in_place(name, mask) is right


def test_what_two_teachers_say_is_trusted_more_and_only_where_both_do():
    upper, lower = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    upper[:6], lower[:5] = True, True
    out = merged([Region(upper, "tree", 0.8, "a")], [Region(lower, "vegetation", 0.6, "b")])
    assert len(out) == 1
    assert out[0].name == "tree" and out[0].origin == "a+b"
    assert out[0].weight > 0.8
    np.testing.assert_array_equal(out[0].mask, lower)
    apart = merged([Region(upper, "sky", 0.9, "a")], [Region(~upper, "road", 0.8, "b")])
    assert [r.name for r in apart] == ["sky", "road"]


def test_the_place_follows_people_first_then_things():
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), [])
    bed = Detections(np.ones((1, 4), np.float32), np.array([0.9], np.float32), ["bed"])
    car = Detections(np.ones((1, 4), np.float32), np.array([0.9], np.float32), ["car"])
    photo = PairImage("a/1", "a", "", b"", 10, 10)
    assert [place_of(photo, d) for d in (nothing, bed, car)] == ["", "indoor", "outdoor"]
    scene = PairSegment("scene", "human", (0, 0, 10, 10), texts=("beach",), text_weights=(1,))
    assert place_of(replace(photo, segments=(scene,)), bed) == "outdoor"


def test_the_guess_is_soft_over_names_and_broader_words():
    labels = ["background", "tabby, tabby cat", "tiger cat", "toaster"]
    words = {"tabby": Word((), ("cat",)), "tiger cat": Word((), ("cat",))}
    seen = guess(np.array([0, 0.5, 0.3, 0.05], np.float32), labels, words)
    assert seen is not None
    assert seen.best == "tabby"
    assert seen.broader["cat"] == pytest.approx(0.8)
    assert "cat" in dict(seen.soft)
    assert sum(p for _, p in seen.soft) <= 1
    assert guess(np.array([0.7, 0.1, 0.1, 0.1], np.float32), labels, words) is None
    unsure = guess(np.array([0, 0.37, 0.36, 0.1], np.float32), labels, words)
    assert unsure is not None  # which cat is unclear, that it is one is not


def test_labels_become_everyday_names():
    assert plain_name(1, "tench, Tinca tinca") == "tench"
    assert plain_name(135, "crane") == "crane bird"
    assert plain_name(518, "crane") == "construction crane"
    assert plain_name(0, "background") == ""


def test_texts_of_a_name_are_everyday_words(words):
    texts, weights = texts_for("car", words)
    assert texts[0] == "car" and weights[0] == 1
    assert "vehicle" in texts and "automobile" in texts
    assert "machine" not in texts and "self-propelled vehicle" not in texts
    assert max(weights[1:]) < 1
    assert "animal" in texts_for("cow", words)[0]
    assert "man" not in texts_for("person", words)[0]
    assert "canis familiaris" not in texts_for("dog", words)[0]
    assert texts_for("no such word", words) == (("no such word",), (1.0,))


def test_a_broken_word_list_is_refused(tmp_path):
    (tmp_path / "w.json").write_text('{"cat": 3}')
    with pytest.raises(InputError, match="no word list"):
        read_words(tmp_path / "w.json")
    with pytest.raises(InputError, match="no word list"):
        read_words(tmp_path / "none.json")


def test_photos_are_mixed_with_all_sources_in_turn():
    ids = {f"a/{i}": "a" for i in range(500)} | {f"b/{i}": "b" for i in range(70)}
    ids |= {f"g/{i}": "grocery" for i in range(30)}
    order = choose(ids, None)
    assert sorted(order) == sorted(ids)
    assert order == choose(ids, None)
    first = [ids[i] for i in order[:120]]
    assert first.count("a") == first.count("b") == 60
    assert {ids[i] for i in order[-30:]} == {"grocery"}
    capped = choose(ids, 40)
    assert [sum(ids[i] == s for i in capped) for s in ("a", "b", "grocery")] == [40, 40, 30]
