"""The pairs format: what is written is read back, and what is broken is named."""

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco

from trainer.human import is_commercial, photo_shards, read_photos, to_pairs
from trainer.pairs import (
    SCHEMA,
    PairImage,
    PairSegment,
    counts_by,
    read_pairs,
    split_of,
    write_pairs,
)
from usearch import masks
from usearch.errors import InputError


def jpeg(width=40, height=30, colour=(200, 30, 30)):
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


def a_mask():
    mask = np.zeros((30, 40), bool)
    mask[5:20, 10:25] = True
    return mask


def a_segment(**changes):
    values = {
        "kind": "object",
        "origin": "human",
        "box": (10.0, 5.0, 25.0, 20.0),
        "rle": masks.encode(a_mask()),
        "texts": ("cat", "animal"),
        "text_weights": (1.0, 0.25),
        "soft": (("tabby cat", 0.5), ("cat", 0.25)),
        "weight": 0.75,
    }
    return PairSegment(**(values | changes))


def an_image(*segments, **changes):
    values = {
        "id": "made/1",
        "source": "made",
        "licence": "CC0",
        "jpeg": jpeg(),
        "width": 40,
        "height": 30,
        "segments": segments,
    }
    return PairImage(**(values | changes))


def test_photos_are_read_back_as_written(tmp_path):
    boxed = PairSegment("box", "coco-det", (0.0, 0.0, 3.5, 4.25), None, ("dog",), (1.0,))
    bare = PairSegment("unlabelled", "tree", (0.0, 0.0, 40.0, 30.0))
    images = [
        an_image(a_segment(), boxed, bare),
        an_image(id="made/2", boundary=b"png"),
    ]
    write_pairs(images, tmp_path / "a.parquet")
    assert list(read_pairs(tmp_path / "a.parquet")) == images


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path):
    for name in ("b", "a", "c"):
        write_pairs([an_image(id=name)], tmp_path / f"{name}.parquet")
    assert [i.id for i in read_pairs(tmp_path)] == ["a", "b", "c"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_independent_reader_sees_the_same_mask(tmp_path):
    write_pairs([an_image(a_segment())], tmp_path / "a.parquet")
    row = pq.read_table(tmp_path / "a.parquet").to_pylist()[0]
    segment = row["segments"][0]
    decoded = coco.decode({"size": [row["height"], row["width"]], "counts": segment["rle"]})
    np.testing.assert_array_equal(decoded.astype(bool), a_mask())
    np.testing.assert_array_equal(a_segment().mask(30, 40), a_mask())


@given(
    st.tuples(st.floats(0, 39), st.floats(0, 29), st.floats(0.1, 40), st.floats(0.1, 30)),
)
def test_the_mask_of_a_box_is_never_empty_and_stays_inside_its_pixels(values):
    x0, y0, w, h = values
    box = (x0, y0, min(40.0, x0 + w), min(30.0, y0 + h))
    mask = PairSegment("box", "human", box, texts=("a",), text_weights=(1.0,)).mask(30, 40)
    ys, xs = np.nonzero(mask)
    assert len(ys) > 0
    assert xs.min() == int(x0) and ys.min() == int(y0)
    assert xs.max() <= max(int(x0), box[2]) and ys.max() <= max(int(y0), box[3])


@pytest.mark.parametrize(
    ("segment", "field"),
    [
        (a_segment(box=(10.0, 5.0, 60.0, 20.0)), "box"),
        (a_segment(box=(10.0, 5.0, 10.0, 20.0)), "box"),
        (a_segment(kind="thing"), "kind"),
        (a_segment(weight=float("nan")), "weight"),
        (a_segment(weight=0.0), "weight"),
        (a_segment(texts=("cat",)), "text_weights"),
        (a_segment(texts=("cat", "  ")), "texts"),
        (a_segment(texts=(), text_weights=(), soft=()), "texts"),
        (a_segment(rle=b"!!"), "rle"),
        (a_segment(rle=masks.encode(np.zeros((30, 40), bool))), "rle"),
        (a_segment(rle=masks.encode(np.ones((30, 41), bool))), "rle"),
    ],
)
def test_a_bad_segment_is_refused_with_file_row_and_field(tmp_path, segment, field):
    path = tmp_path / "bad.parquet"
    with pytest.raises(InputError) as error:
        write_pairs([an_image(), an_image(a_segment(), segment)], path)
    assert f"bad.parquet, row 1, segments[1].{field}" in error.value.message
    assert not path.exists()


def test_a_bad_row_of_a_foreign_file_is_named_when_read(tmp_path):
    row = dict.fromkeys(SCHEMA.names)
    row |= {"id": "x", "width": 4, "height": 4, "jpeg": b"GIF89a", "segments": []}
    pq.write_table(pa.Table.from_pylist([row], SCHEMA), tmp_path / "f.parquet")
    with pytest.raises(InputError, match=r"f\.parquet, row 0, jpeg"):
        list(read_pairs(tmp_path / "f.parquet"))


def test_other_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(read_pairs(tmp_path / "text.parquet"))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="lacks the column 'id'"):
        list(read_pairs(tmp_path / "other.parquet"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.parquet files"):
        list(read_pairs(tmp_path / "empty"))


def test_the_split_is_fixed_and_holds_out_a_few_percent():
    parts = [split_of(f"source/{i}") for i in range(4000)]
    assert parts == [split_of(f"source/{i}") for i in range(4000)]
    assert 0.015 < parts.count("held") / 4000 < 0.05
    assert an_image().split in ("train", "held")
    assert replace(an_image(), split="held").split == "held"


def test_counts_are_by_source_and_kind():
    table = counts_by([an_image(a_segment(), a_segment()), an_image(source="b")])
    assert table["made"]["photos"] == 1 and table["made"]["object"] == 2
    assert table["b"]["photos"] == 1 and table["b"]["object"] == 0


def photo_row(**changes):
    values = {
        "id": "made/1",
        "source": "made",
        "jpeg": jpeg(),
        "width": 40,
        "height": 30,
        "names": ["kitchen", "chef", "Pan-lid"],
        "captions": ["A chef in a kitchen."],
        "regions": [
            {"name": "Pan-lid", "box": [0.25, 1 / 6, 0.625, 2 / 3], "rle": None, "kind": "box"},
            {
                "name": "wall",
                "box": [0.0, 0.0, 1.0, 1.0],
                "rle": masks.encode(a_mask()).decode(),
                "kind": "semantic",
            },
            {"name": "other", "box": [0.0, 0.0, 1.0, 1.0], "rle": None, "kind": "box"},
        ],
        "boundary": None,
        "licence": "CC BY 4.0",
    }
    return values | changes


def test_human_labels_become_segments_of_their_kind():
    image = to_pairs(photo_row())
    by_kind = {s.kind: s for s in image.segments}
    assert set(by_kind) == {"box", "stuff", "image", "scene", "caption"}
    assert by_kind["box"].texts == ("pan lid",)
    np.testing.assert_allclose(by_kind["box"].box, (10, 5, 25, 20), atol=1e-4)
    assert by_kind["stuff"].box == (10.0, 5.0, 25.0, 20.0)  # of the mask, not as stated
    assert by_kind["image"].texts == ("chef",)
    assert by_kind["scene"].texts == ("kitchen",)
    assert by_kind["scene"].weight < by_kind["image"].weight < by_kind["box"].weight


def test_names_that_say_little_weigh_less():
    regions = [
        {"name": n, "box": [0.0, 0.0, 1.0, 1.0], "rle": None, "kind": "box"}
        for n in ("dog", "mammal")
    ]
    dog, mammal = to_pairs(photo_row(names=[], captions=[], regions=regions)).segments
    assert mammal.weight < dog.weight


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC BY 4.0", True),
        ("none stated", True),
        ("CC BY-NC-SA 2.0", False),
        ("terms ask for non-commercial research use", False),
        ("Noncommercial", False),
        ("photo CC BY 2.0, http://x/SYNC.jpg", True),
    ],
)
def test_non_commercial_terms_are_recognised(licence, free):
    assert is_commercial(licence) is free


def test_photos_under_non_commercial_terms_are_left_out_by_default(tmp_path):
    rows = [photo_row(), photo_row(id="made/2", licence="CC BY-NC 2.0")]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "core-00.parquet")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "core-imagenet-00.parquet")
    assert [f.name for f in photo_shards(tmp_path)] == ["core-00.parquet"]
    kept = [r["id"] for f in photo_shards(tmp_path) for r in read_photos(f)]
    assert kept == ["made/1"]
    with_all = [r["id"] for f in photo_shards(tmp_path, True) for r in read_photos(f, True)]
    assert len(with_all) == 4


def test_a_folder_without_photo_shards_is_refused(tmp_path):
    with pytest.raises(InputError, match="no photo shards"):
        photo_shards(tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="lacks the column 'id'"):
        list(read_photos(tmp_path / "x.parquet"))
