"""What goes in comes out: photos, segments, vectors, names; and other tools can read it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco
from store_samples import DIM, SPACE, content, photo, row, sample_store, segments, unit, writer

from usearch.errors import SpaceMismatch, StoreError, StoreNotFound, UsageError
from usearch.records import EmbeddingSpace
from usearch.store import (
    IndexedPhoto,
    check_store,
    compact_store,
    find_store,
    open_snapshot,
    open_writer,
    real_name,
    rebuild_store,
    stored_name,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_photo_comes_back_as_it_went_in(tmp_path: Path, rng: np.random.Generator) -> None:
    given_photo = photo(rng, "a/b.jpg", 6)
    with writer(tmp_path / "s") as w:
        (photo_id,) = w.add([given_photo])
    snapshot = open_snapshot(tmp_path / "s")
    (record,) = snapshot.photo_records()
    assert record == replace(given_photo.photo, photo_id=photo_id, n_segments=6)
    rows = snapshot.rows_of_photo(photo_id)
    found = snapshot.segments(rows)
    assert found["segment_id"].to_pylist() == [photo_id * 65536 + i for i in range(6)]
    assert found["rle"].to_pylist() == given_photo.segments.rles
    assert found["parent"].to_pylist() == [None] + [photo_id * 65536] * 5
    assert found["depth"].to_pylist() == [0, 1, 1, 1, 1, 1]
    assert found["path"].to_pylist() == ["a/b.jpg"] * 6
    np.testing.assert_allclose(snapshot.vectors(rows), given_photo.vectors, atol=5e-4)


def test_boxes_are_in_pixels_of_the_photo_as_shown(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    given_photo = photo(rng, "a.jpg", 6)  # masks 32 x 24, photo 640 x 480
    with writer(tmp_path / "s") as w:
        w.add([given_photo])
    found = open_snapshot(tmp_path / "s").segments(np.arange(6))
    boxes = np.stack([found[c].to_numpy() for c in ("x0", "y0", "x1", "y1")], 1)
    np.testing.assert_array_equal(boxes, given_photo.segments.boxes * 20)
    masks = zip(*(found[c].to_pylist() for c in ("rle", "mask_h", "mask_w")), strict=True)
    areas = [coco.area({"counts": r, "size": [h, w]}) / (h * w) for r, h, w in masks]
    np.testing.assert_allclose(found["area_share"].to_numpy(), areas, rtol=1e-6)


def test_rows_may_be_asked_in_any_order_and_twice(tmp_path: Path) -> None:
    sample_store(tmp_path / "s", batches=4)
    snapshot = open_snapshot(tmp_path / "s")
    asked = np.array([27, 3, 3, 14, 0])
    every = snapshot.segments(snapshot.live_rows())["segment_id"].to_numpy()
    assert snapshot.segments(asked)["segment_id"].to_pylist() == every[asked].tolist()
    vectors = snapshot.vectors(snapshot.live_rows())
    np.testing.assert_array_equal(snapshot.vectors(asked), vectors[asked])
    assert len(snapshot.segments(np.zeros(0, np.int64))) == 0
    with pytest.raises(UsageError):
        snapshot.segments(np.array([28]))
    with pytest.raises(UsageError):
        snapshot.vectors(np.array([-1]))


def test_a_failed_photo_is_a_row_with_its_reason(tmp_path: Path, rng: np.random.Generator) -> None:
    with writer(tmp_path / "s") as w:
        w.add([photo(rng, "good.jpg", 2), photo(rng, "bad.jpg", 0)])
    snapshot = open_snapshot(tmp_path / "s")
    assert [(p.path, p.status, p.n_segments) for p in snapshot.photo_records()] == [
        ("good.jpg", "ok", 2),
        ("bad.jpg", "truncated", 0),
    ]
    assert snapshot.info()["photos_by_status"] == {"ok": 1, "truncated": 1}


def test_removed_and_replaced_photos_are_gone(tmp_path: Path, rng: np.random.Generator) -> None:
    with writer(tmp_path / "s") as w:
        a, b, c = w.add([photo(rng, name, 3) for name in ("a", "b", "c")])
        w.remove([a])
        (new,) = w.add([photo(rng, "b", 5)], replaces=[b])
        assert new not in (a, b, c)
    snapshot = open_snapshot(tmp_path / "s")
    assert [p.path for p in snapshot.photo_records()] == ["c", "b"]
    assert (snapshot.n_photos, snapshot.n_segments) == (2, 8)
    owners = snapshot.segments(snapshot.live_rows())["photo_id"].to_pylist()
    assert owners == [c] * 3 + [new] * 5
    with pytest.raises(UsageError):
        snapshot.rows_of_photo(a)
    with pytest.raises(UsageError):
        snapshot.segments(np.array([0]))
    assert check_store(tmp_path / "s") == []


def test_a_renamed_photo_keeps_id_segments_and_vectors(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    store = tmp_path / "s"
    with writer(store) as w:
        a, b = w.add([photo(rng, "a", 3), photo(rng, "b", 3)])
        before = w.snapshot.segments(w.snapshot.rows_of_photo(a))
        w.rename({a: row("x/a.jpg", root="/moved"), b: row("a")})
        w.rename({a: row("y/a.jpg", root="/moved")})
    after = open_snapshot(store).segments(open_snapshot(store).rows_of_photo(a))
    assert set(after["path"].to_pylist()) == {"y/a.jpg"}
    assert after.drop_columns(["path", "root"]).equals(before.drop_columns(["path", "root"]))
    compact_store(store)
    assert [(p.photo_id, p.root, p.path) for p in open_snapshot(store).photo_records()] == [
        (a, "/moved", "y/a.jpg"),
        (b, "/photos", "a"),
    ]
    assert check_store(store) == []


def test_each_photo_is_in_the_store_once(tmp_path: Path, rng: np.random.Generator) -> None:
    with writer(tmp_path / "s") as w:
        a, _ = w.add([photo(rng, "a"), photo(rng, "b")])
        version = w.snapshot.version
        with pytest.raises(ValueError, match="in the store"):
            w.add([photo(rng, "a")])
        with pytest.raises(ValueError, match="twice"):
            w.add([photo(rng, "c"), photo(rng, "c")])
        with pytest.raises(ValueError, match="same path"):
            w.rename({a: row("b")})
        with pytest.raises(ValueError, match="no photo 99"):
            w.remove([99])
        assert w.snapshot.version == version
        w.add([photo(rng, "a")], replaces=[a])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_segments_without_a_usable_vector_are_left_out(
    tmp_path: Path, rng: np.random.Generator, bad: float
) -> None:
    chain = replace(segments(rng, 4), parents=np.array([-1, 0, 1, 2], np.int32))
    vectors = unit(rng, 4)
    vectors[1] = bad
    with writer(tmp_path / "s") as w:
        (photo_id,) = w.add([IndexedPhoto(row("a"), chain, vectors)])
        assert w.rejected == 1
    snapshot = open_snapshot(tmp_path / "s")
    found = snapshot.segments(snapshot.rows_of_photo(photo_id))
    first = photo_id * 65536
    assert found["rle"].to_pylist() == [chain.rles[i] for i in (0, 2, 3)]
    assert found["parent"].to_pylist() == [None, first, first + 1]
    assert found["depth"].to_pylist() == [0, 1, 2]
    assert check_store(tmp_path / "s") == []


def test_wrong_shapes_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    with writer(tmp_path / "s") as w, pytest.raises(ValueError, match="shape"):
        w.add([IndexedPhoto(row("a"), segments(rng, 3), unit(rng, 2))])


def test_another_space_or_segmenter_is_refused_by_name(tmp_path: Path) -> None:
    sample_store(tmp_path / "s")
    other = EmbeddingSpace("toy-2", DIM, "toy 2")
    with pytest.raises(SpaceMismatch) as refused:
        writer(tmp_path / "s", other)
    assert "toy 1 (toy-1)" in refused.value.message
    assert "toy 2 (toy-2)" in refused.value.message
    with pytest.raises(StoreError, match="boxes"):
        open_writer(
            tmp_path / "s", space=SPACE, preset="toy", segmenter="tree", segmenter_settings={}
        )
    writer(tmp_path / "s").close()  # a refusal leaves no lock


def test_a_store_is_found_from_below(tmp_path: Path) -> None:
    sample_store(tmp_path / ".usearch")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / ".usearch").mkdir()  # a folder of that name without a manifest is none
    assert find_store(below) == tmp_path / ".usearch"
    with pytest.raises(StoreNotFound):
        find_store(tmp_path.parent)
    with pytest.raises(StoreNotFound):
        open_snapshot(below / ".usearch")


def test_a_folder_of_other_things_never_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"photo\.jpg"):
        writer(tmp_path)
    assert os.listdir(tmp_path) == ["photo.jpg"]
    with pytest.raises(StoreError, match="is a file"):
        writer(tmp_path / "photo.jpg")


def test_an_empty_store_answers(tmp_path: Path) -> None:
    with writer(tmp_path / "s") as w:
        w.finish()
    snapshot = open_snapshot(tmp_path / "s")
    assert (snapshot.n_photos, snapshot.n_segments) == (0, 0)
    scores, rows = snapshot.search(np.ones((2, DIM), np.float32), 5)
    assert scores.shape == rows.shape == (2, 0)
    assert len(snapshot.photos()) == len(snapshot.segments(snapshot.live_rows())) == 0
    assert snapshot.connect().execute("SELECT count(*) FROM segments").fetchall() == [(0,)]
    assert check_store(tmp_path / "s") == []
    assert rebuild_store(tmp_path / "s") == []
    assert compact_store(tmp_path / "s") >= 0


def test_many_small_batches_become_few_parts(tmp_path: Path, rng: np.random.Generator) -> None:
    with writer(tmp_path / "s") as w:
        for i in range(40):
            w.add([photo(rng, f"{i}.jpg", 3)])
        assert len(w.snapshot.parts) < 12
        w.finish()
    assert check_store(tmp_path / "s") == []
    assert [p.path for p in open_snapshot(tmp_path / "s").photo_records()] == [
        f"{i}.jpg" for i in range(40)
    ]


def test_compacting_changes_nothing_but_the_files(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store, batches=5)
    with writer(store) as w:
        w.remove([0, 4])
        w.rename({3: row("moved")})
    before = content(store)
    size = sum(p.stat().st_size for p in store.rglob("*"))
    freed = compact_store(store)
    assert freed > 0
    assert sum(p.stat().st_size for p in store.rglob("*")) < size
    assert content(store) == before
    assert check_store(store) == []
    assert len(os.listdir(store / "parts")) == 1
    info = open_snapshot(store).info()
    assert (info["parts"], info["removed_segments"]) == (1, 0)
    assert compact_store(store) == 0


def test_info_is_plain_json(tmp_path: Path) -> None:
    sample_store(tmp_path / "s")
    info = json.loads(json.dumps(open_snapshot(tmp_path / "s").info()))
    assert (info["photos"], info["segments"], info["format"]) == (9, 21, 1)
    assert info["space"]["name"] == "toy 1"


def test_pyarrow_and_duckdb_read_the_files_as_documented(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store, batches=2)
    snapshot = open_snapshot(store)
    manifest = json.loads((store / "manifest.json").read_bytes())
    folders = [store / "parts" / p["id"] for p in manifest["parts"]]
    ids = [
        i
        for folder in folders
        for i in pq.read_table(folder / "segments.parquet")["segment_id"].to_pylist()
    ]
    assert ids == snapshot.segments(snapshot.live_rows())["segment_id"].to_pylist()
    vectors = np.concatenate(
        [np.fromfile(folder / "vectors.f16", "<f2").reshape(-1, DIM) for folder in folders]
    )
    np.testing.assert_array_equal(vectors, snapshot.vectors(snapshot.live_rows()))
    counted = duckdb.sql(
        f"SELECT path, count(segment_id) FROM '{store}/parts/*/photos.parquet' p "
        f"LEFT JOIN '{store}/parts/*/segments.parquet' s USING (photo_id) "
        "GROUP BY path ORDER BY path"
    ).fetchall()
    assert counted == [(f"{b}/{n}.jpg", n) for b in (0, 1) for n in (0, 2, 5)]


def test_sql_gives_rows_to_search_in_and_sees_nothing_else(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store)
    with writer(store) as w:
        w.remove([0])
    snapshot = open_snapshot(store)
    connection = snapshot.connect()
    rows = connection.execute(
        "SELECT row FROM segments JOIN photos USING (photo_id) WHERE path LIKE '1/%' ORDER BY row"
    ).fetchnumpy()["row"]
    assert snapshot.segments(rows)["path"].to_pylist() == ["1/5.jpg"] * 5 + ["1/2.jpg"] * 2
    assert connection.execute("SELECT count(*) FROM segments").fetchone() == (16,)
    secret = [1]  # DuckDB would see this variable as a table, if it were let
    for attack in (
        f"SELECT * FROM read_blob('{store}/manifest.json')",
        f"SELECT * FROM '{store}/parts/*/photos.parquet'",
        f"COPY photos TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/x.db'",
        "INSTALL httpfs",
        "SET enable_external_access=true",
        "SELECT * FROM secret",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(attack)
    assert secret == [1]
    assert not (tmp_path / "out.csv").exists()


file_names = st.binary(min_size=1, max_size=30).map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b"a"))
) | st.text(st.sampled_from("a/\uf77f\uf780\uf7ff\uf800é\udc80\udcff")).map(
    lambda text: os.fsdecode(os.fsencode(text))
)


@given(file_names, file_names)
def test_every_file_name_has_one_stored_form_and_comes_back(one: str, other: str) -> None:
    assert real_name(stored_name(one)) == one
    stored_name(one).encode("utf-8")  # what Parquet needs
    assert (stored_name(one) == stored_name(other)) == (one == other)


def test_odd_names_survive_the_store(tmp_path: Path, rng: np.random.Generator) -> None:
    names = [
        "a\nb",
        "caf\u00e9",
        "cafe\u0301",
        "\udcff\udcfe",
        "-x",
        "'; DROP",
        "\uf7ff",
        "🙂",
        "a\tb\u202e",
    ]
    with writer(tmp_path / "s") as w:
        w.add([photo(rng, name, 1) for name in names])
    with writer(tmp_path / "s") as w:
        assert [p.path for p in w.snapshot.photo_records()] == names
        with pytest.raises(ValueError, match="in the store"):
            w.add([photo(rng, "\udcff\udcfe")])


def test_metadata_that_is_no_text_is_stored_all_the_same(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    odd = replace(photo(rng, "a"), photo=row("a", camera="bad \udcff\ud800", taken_at=None))
    with writer(tmp_path / "s") as w:
        w.add([odd])
    (record,) = open_snapshot(tmp_path / "s").photo_records()
    assert (record.camera, record.taken_at) == ("bad ??", None)


def test_large_stores_have_parts_of_a_bounded_size(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usearch.store.compact.PART_ROWS", 20)
    store = tmp_path / "s"
    with writer(store) as w:
        for i in range(16):
            w.add([photo(rng, f"{i} {n}", n) for n in (3, 4, 0)])
        w.add([photo(rng, "large", 30)])
        w.remove([4])
    before = content(store)
    compact_store(store)
    assert content(store) == before
    sizes = [e.segments for e in open_snapshot(store).manifest.parts]
    assert max(sizes[:-1]) <= 20
    assert sizes[-1] == 30
    assert sum(sizes) == 16 * 7 + 30 - 4
    assert check_store(store) == []
    version = open_snapshot(store).version
    compact_store(store)
    assert open_snapshot(store).version <= version + 2
