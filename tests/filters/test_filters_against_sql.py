"""A filter lets through what DuckDB lets through, asked the same in SQL.

Filters and SQL are drawn together. In SQL a missing value makes a test unknown; here it is
false, so every test in SQL is wrapped in coalesce.
"""

from __future__ import annotations

import fnmatch
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filter_samples import CAMERAS, DATES, NAMES
from hypothesis import given, settings
from hypothesis import strategies as st

from usearch.filters import matching_rows, parse_filter
from usearch.filters.columns import COLUMNS
from usearch.filters.globs import glob_regex
from usearch.store import Snapshot
from usearch.store.names import stored_name

WIDTH, HEIGHT = "p.width::FLOAT", "p.height::FLOAT"
REAL = {
    "area_share": "s.area_share",
    "area": "s.area_share",
    "left": f"s.x0 / {WIDTH}",
    "right": f"s.x1 / {WIDTH}",
    "top": f"s.y0 / {HEIGHT}",
    "bottom": f"s.y1 / {HEIGHT}",
    "center_x": f"(s.x0 + s.x1) / (2::FLOAT * {WIDTH})",
    "center_y": f"(s.y0 + s.y1) / (2::FLOAT * {HEIGHT})",
    "x0": "s.x0",
    "y0": "s.y0",
    "x1": "s.x1",
    "y1": "s.y1",
    "box_width": "s.x1 - s.x0",
    "box_height": "s.y1 - s.y0",
    "aspect": "(s.x1 - s.x0) / (s.y1 - s.y0)",
    "segmenter_score": "s.score",
}
WHOLE = {
    "depth": "s.depth",
    "parent": "s.parent",
    "segment": "s.segment_id",
    "photo": "s.photo_id",
    "width": "p.width",
    "height": "p.height",
    "pixels": "p.width::BIGINT * p.height",
    "bytes": "p.bytes",
}
PRECISION = {4: "year", 7: "month", 10: "day", 16: "minute", 19: "second"}
BORDER = "s.x0 < 0.5 or s.y0 < 0.5 or p.width::FLOAT - s.x1 < 0.5 or p.height::FLOAT - s.y1 < 0.5"

Pair = tuple[str, str]
OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "==", "<>"])


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def quoted(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote


def known(sql: str) -> str:
    return f"coalesce({sql}, false)"


@st.composite
def number_tests(draw: st.DrawFn) -> Pair:
    real = draw(st.booleans())
    name = draw(st.sampled_from(sorted(REAL if real else WHOLE)))
    expression = (REAL if real else WHOLE)[name]
    percent = real and name in ("area", "left", "center_y") and draw(st.booleans())
    steps = st.integers(-20, 220) | st.integers(-(10**6), 10**7)
    numbers = draw(st.lists(steps, min_size=3, max_size=3))
    values = [Fraction(n, 100 if real else draw(st.sampled_from([1, 2]))) for n in numbers]
    values = sorted(values)

    def text(value: Fraction) -> str:
        return (
            f"{float(value * 100):.10f}".rstrip("0").rstrip(".") + "%"
            if percent
            else decimal(value)
        )

    def sql(value: Fraction) -> str:
        return f"{float(value)!r}::DOUBLE::FLOAT" if real else f"{decimal(value)}::DECIMAL(30, 2)"

    shape = draw(st.sampled_from(["compare", "between", "in", "not in", "not between"]))
    if shape == "compare":
        op = draw(OPERATORS)
        return f"{name} {op} {text(values[1])}", known(f"({expression}) {op} {sql(values[1])}")
    negated = "not " if shape.startswith("not") else ""
    if "between" in shape:
        ends = text(values[0]), text(values[2])
        sides = f"{sql(values[0])} and {sql(values[2])}"
        return (
            f"{name} {negated}between {ends[0]} and {ends[1]}",
            known(f"({expression}) {negated}between {sides}"),
        )
    return (
        f"{name} {negated}in ({', '.join(map(text, values))})",
        known(f"({expression}) {negated}in ({', '.join(map(sql, values))})"),
    )


def decimal(value: Fraction) -> str:
    found = f"{float(value):.2f}".rstrip("0").rstrip(".")
    return found if found not in ("-0", "") else "0"


@st.composite
def text_tests(draw: st.DrawFn) -> Pair:
    name = draw(st.sampled_from(["camera", "path", "root"]))
    texts = {"camera": CAMERAS[1:], "path": NAMES, "root": ("/photos", "/other place")}[name]
    values = draw(st.lists(st.sampled_from(texts) | st.text("ab '\"", max_size=4), min_size=1))
    written = [quoted(v, draw(st.sampled_from("'\""))) for v in values]
    stored = [literal(stored_name(v)) for v in values]
    column = f"p.{name}"
    if draw(st.booleans()):
        op = draw(st.sampled_from(["=", "!="]))
        return f"{name} {op} {written[0]}", known(f"{column} {op} {stored[0]}")
    negated = draw(st.sampled_from(["", "not "]))
    return (
        f"{name} {negated}in ({','.join(written)})",
        known(f"{column} {negated}in ({','.join(stored)})"),
    )


@st.composite
def glob_tests(draw: st.DrawFn) -> Pair:
    name, glob = draw(
        st.sampled_from(
            [
                ("camera", "*EOS*"),
                ("camera", "?pple*"),
                ("camera", "*カメ*"),
                ("root", "/other*"),
                ("root", "*[o-q]hotos"),
            ]
        )
    )
    sign = draw(st.sampled_from(["~", "!~"]))
    found = f"lower(p.{name}) glob {literal(glob.lower())}"
    return f'{name} {sign} "{glob}"', known(found if sign == "~" else f"not ({found})")


@st.composite
def date_tests(draw: st.DrawFn) -> Pair:
    dates = [d for d in DATES if d] + ["2024-05-06T12:30:45", "2025-01-01T00:00:00"]
    found = [
        draw(st.sampled_from(dates))[: draw(st.sampled_from(sorted(PRECISION)))] for _ in range(2)
    ]

    def instant(date: str) -> str:
        return f"TIMESTAMP '{date + '0000-01-01T00:00:00'[len(date) :]}'"

    def at(date: str) -> str:
        return f"date_trunc('{PRECISION[len(date)]}', p.taken_at::TIMESTAMP)"

    if draw(st.booleans()):
        low, high = found
        if instant(low) > instant(high):
            low, high = high, low
        sql = f"{at(low)} >= {instant(low)} and {at(high)} <= {instant(high)}"
        return f"taken between {low} and {high}", known(sql)
    op = draw(OPERATORS)
    return f"taken_at {op} {found[0]}", known(f"{at(found[0])} {op} {instant(found[0])}")


PLAIN: list[Pair] = [
    ("touches_border", known(BORDER)),
    ("has camera", "p.camera is not null"),
    ("camera is null", "p.camera is null"),
    ("has taken", "p.taken_at is not null"),
    ("parent is not null", "s.parent is not null"),
    ("NOT has Parent", "s.parent is null"),
]
TESTS = number_tests() | text_tests() | glob_tests() | date_tests() | st.sampled_from(PLAIN)


def joined(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    def join(word: str, parts: list[Pair]) -> Pair:
        texts, sqls = zip(*parts, strict=True)
        return (
            f" {word} ".join(f"({t})" for t in texts),
            f" {word} ".join(f"({s})" for s in sqls),
        )

    return st.builds(
        join, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)
    ) | (inner.map(lambda pair: (f"not ({pair[0]})", f"not ({pair[1]})")))


FILTERS = st.recursive(TESTS, joined, max_leaves=5)


@settings(max_examples=100)
@given(FILTERS)
def test_a_filter_is_what_sql_says(snapshot: Snapshot, pair: Pair) -> None:
    text, sql = pair
    rows = matching_rows(snapshot, parse_filter(text))
    truth = _connection(snapshot).execute(
        f"select s.row from segments s join photos p using (photo_id) where {sql} order by 1"
    )
    assert rows.dtype == np.int64
    assert rows.tolist() == [row for (row,) in truth.fetchall()]


@given(FILTERS)
def test_a_filter_written_out_is_the_same_filter(pair: Pair) -> None:
    condition = parse_filter(pair[0])
    again = parse_filter(str(condition))
    assert again == condition
    assert str(again) == str(condition)


@given(FILTERS)
def test_a_filter_and_its_opposite_are_everything(snapshot: Snapshot, pair: Pair) -> None:
    yes = matching_rows(snapshot, parse_filter(pair[0]))
    no = matching_rows(snapshot, parse_filter(f"not ({pair[0]})"))
    assert np.sort(np.concatenate([yes, no])).tolist() == snapshot.live_rows().tolist()


def test_sql_knows_every_column() -> None:
    others = {"touches_border", "path", "root", "camera", "taken_at"}
    assert {c.name for c in COLUMNS} == (set(REAL) | set(WHOLE) | others) - {"area"}


SOME = st.text("abcA-]/[!^é\n.\\*?", max_size=8)


@settings(max_examples=300)
@given(SOME, SOME.map(lambda t: t.replace("*", "").replace("?", "")))
def test_globs_are_those_of_fnmatch_without_case(glob: str, text: str) -> None:
    found = pc.match_substring_regex(pa.array([text]), glob_regex(glob))[0].as_py()
    assert found == fnmatch.fnmatchcase(text.lower(), glob.lower())


_open: dict[int, object] = {}


def _connection(snapshot: Snapshot):
    if id(snapshot) not in _open:
        _open[id(snapshot)] = snapshot.connect()
    return _open[id(snapshot)]
