"""Making pairs end to end, with the teachers, on a handful of photos."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer.count_pairs import main as count
from trainer.human import photo_shards, read_photos, to_pairs
from trainer.make_pairs import main, make_pairs
from trainer.pairs import read_pairs
from usearch.errors import InputError

pytest.importorskip("ai_edge_litert")
pytest.importorskip("ncnn")


def few(shared, folder, sources, each):
    """A small folder of photo shards cut from the large ones."""
    folder.mkdir()
    taken = dict.fromkeys(sources, 0)
    rows, schema = [], None
    for file in photo_shards(shared / "train-data"):
        schema = pq.read_schema(file)
        for row in read_photos(file):
            if taken.get(row["source"], each) < each:
                taken[row["source"]] += 1
                rows.append(dict(row))
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "core-00.parquet")
    return rows


@pytest.mark.slow
def test_pairs_of_a_few_photos(shared, tmp_path, capsys):
    rows = few(shared, tmp_path / "photos", ["cats-dogs", "voc-100", "facades", "instruments"], 4)
    out = tmp_path / "pairs"
    arguments = [
        *("--train-data", str(tmp_path / "photos")),
        *("--teachers", str(shared / "teachers")),
        *("--words", str(shared / "data" / "words" / "words.json")),
        *("--out", str(out)),
        *("--workers", "1"),
    ]
    assert main(arguments) == 0
    images = list(read_pairs(out))
    assert sorted(i.id for i in images) == sorted(r["id"] for r in rows)
    for image in images:
        human = to_pairs(next(r for r in rows if r["id"] == image.id))
        said = [s.texts[0] for s in human.segments if s.kind != "caption"]
        kept = [s.texts[0] for s in image.segments if s.origin.startswith("human") and s.texts]
        assert set(said) <= set(kept), "a human name is never lost"
        assert any(s.kind == "unlabelled" for s in image.segments)
    origins = {s.origin for i in images for s in i.segments}
    assert any("coco-det" in o for o in origins)
    texts = {t for i in images for s in i.segments for t in s.texts}
    assert "animal" in texts

    before = {f.name: f.stat().st_mtime_ns for f in out.glob("*.parquet")}
    assert main(arguments) == 0
    assert {f.name: f.stat().st_mtime_ns for f in out.glob("*.parquet")} == before

    capsys.readouterr()
    assert count([str(out)]) == 0
    table = capsys.readouterr().out
    assert "| **all** |  | 16 |" in table
    assert "| facades | CC BY 4.0 | 4 |" in table


@pytest.mark.slow
def test_the_detectors_boxes_alone(shared, tmp_path):
    rows = few(shared, tmp_path / "photos", ["voc-100", "facades"], 6)
    out = tmp_path / "pairs"
    words = shared / "data" / "words" / "words.json"
    make_pairs([tmp_path / "photos"], shared / "teachers", words, out, workers=1, boxes_only=True)
    images = {i.id: i for i in read_pairs(out)}
    for row in rows:
        image, human = images[row["id"]], to_pairs(row)
        found = [s for s in image.segments if s.origin == "coco-det"]
        assert len(image.segments) == len(human.segments) + len(found)
        for segment in found:
            x0, y0, x1, y1 = segment.box
            assert 0 <= x0 < x1 <= image.width and 0 <= y0 < y1 <= image.height
            assert segment.kind == "box" and 0.5 <= segment.weight <= 1
        if image.source == "facades":  # everything in them is labelled already
            assert not found
    assert any(s.origin == "coco-det" for i in images.values() for s in i.segments)


def test_photos_of_another_folder_can_be_left_out(shared, tmp_path):
    few(shared, tmp_path / "photos", ["coco-tiny"], 2)
    with pytest.raises(InputError, match="no photos"):
        make_pairs(
            [tmp_path / "photos"],
            shared / "teachers",
            shared / "data" / "words" / "words.json",
            tmp_path / "out",
            beside=[tmp_path / "photos"],
        )


def test_mistakes_are_one_line_and_an_exit_code(shared, tmp_path, capsys):
    words = str(shared / "data" / "words" / "words.json")
    base = ["--out", str(tmp_path / "o"), "--words", words, "--train-data", str(tmp_path)]
    assert main([*base, "--teachers", str(tmp_path)]) == 6
    assert "no teacher network" in capsys.readouterr().err
    assert main([*base, "--teachers", str(shared / "teachers")]) == 3
    assert "no photo shards" in capsys.readouterr().err
    assert count([str(tmp_path)]) == 3
    assert "no .parquet files" in capsys.readouterr().err
