"""A folder of photos and the place of a store, for tests of indexing."""

import pytest
from photo_folders import picture


@pytest.fixture
def folder(tmp_path):
    """Six photos and two files that are none, one of them with the ending of one."""
    for number in range(6):
        picture(tmp_path / "photos" / f"{'sub/' if number > 3 else ''}{number}.png", number)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "photos" / "notes.txt").write_bytes(b"no photo either")
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"
