"""Large files are checked where they are read; the index lives on through growth and removal."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import photo, sample_store, unit, writer

from usearch.errors import StoreError
from usearch.store import blocks, check_store, compact_store, ivf, open_snapshot
from usearch.store import manifest as manifests
from usearch.store.parts import BLOCKS, SEGMENTS, VECTORS


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four vectors, so that small stores have many."""
    monkeypatch.setattr(blocks, "BLOCK", 64)


def damage(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def the_part(store: Path) -> Path:
    (part,) = (store / "parts").iterdir()
    return part


@given(
    data=st.binary(max_size=500),
    cuts=st.lists(st.integers(0, 500), max_size=6),
    flips=st.sets(st.integers(0, 499), max_size=3),
    ranges=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=5),
)
def test_a_range_is_intact_when_no_block_of_it_changed(
    data: bytes,
    cuts: list[int],
    flips: set[int],
    ranges: list[tuple[int, int]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 16)
        sums = blocks.BlockSums()
        bounds = sorted({0, len(data), *(c for c in cuts if c < len(data))})
        for start, stop in pairwise(bounds):
            sums.add(memoryview(data[start:stop]))
        found = sums.found()
        assert len(found) == blocks.count_of(len(data))
        changed = np.frombuffer(data, np.uint8).copy()
        flipped = {f for f in flips if f < len(data)}
        changed[sorted(flipped)] ^= 1
        checked = blocks.CheckedBytes(changed, found)
        for a, b in ranges:
            start, stop = min(a, b, len(data)), min(max(a, b), len(data))
            touched = range(start // 16, blocks.count_of(stop)) if stop > start else range(0)
            damaged = any(f // 16 in touched for f in flipped)
            assert checked.intact(start, stop) != damaged or stop == start


@pytest.mark.usefixtures("small_blocks")
def test_only_what_is_read_has_to_be_sound(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with writer(tmp_path / "s") as w:
        w.add([photo(rng, f"{i}.jpg", 8) for i in range(40)])
    damage(the_part(tmp_path / "s") / VECTORS, 100 * 16)
    snapshot = open_snapshot(tmp_path / "s")
    assert snapshot.vectors(np.array([0, 50, 319])).shape == (3, 8)
    with pytest.raises(StoreError, match=r"vectors\.f16"):
        snapshot.vectors(np.array([0, 101]))
    with pytest.raises(StoreError, match=r"vectors\.f16"):
        snapshot.search(np.ones((1, 8), np.float32), 1)
    query, some = np.ones((1, 8), np.float32), np.arange(50)
    assert np.isin(open_snapshot(tmp_path / "s").search(query, 5, some)[1], some).all()
    assert any("vectors.f16" in line for line in check_store(tmp_path / "s"))


@pytest.mark.usefixtures("small_blocks")
def test_damage_in_any_byte_of_the_segments_is_found_or_out_of_the_way(tmp_path: Path) -> None:
    sample_store(tmp_path / "s", batches=1)
    file = the_part(tmp_path / "s") / SEGMENTS
    sound = file.read_bytes()
    rows = open_snapshot(tmp_path / "s").live_rows()
    expected = open_snapshot(tmp_path / "s").segments(rows)
    for at in range(0, len(sound), 97):
        damage(file, at)
        try:
            assert open_snapshot(tmp_path / "s").segments(rows).equals(expected)
        except StoreError as error:
            assert "segments.parquet" in error.message
        assert check_store(tmp_path / "s") != []
        file.write_bytes(sound)
    assert check_store(tmp_path / "s") == []


def test_damaged_checksums_are_an_error_and_not_trusted(tmp_path: Path) -> None:
    sample_store(tmp_path / "s", batches=1)
    damage(the_part(tmp_path / "s") / BLOCKS, 3)
    with pytest.raises(StoreError, match=r"blocks\.crc"):
        open_snapshot(tmp_path / "s").vectors(np.array([0]))
    assert any(BLOCKS in line for line in check_store(tmp_path / "s"))


def test_a_part_without_block_checksums_is_read_and_checked_as_a_whole(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store, batches=1)
    before = open_snapshot(store)
    vectors = before.vectors(before.live_rows())
    (entry,) = before.manifest.parts
    older = replace(entry, files={n: s for n, s in entry.files.items() if n != BLOCKS})
    manifests.write(store, replace(before.manifest, parts=(older,)), None)
    (the_part(store) / BLOCKS).unlink()
    assert check_store(store) == []
    again = open_snapshot(store)
    assert again.segments(again.live_rows()).equals(before.segments(before.live_rows()))
    assert (again.vectors(again.live_rows()) == vectors).all()
    damage(the_part(store) / VECTORS, -1)
    with pytest.raises(StoreError, match=r"vectors\.f16"):
        open_snapshot(store).vectors(np.array([0]))


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """640 segments with an index; from here on, finding centres again is a failure."""
    rng = np.random.default_rng(4)
    with writer(tmp_path / "s") as w:
        for b in range(8):
            w.add([photo(rng, f"{b}-{i}", 8) for i in range(10)])
        w.snapshot = ivf.ensure_index(w.snapshot, pays_from=500)
    monkeypatch.setattr(ivf, "PAYS_FROM", 500)
    monkeypatch.setattr(
        "faiss.IndexIVFScalarQuantizer.train", lambda *a: pytest.fail("centres were sought again")
    )
    return tmp_path / "s"


def assert_every_row_is_found(store: Path) -> None:
    """By the index, and as itself."""
    snapshot = open_snapshot(store)
    assert snapshot.index is not None
    rows = snapshot.live_rows()
    vectors = snapshot.vectors(rows)
    lists = snapshot.index.index
    lists.nprobe = lists.nlist
    assert lists.ntotal == snapshot.manifest.index.rows == len(rows)
    found = lists.search(vectors, 1)[1][:, 0]
    exact = snapshot.search(vectors, 1, exact=True)[1][:, 0]
    assert np.mean(found == exact) > 0.97  # codes have 8 bits
    assert snapshot.warnings == []
    assert check_store(store) == []


def test_the_index_grows_with_the_store(indexed: Path) -> None:
    rng = np.random.default_rng(5)
    with writer(indexed) as w:
        w.add([photo(rng, f"more {i}", 8) for i in range(30)])
        w.finish()
    assert_every_row_is_found(indexed)


def test_compacting_carries_the_index_over(indexed: Path) -> None:
    rng = np.random.default_rng(6)
    with writer(indexed) as w:
        w.add([photo(rng, f"late {i}", 8) for i in range(5)])
        w.remove([0, 1, 2, 33, 79, 82])
    compact_store(indexed)
    snapshot = open_snapshot(indexed)
    assert snapshot.n_segments == 640 + 40 - 48 == snapshot.offsets[-1]
    assert_every_row_is_found(indexed)


def test_rows_are_searched_after_a_list_of_them_is_empty(indexed: Path) -> None:
    """Removing nearly everything leaves empty lists behind."""
    with writer(indexed) as w:
        w.remove(range(8, 80))
    compact_store(indexed)
    snapshot = open_snapshot(indexed)
    queries = unit(np.random.default_rng(1), 3)
    assert snapshot.search(queries, 64)[1].shape == (3, 64)


def test_a_reader_that_is_let_go_holds_no_file(tmp_path: Path) -> None:
    """Arrow keeps what reads a file where Python's garbage collector does not look."""
    import gc
    import weakref

    sample_store(tmp_path / "s")
    snapshot = open_snapshot(tmp_path / "s")
    snapshot.segments(snapshot.live_rows())
    parts = [weakref.ref(part) for part in snapshot.parts]
    del snapshot
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)
