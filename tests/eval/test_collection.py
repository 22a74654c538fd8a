"""Photos of data sets in a store: read once, whatever is asked of them."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import toy_preset
from toys import load_toys

from eval.collection import collect, stored
from usearch.errors import InputError

COLOURS = ["red", "green", "blue", "white"]


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    return [
        toy_preset.quarters(tmp_path / "in" / f"{i}.png", *rng.permutation(COLOURS))
        for i in range(4)
    ]


@pytest.fixture
def opened(monkeypatch):
    """Names of the photos that are decoded."""
    from indexer import one_photo

    seen = []
    real = one_photo.decode

    def decode(path, *args, **named):
        seen.append(Path(path).name)
        return real(path, *args, **named)

    monkeypatch.setattr(one_photo, "decode", decode)
    return seen


def test_photos_that_are_in_the_store_are_not_opened_and_no_model_is_loaded(
    tmp_path, photos, opened
):
    first = collect(photos, tmp_path / "store", load_toys, "mini", workers=0)
    assert (first.indexed, first.known, len(opened)) == (4, 0, 4)
    again = collect(photos, tmp_path / "store", None, "mini", workers=0)
    assert (again.indexed, again.known, len(opened)) == (0, 4, 4)
    assert again.ids == first.ids


def test_what_a_run_left_undone_is_all_that_the_next_one_does(tmp_path, photos, opened):
    collect(photos[:2], tmp_path / "store", load_toys, "mini", workers=0)
    del opened[:]
    rest = collect(photos, tmp_path / "store", load_toys, "mini", workers=0)
    assert opened == ["2.png", "3.png"]
    assert (rest.indexed, rest.known, len(rest.ids)) == (2, 2, 4)


def test_the_same_file_at_another_place_is_known(tmp_path, photos, opened):
    collect(photos, tmp_path / "store", load_toys, "mini", workers=0)
    del opened[:]
    (tmp_path / "copy").mkdir()
    copies = [Path(shutil.copy(photo, tmp_path / "copy")) for photo in photos]
    found = collect(copies, tmp_path / "store", None, "mini", workers=0)
    assert opened == []
    assert list(found.ids) == copies
    assert found.snapshot.n_photos == 4


def test_a_photo_that_changed_is_read_again(tmp_path, photos, opened):
    collect(photos, tmp_path / "store", load_toys, "mini", workers=0)
    del opened[:]
    toy_preset.quarters(photos[1], "black", "black", "black", "black")
    os.utime(photos[1], ns=(1, 1))
    found = collect(photos, tmp_path / "store", load_toys, "mini", workers=0)
    assert opened == ["1.png"]
    np.testing.assert_allclose(list(stored(found, photos))[1].vectors[:, :3], 0.0)


def test_stored_photos_come_in_the_order_asked_without_those_that_failed(tmp_path, photos):
    broken = tmp_path / "in" / "broken.jpg"
    broken.write_bytes(b"no photo")
    asked = [photos[2], broken, photos[0]]
    found = collect(asked, tmp_path / "store", load_toys, "mini", workers=0)
    assert set(found.failed) == {broken}
    assert [Path(one.path).name for one in stored(found, asked)] == ["2.png", "0.png"]


def test_other_photos_of_the_folder_are_left_alone(tmp_path, photos):
    found = collect(photos[:1], tmp_path / "store", load_toys, "mini", workers=0)
    assert found.snapshot.n_photos == 1


def test_a_photo_that_is_not_there_is_named(tmp_path, photos):
    with pytest.raises(InputError, match=r"missing\.png"):
        collect([tmp_path / "missing.png"], tmp_path / "store", load_toys, "mini", workers=0)
