"""Hits as lines for programs: JSON lines, CSV and paths, read back by others."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
from pathlib import Path

import jsonschema
import pytest
from hit_samples import answer, hit
from hypothesis import given
from hypothesis import strategies as st

from usearch.render.hit_lines import (
    CSV_COLUMNS,
    answer_values,
    csv_lines,
    hit_values,
    json_lines,
    path_bytes,
    path_lines,
)
from usearch.schemas import schema

file_names = st.binary(min_size=1, max_size=20).filter(
    lambda raw: not set(raw) & {0, ord("/")} and raw not in (b".", b"..")
)
LINES = jsonschema.Draft202012Validator(schema("query.lines"))


def read_csv(*answers):
    """What a CSV reader makes of it."""
    text = "".join(f"{line}\r\n" for line in csv_lines(*answers))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_json_lines_are_a_begin_the_hits_and_a_summary_of_each_answer():
    answers = [answer(hit(), hit(rank=2)), answer(question="zebra")]
    lines = [json.loads(line) for line in json_lines(answers)]
    for line in lines:
        LINES.validate(line)
    assert [(line["type"], line["question"]) for line in lines] == [
        ("begin", "red car"),
        ("hit", "red car"),
        ("hit", "red car"),
        ("summary", "red car"),
        ("begin", "zebra"),
        ("summary", "zebra"),
    ]
    assert lines[3]["hits"] == 2
    assert lines[3]["below"] == 2
    assert lines[5]["best"] is None


def test_a_hit_is_the_same_object_in_every_json_form():
    [_, line, _] = map(json.loads, json_lines([answer(hit())]))
    assert line | hit_values(hit()) == line
    assert answer_values(answer(hit()))["hits"] == [hit_values(hit())]


@given(file_names)
def test_the_exact_bytes_of_any_file_name_can_be_had_from_json_and_csv(raw):
    found = hit(path=os.fsdecode(raw))
    exact = b"/photos/" + raw
    values = json.loads(json.dumps(hit_values(found)))
    encoded = values.get("image_base64")
    assert exact == (base64.b64decode(encoded) if encoded else values["image"].encode())
    [row] = read_csv(answer(found))
    encoded = row["image_base64"]
    assert exact == (base64.b64decode(encoded) if encoded else row["image"].encode())


def test_csv_has_a_header_and_a_record_a_hit_of_every_answer():
    rows = read_csv(answer(hit(), hit(rank=2)), answer(hit(), question="zebra"))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [(row["question"], row["rank"]) for row in rows] == [
        ("red car", "1"),
        ("red car", "2"),
        ("zebra", "1"),
    ]
    assert rows[0]["image"] == "/photos/street.jpg"
    assert float(rows[0]["x0"]) == pytest.approx(hit().box[0], abs=0.005)
    assert rows[0]["parent"] == "65536"
    assert read_csv(answer(hit(parent=None)))[0]["parent"] == ""


def test_csv_without_a_hit_is_its_header():
    assert list(csv_lines(answer())) == [",".join(CSV_COLUMNS)]


@given(st.text(max_size=30))
def test_text_of_any_kind_stays_in_its_cell_and_is_no_formula(text):
    found = answer(hit(camera=text, matched=text), question=text)
    lines = list(csv_lines(found))
    assert len(lines) == 2
    assert not any(ord(char) < 32 or char == "\x7f" for char in lines[1])
    [row] = read_csv(found)
    for column in ("question", "matched", "camera"):
        assert not row[column].lstrip().startswith(("=", "+", "-", "@"))
    assert row["rank"] == "1"
    assert row["image"] == "/photos/street.jpg"


def test_paths_are_photos_best_first_and_once():
    found = answer(hit(path="b.jpg"), hit(path="a.jpg"), hit(path="b.jpg"))
    more = answer(hit(path="a.jpg"), hit(path="c.jpg"))
    assert path_lines(found) == ["/photos/b.jpg", "/photos/a.jpg"]
    assert path_lines(found, more) == ["/photos/b.jpg", "/photos/a.jpg", "/photos/c.jpg"]


@given(st.lists(file_names, max_size=5))
def test_with_zero_bytes_paths_are_exact(names):
    paths = [os.fsdecode(b"/photos/" + name) for name in names]
    assert path_bytes(paths, null=True) == b"".join(b"/photos/" + n + b"\0" for n in names)


@given(st.lists(file_names, max_size=5), st.booleans())
def test_without_zero_bytes_a_line_is_a_photo_whatever_its_name(names, terminal):
    paths = [os.fsdecode(b"/photos/" + name) for name in names]
    written = path_bytes(paths, terminal=terminal)
    assert written.count(b"\n") == len(names)
    if terminal:
        assert not set(written) & (set(range(32)) - {10})


def test_bytes_that_are_no_text_reach_a_pipe_as_they_are():
    assert path_bytes([os.fsdecode(b"/p/\xff.jpg")]) == b"/p/\xff.jpg\n"


def test_the_page_on_formats_names_every_key_and_column():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    for key in hit_values(hit()):
        assert f"`{key}`" in page
    assert ", ".join(CSV_COLUMNS) in " ".join(page.split())
