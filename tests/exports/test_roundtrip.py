"""Out of a store as COCO and back in with the `given` segmenter: the same masks."""

from __future__ import annotations

import io
import json
import os
from functools import partial

import numpy as np
import pyarrow.parquet as pq
import pytest
from export_samples import as_source, random_photos
from hypothesis import given, settings
from PIL import Image
from toys import ColourEmbedder, load_toys

from indexer.pipeline import index_photos
from indexer.segmenters.given import GivenSegmenter
from usearch import masks, open_store
from usearch.errors import InputError, UsageError
from usearch.exports import export_segments
from usearch.exports.coco import write_coco


@settings(max_examples=25)
@given(random_photos())
def test_every_mask_comes_back_on_its_own_grid(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("coco") / "out.json"
    out = io.BytesIO()
    write_coco(out, as_source(content))
    path.write_bytes(out.getvalue())
    segmenter = GivenSegmenter(path)
    for photo, found, scores in content:
        image = np.zeros((*found[0].shape, 3), np.uint8)
        back = segmenter.segment_photo(image, f"/elsewhere/{photo.name}")
        expected = {masks.encode(m): np.float32(s) for m, s in zip(found, scores, strict=True)}
        assert dict(zip(back.rles, back.scores, strict=True)) == expected


def load_given(path, *, threads=1):
    return GivenSegmenter(path), ColourEmbedder()


def tiles(path, side):
    """A photo of random pixels: what is in it does not matter here."""
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(side).integers(0, 255, (side, side, 3), np.uint8)).save(
        path
    )


@pytest.fixture
def store(tmp_path):
    """Two photos of four tiles, of one name in two folders."""
    tiles(tmp_path / "a" / "x.png", 40)
    tiles(tmp_path / "b" / "x.png", 61)
    (tmp_path / "a" / "broken.jpg").write_text("no photo")
    (tmp_path / "b" / "a.jpg").write_text("no photo")
    folders = [tmp_path / "a", tmp_path / "b"]
    index_photos(folders, tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    return open_store(tmp_path / ".usearch").snapshot


def facts(snapshot):
    """Path, box and mask of every segment, in no order."""
    columns = ["root", "path", "x0", "y0", "x1", "y1", "area_share", "mask_h", "mask_w", "rle"]
    table = snapshot.segments(snapshot.live_rows()).select(columns)
    return sorted(tuple(row.values()) for row in table.to_pylist())


def test_a_store_comes_back_with_the_same_masks_and_boxes(store, tmp_path):
    export_segments(store, store.live_rows(), tmp_path / "out.json", "coco")
    names = [i["file_name"] for i in json.loads((tmp_path / "out.json").read_text())["images"]]
    assert names == ["a/x.png", "b/x.png"]  # told apart by their folders

    folders = [tmp_path / "a", tmp_path / "b"]
    load = partial(load_given, tmp_path / "out.json")
    index_photos(folders, tmp_path / "second", load, preset="mini", workers=0)
    assert facts(open_store(tmp_path / "second").snapshot) == facts(store)


def test_rows_choose_segments_and_photos_without_any_are_left_out(store, tmp_path):
    [photo] = [p for p in store.photo_records() if p.root.endswith("b") and p.n_segments]
    rows = store.rows_of_photo(photo.photo_id)[[2, 0]]
    assert export_segments(store, rows, tmp_path / "out.json", "coco") == 2
    data = json.loads((tmp_path / "out.json").read_text())
    assert [i["file_name"] for i in data["images"]] == ["b/x.png"]
    first = photo.photo_id * 65536
    assert [a["segment"] for a in data["annotations"]] == [first, first + 2]
    assert {a["image_id"] for a in data["annotations"]} == {data["images"][0]["id"]}


def test_parquet_holds_what_the_store_holds(store, tmp_path):
    rows = store.live_rows()
    export_segments(store, rows, tmp_path / "out.parquet", "parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    expected = store.segments(rows)
    for name in ("segment_id", "photo_id", "x0", "y1", "area_share", "parent", "depth", "rle"):
        assert table[name].to_pylist() == expected[name].to_pylist()
    assert table["image"].to_pylist()[-1] == str(tmp_path / "b" / "x.png")
    vectors = np.stack(table["vector"].to_numpy())
    np.testing.assert_array_equal(vectors, store.vectors(rows))
    export_segments(store, rows, tmp_path / "bare.parquet", "parquet", vectors=False)
    assert "vector" not in pq.read_schema(tmp_path / "bare.parquet").names


def test_rows_of_no_live_segment_and_unknown_formats_are_refused(store, tmp_path):
    with pytest.raises(UsageError, match="rows outside"):
        export_segments(store, np.array([8]), tmp_path / "x.json", "coco")
    with pytest.raises(UsageError, match="no format 'voc'"):
        export_segments(store, store.live_rows(), tmp_path / "x.json", "voc")
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("kind", ["coco", "parquet", "cvat", "labelme", "labelstudio"])
def test_a_run_that_breaks_leaves_no_file_and_keeps_the_old_one(kind, store, tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    path = tmp_path / "out"
    if kind != "labelme":
        path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        export_segments(store, store.live_rows(), path, kind, force=True, progress=stop)
    if kind != "labelme":
        assert path.read_text() == "old"
    assert not list(tmp_path.rglob("*.part"))


def test_a_link_is_followed_and_a_device_is_never_replaced(store, tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    export_segments(store, store.live_rows(), tmp_path / "link.json", "coco", force=True)
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["annotations"]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="can be replaced"):
        export_segments(store, store.live_rows(), tmp_path / "pipe", "coco", force=True)


@pytest.mark.parametrize("kind", ["coco", "parquet", "cvat", "labelme", "labelstudio"])
def test_what_is_there_is_replaced_only_when_told_to(kind, store, tmp_path):
    rows, path = store.live_rows(), tmp_path / "out"
    assert export_segments(store, rows, path, kind) == 8
    with pytest.raises(InputError, match="exists"):
        export_segments(store, rows[:1], path, kind)
    assert export_segments(store, rows[:1], path, kind, force=True) == 1
