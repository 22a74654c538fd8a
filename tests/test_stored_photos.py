"""Photos are read again only as what was indexed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.errors import InputError
from usearch.store import open_snapshot
from usearch.stored_photos import photo_reader


@pytest.fixture
def stored(tmp_path):
    """A folder of two photos, one of them upright only by its EXIF orientation, and a reader."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    plain = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8))
    plain.save(folder / "plain.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(folder / "turned.jpg", exif=exif)
    index_photos([folder], tmp_path / "st", load_toys, preset="mini", workers=0)
    return folder, photo_reader(open_snapshot(tmp_path / "st"))


def test_a_photo_is_read_as_it_is_shown(stored):
    folder, read = stored
    assert read(str(folder / "plain.png"), 1000).shape == (30, 40, 3)
    assert read(str(folder / "turned.jpg"), 1000).shape == (40, 30, 3)
    assert read(str(folder / "plain.png"), 20).shape == (15, 20, 3)


def test_a_photo_that_is_gone_is_named(stored):
    folder, read = stored
    (folder / "plain.png").unlink()
    with pytest.raises(InputError, match=r"plain\.png is gone since it was indexed"):
        read(str(folder / "plain.png"), 1000)


@pytest.mark.parametrize("size", [(30, 40), (400, 400)])
def test_other_content_under_the_name_is_refused(stored, size):
    folder, read = stored
    path = folder / "plain.png"
    before = path.stat()
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match="has changed since it was indexed"):
        read(str(path), 1000)


def test_a_photo_that_was_never_indexed_is_not_opened(stored, tmp_path):
    _, read = stored
    with pytest.raises(InputError, match="is not in this store"):
        read(str(tmp_path / "other.png"), 1000)
