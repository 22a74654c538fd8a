"""Tables of unknown make: columns are understood by name and value, and it is said how."""

import collections
import csv
import json
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from label_files import block, list_rle, photo, rle, text_rle

from trainer.readers import Report, open_pairs
from usearch.errors import InputError, UsageError

CAT, SKY = block(), block(0, 0, 40, 4)


def opened(path, **options):
    return list(open_pairs(path, **options))


def photos(tmp_path):
    for number in (9, 25):
        photo(tmp_path / "images" / f"{number:012d}.jpg")


def check(found):
    """Both masks with their texts, of photo 9."""
    (only,) = found
    assert only.id.endswith("/000000000009")
    cat, sky = only.segments
    assert cat.texts == ("cat", "a sleeping cat") and sky.texts == ("sky",)
    np.testing.assert_array_equal(cat.mask(30, 40), CAT)
    np.testing.assert_array_equal(sky.mask(30, 40), SKY)


def side_by_side(mask_of=text_rle, name="000000000009.jpg"):
    return {
        "file_name": name,
        "masks": [mask_of(CAT), mask_of(SKY)],
        "captions": [["cat", "a sleeping cat"], ["sky"]],
        "stability": [0.9, 0.8],
    }


def objects(mask_of=text_rle):
    return {
        "image_id": 9,
        "segments": [
            {"segmentation": mask_of(CAT), "texts": ["cat", "a sleeping cat"], "score": 0.5},
            {"segmentation": mask_of(SKY), "texts": ["sky"], "score": 0.25},
        ],
    }


def rows(mask_of=text_rle):
    return [
        {"image": "000000000009", "rle": mask_of(CAT), "phrases": ["cat", "a sleeping cat"]},
        {"image": "000000000009", "rle": mask_of(SKY), "phrases": ["sky"]},
    ]


def bare(mask):
    return rle(mask)["counts"]  # bytes, the size is the photo's


WRITERS = {
    "lists side by side in Parquet": (
        "t.parquet",
        lambda p: pq.write_table(pa.Table.from_pylist([side_by_side()]), p),
    ),
    "bytes in Parquet": (
        "t.parquet",
        lambda p: pq.write_table(pa.Table.from_pylist([side_by_side(bare)]), p),
    ),
    "objects in Parquet": (
        "t.parquet",
        lambda p: pq.write_table(pa.Table.from_pylist([objects()]), p),
    ),
    "a segment a row in Parquet": (
        "t.parquet",
        lambda p: pq.write_table(pa.Table.from_pylist(rows(list_rle)), p),
    ),
    "a list in json": ("t.json", lambda p: p.write_text(json.dumps([objects()]))),
    "an object by photo in json": (
        "t.json",
        lambda p: p.write_text(json.dumps({"000000000009.jpg": side_by_side(name=None)})),
    ),
    "lists by photo in json": (
        "t.json",
        lambda p: p.write_text(json.dumps({"9": objects()["segments"]})),
    ),
    "lines of json": (
        "t.jsonl",
        lambda p: p.write_text("\n".join(json.dumps(row) for row in rows()) + "\n\n"),
    ),
    "cells of json in CSV": ("t.csv", lambda p: as_csv(p, rows())),
    "a pickle with bytes": ("t.pkl", lambda p: p.write_bytes(pickle.dumps([objects(rle)]))),
    "a pickle with arrays": (
        "t.pkl",
        lambda p: p.write_bytes(pickle.dumps([side_by_side(np.asarray)])),
    ),
    "an old pickle": (
        "t.pickle",
        lambda p: p.write_bytes(pickle.dumps({9: objects(rle)["segments"]}, protocol=2)),
    ),
    "a zip of pickles, one a photo": ("use_labels.zip", lambda p: as_zip(p)),
}


def as_csv(path, records):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(records[0]))
        table.writeheader()
        table.writerows(
            {k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()}
            for row in records
        )


def as_zip(path):
    value = collections.OrderedDict(objects(rle))
    del value["image_id"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("use_labels/", "")
        archive.writestr("__MACOSX/use_labels/._000000000009.pkl", "x")
        archive.writestr("use_labels/000000000009.pkl", pickle.dumps(value))


@pytest.mark.parametrize("case", WRITERS)
def test_tables_of_many_makes_give_the_same_pairs(tmp_path, case):
    photos(tmp_path)
    name, write = WRITERS[case]
    write(tmp_path / name)
    check(opened(tmp_path / name))


def test_a_folder_of_files_is_a_table(tmp_path):
    photos(tmp_path)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "000000000009.pkl").write_bytes(pickle.dumps(objects(rle)["segments"]))
    check(opened(tmp_path / "labels", images=tmp_path / "images"))


def test_what_was_understood_is_said(tmp_path):
    photos(tmp_path)
    pq.write_table(pa.Table.from_pylist([side_by_side()]), tmp_path / "use.parquet")
    said = []
    opened(tmp_path / "use.parquet", report=Report(tell=said.append))
    assert said[:5] == [
        "use.parquet: a table: one row a photo, its segments in lists side by side",
        "  photo: 'file_name', text",
        "  masks: 'masks', lists of COCO run lengths (compressed)",
        "  texts: 'captions', lists of lists of text",
        "  not used: 'stability'",
    ]


def test_names_come_before_phrases_and_several_columns_are_joined(tmp_path):
    photos(tmp_path)
    record = objects()
    for segment, name in zip(record["segments"], ("cat", "sky"), strict=True):
        segment["category"] = name
        segment["texts"] = [name.upper(), f"the {name}"]
    (tmp_path / "t.json").write_text(json.dumps([record]))
    (only,) = opened(tmp_path / "t.json")
    assert [s.texts for s in only.segments] == [("cat", "the cat"), ("sky", "the sky")]


def test_photos_inside_a_table_need_no_folder(tmp_path):
    data = photo(tmp_path / "x.jpg").read_bytes()
    record = objects() | {"image_id": 1, "image": {"bytes": data, "path": "000000000009.jpg"}}
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "t.parquet")
    found = opened(tmp_path / "t.parquet")
    check(found)
    assert found[0].jpeg == data


def test_rows_of_a_photo_may_stand_apart(tmp_path):
    photos(tmp_path)
    first, second = rows()
    other = first | {"image": "000000000025"}
    lines = [json.dumps(row) for row in (first, other, second)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    found = opened(tmp_path / "t.jsonl")
    assert [len(p.segments) for p in found] == [2, 1]


def test_boxes_are_used_where_there_is_no_mask(tmp_path):
    photos(tmp_path)
    record = {
        "image_id": 9,
        "height": 30,
        "width": 40,
        "objects": [
            {"bbox": [30, 20, 8, 9], "label": "cat"},
            {"bbox": [2, 3, 5, 6], "label": "dog"},
        ],
    }
    (tmp_path / "t.json").write_text(json.dumps([record]))
    (only,) = opened(tmp_path / "t.json")
    assert [s.box for s in only.segments] == [(30, 20, 38, 29), (2, 3, 7, 9)]


@pytest.mark.parametrize(
    ("column", "value"), [("bbox", [20, 15, 38, 29]), ("bbox_xyxy", [2, 3, 5, 6])]
)
def test_boxes_are_corners_by_name_or_because_they_would_leave_the_photo(tmp_path, column, value):
    photos(tmp_path)
    record = {"image_id": 9, "height": 30, "width": 40, "objects": [{column: value, "label": "a"}]}
    (tmp_path / "t.json").write_text(json.dumps([record]))
    report = Report()
    (only,) = opened(tmp_path / "t.json", report=report)
    assert only.segments[0].box == tuple(value)
    assert any("x0 y0 x1 y1" in line for line in report.understood)


def test_captions_alone_are_texts_of_whole_photos(tmp_path):
    photos(tmp_path)
    record = {"image": "images/000000000009.jpg", "captions": ["a cat", "", "A cat"]}
    (tmp_path / "captions.json").write_text(json.dumps([record]))
    (only,) = opened(tmp_path / "captions.json")
    assert [(s.kind, s.texts) for s in only.segments] == [("caption", ("a cat",))]


def test_stated_parts_and_terms_are_kept(tmp_path):
    photos(tmp_path)
    records = [
        objects() | {"image_id": 9, "split": "val2017", "license": "CC0"},
        objects() | {"image_id": 25, "split": "train2017", "license": "CC0"},
    ]
    (tmp_path / "t.json").write_text(json.dumps(records))
    assert [(p.split, p.licence) for p in opened(tmp_path / "t.json")] == [
        ("held", "CC0"),
        ("train", "CC0"),
    ]


def test_columns_that_are_not_understood_are_listed_and_can_be_named(tmp_path):
    photos(tmp_path)
    record = {"pic": "000000000009.jpg", "shape": text_rle(CAT), "words": ["cat"]}
    (tmp_path / "t.json").write_text(json.dumps([record]))
    with pytest.raises(InputError, match="no column names the photo") as error:
        opened(tmp_path / "t.json")
    assert "'pic', text; 'shape', COCO run lengths (compressed)" in error.value.message
    assert "--column photo=NAME" in error.value.hint
    with pytest.raises(InputError, match="no column has texts"):
        opened(tmp_path / "t.json", columns={"photo": "pic"})
    named = {"photo": "pic", "mask": "shape", "texts": "words"}
    (only,) = opened(tmp_path / "t.json", columns=named)
    np.testing.assert_array_equal(only.segments[0].mask(30, 40), CAT)
    with pytest.raises(UsageError, match="no column 'wrods'"):
        opened(tmp_path / "t.json", columns=named | {"texts": "wrods"})
    with pytest.raises(UsageError, match="'colour' is no role"):
        opened(tmp_path / "t.json", columns={"colour": "pic"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"captions": [["cat"]]}, "row 1: lists of different lengths: 2 'masks', 1 'captions'"),
        ({"file_name": "nowhere.jpg"}, "row 1.file_name: there is no photo nowhere.jpg"),
        ({"file_name": ""}, "row 1.file_name: '' names no photo"),
        (
            {"masks": [text_rle(block(size=(31, 40))), text_rle(SKY)]},
            "row 1, [0].masks: mask of size [31, 40] (height, width) in a photo of 40 x 30",
        ),
    ],
)
def test_what_is_wrong_with_a_row_is_named(tmp_path, change, words):
    photos(tmp_path)
    records = [side_by_side(), side_by_side(name="000000000025.jpg") | change]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "t.parquet")
    with pytest.raises(InputError) as error:
        opened(tmp_path / "t.parquet")
    assert words in error.value.message
    assert len(opened(tmp_path / "t.parquet", report=Report(skip_invalid=True))) >= 1


def test_names_of_photos_never_lead_out_of_their_folder(tmp_path):
    photos(tmp_path)
    photo(tmp_path / "secret.jpg")
    records = [
        side_by_side(name="/home/someone/data/train2017/000000000009.jpg"),
        side_by_side(name="../secret.jpg"),
    ]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "t.parquet")
    report = Report(skip_invalid=True)
    check(opened(tmp_path / "t.parquet", images=tmp_path / "images", report=report))
    assert "there is no photo ../secret.jpg" in report.problems[0]


class Hostile:
    """A pickle of this runs a program when it is read carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("wrap", [lambda h: h, lambda h: [{"image_id": 9, "masks": [h]}]])
def test_a_pickle_that_runs_something_is_refused_before_it_does(tmp_path, wrap):
    mark = tmp_path / "it ran"
    (tmp_path / "t.pkl").write_bytes(pickle.dumps(wrap(Hostile(mark))))
    with pytest.raises(InputError, match="cannot be read as a pickle of plain data"):
        opened(tmp_path / "t.pkl")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.pkl", b"no pickle"),
        ("t.zip", b"no zip"),
        ("t.parquet", b"no parquet"),
        ("t.jsonl", b'{"a": 1}\n{'),
        ("t.json", b"[1, 2]"),
    ],
)
def test_broken_tables_are_refused_in_a_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        opened(tmp_path / name)
