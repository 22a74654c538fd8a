"""Files of hits, read by those who read such files: pyarrow, pandas, DuckDB, pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
import os

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hit_samples import GRID, answer, disc, hit
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from usearch.errors import InputError, UsageError
from usearch.render.hit_files import write_hits_coco, write_hits_parquet
from usearch.store import real_name

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools


@pytest.fixture
def answers():
    cars = answer(hit(), hit(disc(5, 25, 3), rank=2, segment=70000, path="b/x.jpg", photo=2))
    return [cars, answer(hit(rank=1, score=0.6), question="toy"), answer(question="zebra")]


def test_parquet_is_a_typed_table_of_hits_with_their_question(tmp_path, answers):
    assert write_hits_parquet(tmp_path / "hits.parquet", answers) == 3
    table = pq.read_table(tmp_path / "hits.parquet")
    assert table["question"].to_pylist() == ["red car", "red car", "toy"]
    assert table["image"].to_pylist() == [
        "/photos/street.jpg", "/photos/b/x.jpg", "/photos/street.jpg"
    ]  # fmt: skip
    assert table.schema.field("score").type == pa.float32()
    assert table.schema.field("segment_id").type == pa.int64()
    assert table["rle"].to_pylist()[0] == hit().rle
    facts = json.loads(table.schema.metadata[b"usearch"])
    assert facts["schema"] == "usearch.hits/1"
    assert [q["question"] for q in facts["questions"]] == ["red car", "toy", "zebra"]


def test_vectors_are_a_list_of_fixed_size_that_databases_compute_with(tmp_path, answers):
    path = tmp_path / "hits.parquet"
    vectors = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    write_hits_parquet(path, answers, vectors)
    assert pq.read_schema(path).field("vector").type == pa.list_(pa.float32(), 8)
    np.testing.assert_array_equal(np.stack(pq.read_table(path)["vector"].to_numpy()), vectors)
    [(found,)] = duckdb.sql(
        f"select list_dot_product(vector, vector) from '{path}' where question = 'toy'"
    ).fetchall()
    assert found == pytest.approx(float(vectors[2] @ vectors[2]), rel=1e-5)


def test_pandas_reads_it(tmp_path, answers):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    write_hits_parquet(tmp_path / "hits.parquet", answers, np.ones((3, 4), np.float32))
    frame = pandas.read_parquet(tmp_path / "hits.parquet")
    assert frame.query("question == 'red car'")["rank"].tolist() == [1, 2]
    assert frame["vector"].iloc[0].tolist() == [1, 1, 1, 1]


def test_a_name_that_is_no_text_is_in_stored_form(tmp_path):
    write_hits_parquet(tmp_path / "hits.parquet", [answer(hit(path=os.fsdecode(b"\xff.jpg")))])
    [image] = pq.read_table(tmp_path / "hits.parquet")["image"].to_pylist()
    assert real_name(image) == os.fsdecode(b"/photos/\xff.jpg")


def test_no_hit_is_an_empty_table_with_all_columns(tmp_path):
    assert write_hits_parquet(tmp_path / "hits.parquet", [answer()]) == 0
    table = pq.read_table(tmp_path / "hits.parquet")
    assert len(table) == 0
    assert {"question", "image", "rle"} <= set(table.column_names)


def test_vectors_of_other_hits_are_refused(tmp_path, answers):
    with pytest.raises(UsageError, match="2 vectors for 3 hits"):
        write_hits_parquet(tmp_path / "hits.parquet", answers, np.ones((2, 4), np.float32))
    assert not list(tmp_path.iterdir())


def loaded(path):
    """A COCO file as pycocotools has it, which prints when it reads."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def test_pycocotools_finds_photos_questions_and_masks(tmp_path, answers):
    path = tmp_path / "hits.json"
    assert write_hits_coco(path, answers) == 3
    data = loaded(path)
    assert [c["name"] for c in data.loadCats(data.getCatIds())] == ["red car", "toy", "zebra"]
    images = data.loadImgs(data.getImgIds())
    assert [(i["file_name"], i["width"], i["height"]) for i in images] == [
        ("street.jpg", 641, 479),
        ("b/x.jpg", 641, 479),
    ]
    street = data.loadAnns(data.getAnnIds(imgIds=images[0]["id"]))
    assert [data.cats[a["category_id"]]["name"] for a in street] == ["red car", "toy"]
    assert street[0]["score"] == pytest.approx(0.87)
    assert min(data.getAnnIds()) == 1  # COCO's own evaluation takes 0 for none


def test_masks_boxes_and_areas_are_those_of_the_photo_s_pixels(tmp_path, answers):
    write_hits_coco(tmp_path / "hits.json", answers)
    data = loaded(tmp_path / "hits.json")
    rows = (2 * np.arange(479) + 1) * GRID[0] // (2 * 479)
    columns = (2 * np.arange(641) + 1) * GRID[1] // (2 * 641)
    expected = disc(10, 12, 5)[rows[:, None], columns[None]]
    [first, *_] = data.loadAnns(data.getAnnIds(catIds=1))
    np.testing.assert_array_equal(data.annToMask(first), expected)
    assert first["area"] == expected.sum() == coco_mask.area(first["segmentation"])
    assert first["bbox"] == list(coco_mask.toBbox(first["segmentation"]))


def test_questions_of_one_ranking_are_categories_too(tmp_path):
    found = answer(hit(matched="car"), hit(matched="toy", rank=2), question="car or toy")
    write_hits_coco(tmp_path / "hits.json", [found])
    data = loaded(tmp_path / "hits.json")
    assert [c["name"] for c in data.loadCats(data.getCatIds())] == ["car", "toy"]


@pytest.mark.parametrize("write", [write_hits_coco, write_hits_parquet])
def test_a_file_is_replaced_only_when_told_to(write, tmp_path, answers):
    path = tmp_path / "mine"
    path.write_text("keep")
    with pytest.raises(InputError, match="exists"):
        write(path, answers)
    assert path.read_text() == "keep"
    write(path, answers, force=True)
    assert path.read_bytes() != b"keep"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("write", [write_hits_coco, write_hits_parquet])
def test_where_nothing_can_be_written_the_error_names_the_file(write, tmp_path, answers):
    with pytest.raises(InputError, match="nowhere"):
        write(tmp_path / "nowhere" / "hits", answers)
    with pytest.raises(InputError, match="folder"):
        write(tmp_path, answers)
