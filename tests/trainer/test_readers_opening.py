"""A source is told by its content; large json is read entry by entry."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_files import instances, write_coco, write_json

from trainer.pairs import write_pairs
from trainer.readers import Options, Report, json_stream, open_pairs
from trainer.readers.opening import recognise
from usearch.errors import InputError, UsageError

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), plain) | st.lists(plain), st.integers(1, 40), st.booleans())
def test_entries_are_those_of_the_whole_document(tmp_path_factory, document, chunk, spaced):
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(json.dumps(document, indent=1 if spaced else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        found = list(json_stream.entries(path))
    if isinstance(document, list):
        assert found == [("", row, value) for row, value in enumerate(document)]
        return
    wanted = []
    for key, value in document.items():
        listed = isinstance(value, list) and value
        wanted += [(key, i, v) for i, v in enumerate(value)] if listed else [(key, -1, value)]
    assert found == wanted


@given(st.text(max_size=30))
def test_what_is_no_json_is_refused_and_never_misread(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        with pytest.raises(InputError, match="cannot be read as json"):
            list(json_stream.entries(path))
        return
    if isinstance(whole, dict | list):
        list(json_stream.entries(path))


def coco(**changes):
    return instances() | changes


@pytest.mark.parametrize(
    ("document", "form"),
    [
        (coco(), "instances"),
        (coco(annotations=[{"image_id": 1, "caption": "a"}]), "captions"),
        (coco(annotations=[{"image_id": 1, "segments_info": []}]), "panoptic"),
        (coco(annotations=[]), "instances"),
        ([{"id": 1, "regions": []}], "vg-regions"),
        ([{"image_id": 1, "objects": [], "image_url": "x"}], "vg-objects"),
        ([{"image": "a.jpg", "captions": ["a"]}], "table"),
        ({"a.jpg": [{"rle": "x"}]}, "table"),
    ],
)
def test_json_is_told_by_its_entries(tmp_path, document, form):
    assert recognise(write_json(tmp_path / "x.json", document), Options()) == form


def test_files_and_folders_are_told_by_what_they_hold(tmp_path):
    path = write_coco(tmp_path / "coco", instances())
    (tmp_path / "pairs").mkdir()
    write_pairs(open_pairs(path), tmp_path / "pairs" / "a.parquet")
    assert recognise(tmp_path / "pairs", Options()) == "pairs"
    assert recognise(tmp_path / "pairs" / "a.parquet", Options()) == "pairs"
    (tmp_path / "folder" / "masks").mkdir(parents=True)
    (tmp_path / "folder" / "classes.txt").write_text("a")
    assert recognise(tmp_path / "folder", Options()) == "folder"
    with pytest.raises(InputError, match=r"folder of label files") as error:
        recognise(tmp_path / "coco", Options())
    assert "instances.json" in error.value.hint
    (tmp_path / "x.docx").write_text("")
    for nothing in (tmp_path / "x.docx", tmp_path / "folder" / "masks"):
        with pytest.raises(InputError, match="of no known form"):
            recognise(nothing, Options())
    with pytest.raises(InputError, match="there is no file or folder"):
        recognise(tmp_path / "nowhere", Options())
    with pytest.raises(UsageError, match="no form 'cococo'"):
        list(open_pairs(path, form="cococo"))


def test_a_photo_that_is_there_twice_is_a_problem(tmp_path):
    data = instances()
    data["images"][1]["file_name"] = "001.jpg"
    path = write_coco(tmp_path, data)
    with pytest.raises(InputError, match="the photo 'coco-instances/001' is there twice"):
        list(open_pairs(path))
    assert len(list(open_pairs(path, report=Report(skip_invalid=True)))) == 1


def test_photos_of_one_name_in_two_folders_are_two(tmp_path):
    data = instances()
    for image, part in zip(data["images"], "ab", strict=True):
        image["file_name"] = f"{part}/1.jpg"
    ids = [p.id for p in open_pairs(write_coco(tmp_path, data))]
    assert ids == ["coco-instances/a/1", "coco-instances/b/1"]


def test_pairs_are_given_as_they_are_but_for_what_is_asked(tmp_path):
    photos = list(open_pairs(write_coco(tmp_path, instances())))
    write_pairs(photos, tmp_path / "p.parquet")
    held = list(open_pairs(tmp_path / "p.parquet", split="held", licence="mine"))
    assert {p.split for p in held} == {"held"} and held[0].licence == photos[0].licence
    np.testing.assert_array_equal(held[0].pixels(), photos[0].pixels())
    with pytest.raises(UsageError, match="as they are"):
        list(open_pairs(tmp_path / "p.parquet", max_side=20))
