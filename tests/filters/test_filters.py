"""The language of filters: what is understood, what is refused, and where the caret stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import filter_samples
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch.cli.output import complain
from usearch.errors import StoreError, UsageError
from usearch.filters import matching_rows, parse_filter
from usearch.filters.columns import COLUMNS, UNIT_NAMES
from usearch.store import Snapshot, open_snapshot

DOCS = Path(__file__).parents[2] / "docs" / "filters.md"


def paths(snapshot: Snapshot, text: str) -> set[str]:
    """Paths of the photos with a segment that a filter lets through."""
    rows = matching_rows(snapshot, parse_filter(text))
    owners = set(snapshot.stored_segments(rows)["photo_id"].to_pylist())
    return {r.path for r in snapshot.photo_records() if r.photo_id in owners}


def count(snapshot: Snapshot, text: str) -> int:
    return len(matching_rows(snapshot, parse_filter(text)))


@pytest.fixture(scope="session")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """One photo for each date, named after it; one without."""
    path = tmp_path_factory.mktemp("dated") / "s"
    rng = np.random.default_rng(0)
    samples = filter_samples.store_samples
    with samples.writer(path) as writer:
        writer.add(
            [
                samples.IndexedPhoto(
                    samples.row(date or "none", taken_at=date),
                    samples.segments(rng, 2),
                    samples.unit(rng, 2),
                )
                for date in filter_samples.DATES
            ]
        )
    return open_snapshot(path)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("taken in 2024", ["2024-01-01", "2024-02-29", "2024-05-06", "2024-05-07"]),
        ("taken in 2024-02", ["2024-02-29"]),
        ("taken = 2024-05-06", ["2024-05-06T00:00:00", "2024-05-06T23:59:59"]),
        ("taken <= 2024-05-06", ["2023", "2024-01", "2024-02", "2024-05-06"]),
        ("taken < 2024-05-06", ["2023", "2024-01", "2024-02"]),
        ("taken > 2024-05-06", ["2024-05-07", "9999"]),
        ("taken >= 2024-05-06", ["2024-05-06", "2024-05-07", "9999"]),
        ("taken between 2023 and 2024-02-29", ["2023", "2024-01", "2024-02"]),
        ("taken between 2024-05-06 and 2024-05-06", ["2024-05-06"]),
        ("taken in (2023-12-31, 2024-05-07)", ["2023", "2024-05-07"]),
        ('taken = "2024-05-06 23:59"', ["2024-05-06T23:59:59"]),
        ("taken = 2024-05-06T23:59:58", []),
        ("taken in 9999-12-31", ["9999"]),
        ("taken > 9999", []),
        ("taken != 2024", ["2023", "9999"]),
        ("not taken = 2024", ["2023", "9999", "none"]),
        ("not has taken", ["none"]),
        ("taken is null", ["none"]),
    ],
)
def test_a_date_is_all_of_its_time(dated: Snapshot, text: str, days: list[str]) -> None:
    every = {date or "none" for date in filter_samples.DATES}
    expected = {d for d in every if any(d.startswith(day) for day in days)}
    assert paths(dated, text) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('path ~ "2024/*"', {"2024/05/IMG_1.jpg", "2024/06/img_2.JPG"}),
        ('path ~ "2024/*.jpg" and photo < 10', {"2024/05/IMG_1.jpg", "2024/06/img_2.JPG"}),
        ('path ~ "img_?.jpg" and photo < 10', {"2024/05/IMG_1.jpg", "2024/06/img_2.JPG"}),
        ("path ~ '[[]set].jpg' and photo < 10", {"[set].jpg"}),
        ("path ~ '日*' and photo < 10", {"日本/写真.jpg"}),
        ("path = 'bytes \udcff\udcfe.jpg'", {"bytes \udcff\udcfe.jpg"}),
        ("path ~ 'bytes ??.jpg' and photo < 10", {"bytes \udcff\udcfe.jpg"}),
        ("path ~ 'bytes \udcff*' and photo < 10", {"bytes \udcff\udcfe.jpg"}),
        ("path = 'a b/c''d.jpg'", {"a b/c'd.jpg"}),
        ('path = "quo""te.png"', {'quo"te.png'}),
        ("path = 'line\nbreak.jpg'", {"line\nbreak.jpg"}),
        ("path ~ 'line*break.jpg' and photo < 10", {"line\nbreak.jpg"}),
        ("path = 'back\\slash.jpg'", {"back\\slash.jpg"}),
        ("path ~ 'moved/*'", {"moved/21.jpg", "moved/15.jpg"}),
        ("path = '/photos/plain.jpg'", set()),
        ("path = '/other place/plain.jpg'", {"plain.jpg"}),
        ("path ~ '/OTHER*/plain.jpg' and photo < 10", {"plain.jpg"}),
        ("path = 'PLAIN.jpg'", set()),
    ],
)
def test_names_of_every_kind_are_found(snapshot: Snapshot, text: str, found: set[str]) -> None:
    assert paths(snapshot, text) == found


def test_photos_that_moved_or_left_are_where_they_are_now(snapshot: Snapshot) -> None:
    assert count(snapshot, "photo in (13, 17, 18, 40)") == 0
    assert count(snapshot, "photo = 15") == count(snapshot, "path = 'moved/15.jpg'") > 0
    assert count(snapshot, "photo >= 0") == snapshot.n_segments


def test_whole_numbers_of_any_size_are_exact(snapshot: Snapshot) -> None:
    everything = snapshot.n_segments
    assert count(snapshot, f"bytes < {10**39}") == everything
    assert count(snapshot, f"bytes > -{10**38}") == everything
    assert count(snapshot, f"bytes >= {2**63}") == 0
    assert count(snapshot, f"bytes = {2**64}") == 0
    assert count(snapshot, f"bytes in ({2**64}, -{2**64})") == 0
    assert count(snapshot, f"x0 < {10**39}") == everything
    assert count(snapshot, f"x0 = {10**39}") == 0
    segment = int(snapshot.stored_segments(snapshot.live_rows()[[7]])["segment_id"][0].as_py())
    assert count(snapshot, f"segment = {segment}") == 1
    assert count(snapshot, f"segment between {segment}.2 and {segment}.8") == 0


def test_units_multiply(snapshot: Snapshot) -> None:
    for one, other in [
        ("area > 12.5%", "area > 0.125"),
        ("bytes >= 2MB", "bytes >= 2_000_000"),
        ("bytes >= 1.5MiB", "bytes >= 1572864"),
        ("pixels < 0.5MP", "pixels < 500000"),
        ("x0 > 3px", "x0 > 3"),
        ("BYTES >= 2mb", "bytes >= 2000000"),
    ]:
        assert parse_filter(one) == parse_filter(other)


def test_what_is_stored_as_a_share_is_found_by_its_decimals(snapshot: Snapshot) -> None:
    shares = snapshot.stored_segments(snapshot.live_rows())["area_share"].to_pylist()
    for share in shares[:20]:
        digits = f"{share:.9g}"
        if "e" not in digits:
            assert count(snapshot, f"area = {digits}") >= 1
            assert count(snapshot, f"area >= {digits} and area <= {digits}") >= 1


def test_not_binds_most_then_and_then_or() -> None:
    a, b, c = "depth = 1", "depth = 2", "depth = 3"
    same = [
        (f"{a} or {b} and {c}", f"{a} or ({b} and {c})"),
        (f"not {a} and {b}", f"(not {a}) and {b}"),
        (f"not {a} or {b}", f"(not {a}) or {b}"),
        (f"NOT {a} AND {b}", f"not {a} and {b}"),
    ]
    for one, other in same:
        assert parse_filter(one) == parse_filter(other)
    assert parse_filter(f"({a} or {b}) and {c}") != parse_filter(f"{a} or {b} and {c}")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("aera > 10%", 1, "area"),
        ("area > 10% and", 15, "column"),
        ("area >", 7, "value"),
        ("area 10%", 6, "after area_share"),
        ("area", 1, "compared with nothing"),
        ("10% < area", 1, "column comes first"),
        ("area > 10MB", 8, "MB is no unit"),
        ("area > ten", 8, "number"),
        ("bytes > 10%", 9, "% is no unit"),
        ("path ~ *.jpg", 8, "quotes"),
        ("path > 'a'", 6, "is a text"),
        ("path between 'a' and 'b'", 14, "no order"),
        ("path ~ 3", 8, "quotes"),
        ("camera = 'a", 10, "never closed"),
        ("area ~ '*'", 6, "no text"),
        ("taken = 2024-13", 9, "no date"),
        ("taken = 2023-02-29", 9, "no date"),
        ("taken = 2024-5-6", 9, "no date"),
        ("taken = yesterday", 9, "no date"),
        ("taken > 24", 9, "no date"),
        ("(area > 1", 1, "never closed"),
        ("area > 1)", 9, "more follows"),
        ("area > 1 depth = 2", 10, "more follows"),
        ("area > 1 && depth = 2", 10, "&&"),
        ("area between 2 and 1", 14, "first is larger"),
        ("area between 2", 15, "two values"),
        ("area in 3", 9, "list"),
        ("area in (1, 2", 14, "list is not closed"),
        ("area not > 3", 10, "in or between"),
        ("has area", 5, "every segment has"),
        ("depth is null", 1, "every segment has"),
        ("camera is 3", 11, "null"),
        ("touches_border = 1", 16, "yes or no"),
        ("score > 0.5", 1, "--min-score"),
        ("a\u0338rea > 1", 2, "means nothing"),
        ("path = '\ud800'", 8, "no character"),
        (f"area > {'9' * 41}", 8, "digits"),
        (f"path ~ '{'a' * 1001}'", 8, "pattern"),
        ("area > 1; drop table photos", 9, "means nothing"),
        ("area > 1 -- depth", 10, "means nothing"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, place: int, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter(text)
    error = caught.value
    assert f"character {place}:" in error.message
    assert said in f"{error.message} {error.hint}"
    shown, caret = error.excerpt.splitlines()
    assert caret.strip() == "^"
    assert len(shown) >= len(caret) - 1


def test_the_caret_stands_under_wide_characters_too() -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter("path = '日本' and wide")
    shown, caret = caught.value.excerpt.splitlines()
    assert shown == "path = '日本' and wide"
    assert len(caret) == len("path = 'xxxx' and w")


def test_a_mistake_in_a_long_filter_is_shown_in_a_short_line(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter("depth = 1 or " * 5000 + "oops\x1b[2J = 1")
    complain(caught.value.message, caught.value.hint, caught.value.excerpt)
    said = capsys.readouterr().err
    assert max(map(len, said.splitlines())) < 300
    assert "\x1b" not in said
    assert "oops" in said


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_filter_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        parse_filter(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "depth = 1" + ")" * 10_000,
        "not " * 10_000 + "depth = 1",
        "(" * 10_000,
        "not (" * 5_000,
        "depth = 1" + " " * 1_000_000,
    ],
)
def test_depth_and_length_have_limits(text: str) -> None:
    with pytest.raises(UsageError):
        parse_filter(text)


def test_wide_filters_are_fine(snapshot: Snapshot) -> None:
    ids = snapshot.photos()["photo_id"].to_pylist()
    many = " or ".join(f"photo = {i}" for i in [*ids, *range(10_000, 12_000)])
    assert count(snapshot, many) == snapshot.n_segments
    assert (
        count(snapshot, f"photo in ({', '.join(map(str, range(50_000)))})") == snapshot.n_segments
    )
    assert count(snapshot, "(" * 90 + "depth >= 0" + ")" * 90) == snapshot.n_segments


def test_rows_are_what_search_takes(snapshot: Snapshot) -> None:
    rows = matching_rows(snapshot, parse_filter("area > 5% and depth > 0"))
    assert (np.diff(rows) > 0).all()
    query = np.ones((1, snapshot.space.dim), np.float32)
    _, found = snapshot.search(query, len(rows) + 5, allowed=rows)
    assert sorted(found[0].tolist()) == rows.tolist()


def test_a_filter_on_photos_reads_no_segments(tmp_path: Path) -> None:
    filter_samples.make_store(tmp_path / "s", photos=10)
    for file in tmp_path.glob("s/parts/*/segments.parquet"):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    snapshot = open_snapshot(tmp_path / "s")
    assert count(snapshot, "taken >= 1000 or not has taken") == snapshot.n_segments
    with pytest.raises(StoreError, match="damaged"):
        count(snapshot, "x0 >= 0")


def test_few_photos_and_all_photos_give_the_same_columns(tmp_path: Path) -> None:
    """Whether some row groups of a file are read or all of them must not show."""
    rng = np.random.default_rng(0)
    samples = filter_samples.store_samples
    with samples.writer(tmp_path / "s") as writer:
        writer.add([samples.photo(rng, f"{i}.jpg", 90) for i in range(120)])
    for text in ("area > 2%", "segmenter_score < 0.5 and left > 0.1", "has parent"):
        alone = open_snapshot(tmp_path / "s")
        all_rows = matching_rows(open_snapshot(tmp_path / "s"), parse_filter(text))
        for photo in (0, 57, 119):
            own = alone.rows_of_photo(photo)
            found = matching_rows(alone, parse_filter(f"photo = {photo} and ({text})"))
            assert found.tolist() == np.intersect1d(own, all_rows).tolist()


def test_a_filter_imports_neither_duckdb_nor_faiss(tmp_path: Path) -> None:
    path = tmp_path / "s"
    filter_samples.make_store(path, photos=10)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from usearch.filters import matching_rows, parse_filter\n"
        "from usearch.store import open_snapshot\n"
        f"s = open_snapshot(Path({str(tmp_path / 's')!r}))\n"
        "matching_rows(s, parse_filter('area > 1% and photo > 3 and depth = 1'))\n"
        "heavy = {'duckdb', 'faiss', 'PIL'}\n"
        "print(sorted((heavy | {'pandas', 'pyarrow.compute'}) & set(sys.modules)))\n"
        "matching_rows(s, parse_filter('path ~ \"*.jpg\" or taken in 2024'))\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_the_page_lists_every_column_and_unit() -> None:
    page = DOCS.read_text(encoding="utf-8")
    table = page[page.index("## Columns") : page.index("## Values")]
    for column in COLUMNS:
        assert f"`{column.name}`" in table
        assert not column.alias or f"`{column.alias}`" in table
    for unit in UNIT_NAMES:
        assert unit == "B" or unit in page


def test_the_filters_of_the_page_are_filters() -> None:
    import re

    page = DOCS.read_text(encoding="utf-8")
    found = re.findall(r"--where '([^'\n]+)'", page) + re.findall(r"where=\"([^\"]+)\"", page)
    assert len(found) >= 5
    for text in found:
        if "aera" not in text:
            parse_filter(text)


SOME = """
and or not in between has is null ( ) , = != < ~ !~ == area depth taken camera path touches_border
parent segment nonsense 10% 3 -1 .5 2MB 2024 2024-05 2024-13 '*' 'a' "b" 1e5 0x1 ''
"""
WORDS = SOME.split()


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=2), max_size=12).map(" ".join))
def test_any_text_is_a_filter_or_a_told_mistake(snapshot: Snapshot, text: str) -> None:
    try:
        condition = parse_filter(text)
    except UsageError as error:
        assert "\n" not in error.message
        assert len(error.excerpt.splitlines()) in (0, 2)
        return
    rows = matching_rows(snapshot, condition)
    assert np.isin(rows, snapshot.live_rows()).all()
    assert parse_filter(str(condition)) == condition
