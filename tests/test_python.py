"""Python users: hits as a sequence, as arrays, as a table, as pictures; the page's examples run."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cli import toy_preset
from PIL import Image
from toys import load_toys

from indexer.pipeline import index_photos
from usearch import Hits, any_of, open_store
from usearch.cli.demo import sample_files
from usearch.errors import InputError, ModelError, UsageError
from usearch.masks import decode
from usearch.store import real_name

ROOT = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Two photos of four coloured tiles each."""
    toy_preset.install(monkeypatch)
    toy_preset.quarters(tmp_path / "photos" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "photos" / "b.png", "green", "green", "blue", "blue")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)
    return open_store(tmp_path)


def test_hits_are_a_sequence_that_cannot_be_changed(store):
    hits = store.query("green", k=8, everything=True)
    assert isinstance(hits[1:3], Hits)
    assert list(hits[1:3]) == [hits[1], hits[2]]
    assert hits[-1] is hits[7]
    assert (hits[0] in hits, hits.index(hits[2])) == (True, 2)
    assert hits == store.query("green", k=8, everything=True)
    assert hash(hits) == hash(store.query("green", k=8, everything=True))
    with pytest.raises(TypeError):
        hits[0] = hits[1]
    with pytest.raises(AttributeError):
        hits[0].score = 1.0


def test_hits_are_arrays(store):
    hits = store.query("green", k=8, everything=True)
    assert hits.boxes.shape == (8, 4)
    assert (hits.boxes.dtype, hits.score.dtype, hits.cosine.dtype) == (np.float32,) * 3
    assert (np.diff(hits.cosine) <= 0).all()
    assert hits.segment_ids.tolist() == [hit.segment for hit in hits]
    assert set(hits.photo_ids.tolist()) == {hit.photo for hit in hits}


def test_no_hits_are_arrays_and_a_table_too(store):
    hits = store.query("black")
    assert (len(hits), hits.boxes.shape, hits.score.shape) == (0, (0, 4), (0,))
    assert hits.to_arrow().schema == store.query("green").to_arrow().schema
    assert "nothing" in hits._repr_html_()


def test_a_table_has_a_row_a_hit_and_names_that_any_reader_takes(store, tmp_path):
    shutil.copy(tmp_path / "photos" / "a.png", tmp_path / "photos" / "caf\udce9.png")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    odd = tmp_path / "photos" / "caf\udce9.png"
    hits = open_store(tmp_path).query(any_of("red", odd), k=20, dedupe=True)
    table = hits.to_arrow()
    pa.table(table).validate(full=True)
    assert [real_name(name) for name in table["image"].to_pylist()] == [hit.image for hit in hits]
    assert table["segment_id"].to_pylist() == hits.segment_ids.tolist()
    assert {"red", f"{tmp_path}/photos/caf?.png"} == set(table["matched"].to_pylist())
    assert table["rle"].to_pylist() == [hit.rle for hit in hits]


def test_pandas_takes_the_table(store):
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = store.query("green", k=3).to_pandas()
    assert list(frame["rank"]) == [1, 2, 3]


def test_without_pandas_the_error_says_what_to_do(store, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pandas" else real(name)
    )
    with pytest.raises(ModelError) as error:
        store.query("green").to_pandas()
    assert "pip install pandas" in error.value.hint


def test_crops_and_views_are_taken_when_they_are_asked_for(store, tmp_path):
    hits = store.query("red", k=1)
    crop = hits.crop(0)
    assert (crop.shape, crop.dtype) == ((20, 20, 3), np.uint8)
    assert (crop == toy_preset.COLOURS["red"]).all()
    assert hits.crop(0, margin=0.5).shape == (30, 30, 3)
    assert hits.view(0).ndim == 3
    assert decode(hits[0].rle, hits[0].mask_size).sum() == 400
    (tmp_path / "photos" / "a.png").unlink()
    with pytest.raises(InputError, match="gone"):
        hits.crop(0)
    with pytest.raises(InputError, match="without pictures"):
        Hits(hits).crop(0)


def test_a_notebook_shows_hits_and_runs_nothing_of_their_names(store, tmp_path):
    name = "<img src=x onerror=alert(1)>.png"
    shutil.copy(tmp_path / "photos" / "a.png", tmp_path / "photos" / name)
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    shown = open_store(tmp_path).query("red")._repr_html_()
    assert shown.count("data:image/jpeg;base64,") == 2
    assert "<img src=x" not in shown
    assert "&lt;img src=x onerror" in shown


def test_a_photo_that_is_gone_is_named_in_the_notebook(store, tmp_path):
    hits = store.query("red")
    (tmp_path / "photos" / "a.png").unlink()
    assert "is gone" in hits._repr_html_()


def test_many_hits_show_the_first_and_count_the_rest(store, tmp_path):
    for i in range(14):
        toy_preset.quarters(tmp_path / "photos" / f"{i}.png", "red", "blue", "blue", "blue")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    shown = open_store(tmp_path).query("red", k=15)._repr_html_()
    assert shown.count("<img") == 12
    assert "and 3 more" in shown


def test_every_pixel_gets_a_class_from_the_store_a_file_or_pixels(store, tmp_path, monkeypatch):
    import indexer.presets

    other = toy_preset.quarters(tmp_path / "o.png", "blue", "red", "red", "white", side=60)
    pixels = np.asarray(Image.open(other))
    for image in (other, str(other), pixels):
        found = store.segment(image, ["red", "blue, white"])
        assert found.names == ("red", "blue")
        assert found.labels.shape == (60, 60)
        assert found.mask("red").sum() == 1800
        assert found.shares.classes.tolist() == [0.5, 0.5]
    monkeypatch.setattr(indexer.presets, "load_indexer", None)
    stored = store.segment(tmp_path / "photos" / "a.png", ["red", "blue"], background=["white"])
    assert stored.labels.shape == (40, 40)
    assert stored.shares.background > 0


def test_a_collection_is_photos_times_classes(store, tmp_path):
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    found = store.classify(tmp_path / "names.txt")
    assert (len(found), found.shares.shape, found.counts.sum()) == (2, (2, 3), 8)
    assert found.counts[1].tolist() == [0, 2, 2]
    table = found.to_arrow()
    assert table.column_names == ["photo_id", "image", "red", "green", "blue"]
    assert table["green"].to_pylist()[1] == pytest.approx(0.5)
    assert len(store.classify(["red"], where="path ~ '*b.png'")) == 1


def test_a_class_called_like_a_column_is_told_apart(store):
    found = store.classify(["image", "photo_id"])
    names = found.to_arrow().column_names
    assert names == ["photo_id", "image", "image (class)", "photo_id (class)"]


def test_one_text_is_no_class_list(store):
    with pytest.raises(InputError, match="no list"):
        store.classify("red")


def test_sql_reads_the_store_and_nothing_else(store, tmp_path):
    assert store.sql("SELECT count(*) AS n FROM segments")["n"].to_pylist() == [8]
    assert store.info()["segments"] == 8
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for statement in (
        f"SELECT * FROM '{tmp_path}/secret.csv'",
        f"COPY photos TO '{tmp_path}/out.csv'",
        "SELEC",
    ):
        with pytest.raises(UsageError):
            store.sql(statement)
    assert not (tmp_path / "out.csv").exists()


def test_an_order_that_there_is_not_is_refused(store):
    with pytest.raises(UsageError, match="sorted by 'size'"):
        store.query("red", sort="size")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """Three sample photos, indexed with the bundled model."""
    try:
        found = sample_files()
    except ModelError as error:
        pytest.skip(f"{error.message}: {error.hint}")
    from usearch.cli import main

    folder = tmp_path_factory.mktemp("samples")
    (folder / "photos").mkdir()
    for name in ("coffee.png", "cat.png", "temple.jpg"):
        if name not in found:
            pytest.skip(f"the sample photo {name} is not installed")
        shutil.copy(found[name], folder / "photos" / name)
    store = str(folder / ".usearch")
    assert main(["index", str(folder / "photos"), "--store", store, "--workers", "1"]) == 0
    return folder


EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL
)


def test_the_page_has_three_examples():
    assert len(EXAMPLES) == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_an_example_of_the_page_runs_as_it_stands(number, sampled, monkeypatch, capsys):
    monkeypatch.chdir(sampled)
    code = compile(EXAMPLES[number], f"docs/python.md, example {number + 1}", "exec")
    exec(code, {"__name__": "__main__"})
    assert "Error" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path, loopback):
    client = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    try:
        sample_files()
    except ModelError as error:
        pytest.skip(f"{error.message}: {error.hint}")
    notebook = nbformat.read(ROOT / "examples" / "search_photos.ipynb", as_version=4)
    client.NotebookClient(
        notebook,
        timeout=240,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    shown = [
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    ]
    assert shown.count("text/html") >= 3
    assert "image/png" in shown
