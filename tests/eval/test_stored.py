"""Labelled photos are found again in a store, with their segments and vectors."""

from functools import partial

import numpy as np
import pytest
from PIL import Image
from toys import load_toys

from eval.stored import stored_photos
from indexer.pipeline import index_photos
from usearch import masks
from usearch.errors import InputError
from usearch.store import open_snapshot


@pytest.fixture
def snapshot(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, colour in enumerate(("red", "blue")):
        Image.new("RGB", (60, 40), colour).save(folder / f"{i}.png")
    (folder / "bad.jpg").write_bytes(b"")
    index_photos([folder], tmp_path / ".usearch", partial(load_toys), preset="toy", workers=0)
    return open_snapshot(tmp_path / ".usearch")


def test_segments_and_vectors_come_back_in_the_order_asked(snapshot, tmp_path):
    paths = [tmp_path / "photos" / name for name in ("1.png", "0.png")]
    found = list(stored_photos(snapshot, paths))
    assert [photo.path for photo in found] == paths
    for photo, strongest in zip(found, (2, 0), strict=True):
        assert photo.segments.size == (40, 60)
        covered = sum(masks.decode(r, (40, 60)).astype(int) for r in photo.segments.rles)
        assert (covered == 1).all()
        assert (photo.vectors[:, :3].argmax(1) == strongest).all()
        np.testing.assert_allclose(np.linalg.norm(photo.vectors, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "why"), [("none.png", "not in the store"), ("bad.jpg", "could not be indexed: empty")]
)
def test_a_photo_that_the_store_lacks_is_named(snapshot, tmp_path, name, why):
    with pytest.raises(InputError, match=f"{name} .*{why}"):
        list(stored_photos(snapshot, [tmp_path / "photos" / name]))
