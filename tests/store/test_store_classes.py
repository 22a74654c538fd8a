"""A store's photos classified from what is stored: no photo opened, memory flat."""

from __future__ import annotations

from pathlib import Path

import class_samples
import numpy as np
import pytest
from store_samples import photo as stored_photo
from store_samples import row, unit, writer

from usearch import masks
from usearch.classify import (
    Rule,
    classify_segments,
    classify_store,
    photo_shares,
    shares_of,
    stored_photos,
)
from usearch.records import Segments
from usearch.store import IndexedPhoto, open_snapshot

LINES = ["sky, heaven", "road", "road > line"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Photos 0..5: two with segments and one that failed, twice."""
    rng = np.random.default_rng(0)
    with writer(tmp_path / "st") as w:
        for b in range(2):
            w.add([stored_photo(rng, f"{b}/{n}.jpg", n) for n in (5, 2, 0)])
    return tmp_path / "st"


def texts():
    return class_samples.texts(np.random.default_rng(5), LINES, 1)


def test_photos_come_back_as_they_were_stored(tmp_path):
    rng = np.random.default_rng(1)
    size, n = (24, 32), 4
    pictures = class_samples.masks_of(rng, n, *size)
    segments = masks.segments_from_masks(pictures, rng.random(n), [-1, 0, 1, -1])
    vectors = unit(rng, n)
    with writer(tmp_path / "st") as w:
        w.add([IndexedPhoto(row("a b.jpg"), segments, vectors)])
    [found] = stored_photos(open_snapshot(tmp_path / "st"))
    assert found.image == "/photos/a b.jpg"
    assert (found.width, found.height) == (640, 480)
    assert found.segments.rles == segments.rles
    assert found.segments.size == size
    for name in ("areas", "parents", "depths"):
        np.testing.assert_array_equal(
            getattr(found.segments, name), getattr(segments, name), err_msg=name
        )
    np.testing.assert_allclose(found.segments.boxes, segments.boxes, atol=1e-4)
    np.testing.assert_allclose(found.vectors, vectors, atol=1e-3)
    assert found.segment_ids.tolist() == [0, 1, 2, 3]


def test_a_store_gives_each_readable_photo_the_classes_of_its_segments(store):
    snapshot, classes = open_snapshot(store), texts()
    found = list(classify_store(snapshot, classes, Rule(0.2)))
    assert [one.photo for one in found] == [0, 1, 3, 4]
    for one, photo in zip(found, stored_photos(snapshot), strict=True):
        direct = classify_segments(photo.segments, photo.vectors, classes, Rule(0.2))
        wanted = shares_of(direct, (480, 640))
        assert one.image == photo.image
        np.testing.assert_array_equal(one.shares.classes, wanted.classes)
        assert (one.shares.unknown, one.shares.none) == (wanted.unknown, wanted.none)
        labels = direct.map((480, 640))
        np.testing.assert_allclose(one.shares.classes, [np.mean(labels == c) for c in range(3)])
        own = direct.segment_labels
        np.testing.assert_array_equal(one.counts, [np.sum(own == c) for c in range(3)])
        for c in range(3):
            scores = direct.scores[own == c]
            assert np.isnan(one.best[c]) if not len(scores) else one.best[c] == scores.max()


def test_photos_are_read_in_blocks_and_the_blocks_do_not_show(store, monkeypatch):
    snapshot, classes = open_snapshot(store), texts()
    whole = list(classify_store(snapshot, classes))
    for at_once in (1, 6, 7):
        monkeypatch.setattr("usearch.classify.stored._AT_ONCE", at_once)
        small = list(classify_store(snapshot, classes))
        assert [one.photo for one in small] == [one.photo for one in whole]
        for a, b in zip(small, whole, strict=True):
            np.testing.assert_array_equal(a.shares.classes, b.shares.classes)


def test_no_more_than_a_block_is_read_before_the_first_answer(store, monkeypatch):
    monkeypatch.setattr("usearch.classify.stored._AT_ONCE", 1)
    snapshot = open_snapshot(store)
    asked = []
    read = type(snapshot).vectors
    monkeypatch.setattr(
        type(snapshot), "vectors", lambda self, rows: asked.append(len(rows)) or read(self, rows)
    )
    next(classify_store(snapshot, texts()))
    assert asked == [5]


def test_photos_by_id_and_segments_by_row(store):
    snapshot = open_snapshot(store)
    assert [photo.photo for photo in stored_photos(snapshot, [4, 0, 2])] == [0, 4]
    first = snapshot.rows_of_photo(0)
    rows = np.concatenate([first[[1, 3]], snapshot.rows_of_photo(3)[:1]])
    found = list(stored_photos(snapshot, rows=rows))
    assert [(photo.photo, len(photo.segments)) for photo in found] == [(0, 2), (3, 1)]
    # Segment 0 is the parent of both and was left out: they have none now.
    assert found[0].segments.parents.tolist() == [-1, -1]
    assert found[0].segment_ids.tolist() == [1, 3]
    assert list(stored_photos(snapshot, rows=rows[:0])) == []


def test_a_photo_without_segments_has_no_class(tmp_path):
    nothing = masks.segments_from_counts([], (24, 32), np.zeros(0))
    with writer(tmp_path / "st") as w:
        w.add([IndexedPhoto(row("empty.jpg"), nothing, np.zeros((0, 8), np.float32))])
    [found] = classify_store(open_snapshot(tmp_path / "st"), texts())
    assert found.shares.none == 1.0
    assert found.n_segments == 0


def test_removed_photos_are_not_classified(store):
    with writer(store) as w:
        w.remove([0, 4])
    assert [one.photo for one in classify_store(open_snapshot(store), texts())] == [1, 3]


def test_masks_coarser_than_the_photo_give_the_shares_of_the_painted_map():
    rng = np.random.default_rng(3)
    segments, _, vectors = class_samples.photo(rng, 4, 7, 10)
    assert isinstance(segments, Segments)
    found = classify_segments(segments, vectors, texts())
    numbers = photo_shares(found, "/a.jpg", 33, 20)
    labels = found.map((20, 33))
    np.testing.assert_allclose(numbers.shares.classes, [np.mean(labels == c) for c in range(3)])
