"""Visual keys: an additive part of a store, carried by all that rewrites parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from store_samples import DIM, SETTINGS, SPACE, photo, sample_store, unit

from usearch.errors import StoreError
from usearch.records import EmbeddingSpace
from usearch.store import Writer, check_store, compact_store, open_snapshot, open_writer
from usearch.store import manifest as manifests
from usearch.store.keys import (
    gather_keys,
    half_keys,
    keyed_rows,
    newest_space,
    photos_without_keys,
    search_keys,
)
from usearch.store.rebuild import rebuild_store

KEYS = EmbeddingSpace(id="toy-keys-1", dim=5, name="toy keys 1")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def keyed_writer(path: Path, keys: EmbeddingSpace | None = KEYS) -> Writer:
    return open_writer(
        path,
        space=SPACE,
        preset="toy",
        segmenter="boxes",
        segmenter_settings=SETTINGS,
        keys=keys,
    )


def keyed_photo(rng: np.random.Generator, name: str, n: int = 4, dim: int = KEYS.dim):
    return replace(photo(rng, name, n), keys=unit(rng, n, dim))


def keys_by_photo(path: Path) -> dict[str, np.ndarray]:
    snapshot = open_snapshot(path)
    space = newest_space(snapshot.parts)
    assert space is not None
    return {
        record.path: gather_keys(snapshot, snapshot.rows_of_photo(record.photo_id), space)
        for record in snapshot.photo_records()
    }


def test_keys_come_back_as_they_were_given(tmp_path, rng):
    given = keyed_photo(rng, "a.jpg")
    with keyed_writer(tmp_path) as w:
        w.add([given])
    assert abs(keys_by_photo(tmp_path)["a.jpg"] - given.keys).max() < 1e-3
    assert check_store(tmp_path) == []


def test_a_store_without_keys_has_none_and_is_sound(tmp_path):
    sample_store(tmp_path)
    snapshot = open_snapshot(tmp_path)
    assert newest_space(snapshot.parts) is None
    assert snapshot.info()["keys"] is None
    assert photos_without_keys(snapshot, None) == {
        r.photo_id for r in snapshot.photo_records() if r.n_segments
    }
    assert check_store(tmp_path) == []


def test_a_manifest_without_keys_is_what_it_was_before_there_were_keys(tmp_path):
    sample_store(tmp_path)
    parts = json.loads((tmp_path / manifests.NAME).read_bytes())["parts"]
    assert all("keys" not in part for part in parts)


def test_a_reader_that_knows_no_keys_reads_a_store_with_them(tmp_path, rng, monkeypatch):
    with keyed_writer(tmp_path) as w:
        w.add([keyed_photo(rng, "a.jpg")])
    known = manifests._build

    def before_keys(body):
        for part in body["parts"]:
            part.pop("keys")  # what that reader does not look for
        return known(body)

    monkeypatch.setattr(manifests, "_build", before_keys)
    snapshot = open_snapshot(tmp_path)
    assert snapshot.n_segments == 4
    assert snapshot.search(unit(rng, 1), 2)[1].shape == (1, 2)
    assert newest_space(snapshot.parts) is None


def test_merging_and_compacting_carry_keys_and_leave_gaps_where_there_were_none(tmp_path, rng):
    sample_store(tmp_path, batches=2)
    with keyed_writer(tmp_path) as w:
        given = {f"{i}.jpg": keyed_photo(rng, f"{i}.jpg") for i in range(12)}
        for one in given.values():  # a part each: the writer merges them on its way
            w.add([one])
        w.remove([w.snapshot.photo_records()[0].photo_id])
    compact_store(tmp_path)
    found = keys_by_photo(tmp_path)
    for name, one in given.items():
        assert abs(found[name] - one.keys).max() < 1e-3
    assert not found["1/5.jpg"].any()
    snapshot = open_snapshot(tmp_path)
    assert len(snapshot.parts) == 1
    assert keyed_rows(snapshot, KEYS).sum() == 48
    assert len(photos_without_keys(snapshot, KEYS)) == 3
    assert check_store(tmp_path) == []


def test_segments_that_are_left_out_take_their_keys_along(tmp_path, rng):
    given = keyed_photo(rng, "a.jpg")
    given.vectors[1] = np.nan
    with keyed_writer(tmp_path) as w:
        w.add([given])
    assert abs(keys_by_photo(tmp_path)["a.jpg"] - given.keys[[0, 2, 3]]).max() < 1e-3


def test_keys_of_another_model_count_as_none_and_the_newest_are_kept(tmp_path, rng):
    newer = EmbeddingSpace(id="toy-keys-2", dim=3, name="toy keys 2")
    with keyed_writer(tmp_path) as w:
        w.add([keyed_photo(rng, "old.jpg")])
    with keyed_writer(tmp_path, newer) as w:
        w.add([keyed_photo(rng, "new.jpg", dim=3)])
    compact_store(tmp_path)
    found = keys_by_photo(tmp_path)
    assert found["old.jpg"].shape == (4, 3)
    assert not found["old.jpg"].any()
    assert found["new.jpg"].any(1).all()


def test_the_nearest_are_those_of_a_plain_product_among_the_rows_allowed(tmp_path, rng):
    with keyed_writer(tmp_path) as w:
        for i in range(6):
            w.add([keyed_photo(rng, f"{i}.jpg", n=7)])
    snapshot = open_snapshot(tmp_path)
    rows = snapshot.live_rows()
    keys = gather_keys(snapshot, rows, KEYS).astype(np.float32)
    queries = unit(rng, 9, KEYS.dim)
    allowed = rng.random(len(rows)) < 0.5
    cosines, found = search_keys(snapshot, queries, 5, allowed, KEYS)
    plain = np.where(allowed, queries @ keys.T, -np.inf)
    assert (found == (-plain).argsort(1)[:, :5]).all()
    assert abs(cosines - np.take_along_axis(plain, found, 1)).max() < 1e-5
    nothing = search_keys(snapshot, queries, 5, np.zeros(len(rows), bool), KEYS)
    assert nothing[1].shape == (9, 0)


def test_a_key_that_is_not_finite_is_no_key():
    bad = np.array([[1, 2, 2], [np.nan, 0, 1], [0, 0, 0]], np.float32)
    assert half_keys(bad)[0].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3], abs=1e-3)
    assert not half_keys(bad)[1:].any()


def test_keys_of_a_photo_must_fit_what_the_writer_was_told(tmp_path, rng):
    with keyed_writer(tmp_path) as w, pytest.raises(ValueError, match="keys of shape"):
        w.add([keyed_photo(rng, "a.jpg", dim=4)])
    with keyed_writer(tmp_path, None) as w, pytest.raises(ValueError, match="keys of shape"):
        w.add([keyed_photo(rng, "a.jpg")])


def damage_keys(path: Path) -> None:
    [file] = path.glob("parts/*/keys.f16")
    data = bytearray(file.read_bytes())
    data[3] ^= 0xFF
    file.write_bytes(data)


def test_damaged_keys_are_found_and_cost_no_photo(tmp_path, rng):
    with keyed_writer(tmp_path) as w:
        w.add([keyed_photo(rng, "a.jpg")])
    damage_keys(tmp_path)
    snapshot = open_snapshot(tmp_path)
    assert snapshot.search(unit(rng, 1, DIM), 2)[1].shape == (1, 2)  # vectors are another file
    with pytest.raises(StoreError, match=r"keys\.f16 is damaged"):
        keyed_rows(snapshot, KEYS)
    assert any("keys.f16" in line for line in check_store(tmp_path))
    assert "usearch index FOLDER --keys" in rebuild_store(tmp_path)[0]
    after = open_snapshot(tmp_path)
    assert after.n_segments == 4
    assert photos_without_keys(after, KEYS) == {0}
    assert check_store(tmp_path) == []
