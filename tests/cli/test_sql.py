"""`usearch sql` answers what reads, refuses everything else, and prints rows exactly."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
import store_samples

from usearch.cli import main
from usearch.errors import ResourceError, UsageError
from usearch.store import open_snapshot
from usearch.store.sql import select


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine photos, one of them removed; three have no segments."""
    path = tmp_path_factory.mktemp("sql") / ".usearch"
    store_samples.sample_store(path)
    with store_samples.writer(path) as writer:
        writer.remove([4])
        odd = store_samples.row("tab\tline\nbytes\udcff.jpg", camera=None, taken_at=None)
        rng = np.random.default_rng(1)
        writer.add(
            [
                store_samples.IndexedPhoto(
                    odd, store_samples.segments(rng, 2), store_samples.unit(rng, 2)
                )
            ]
        )
    return path


@pytest.fixture
def ask(store: Path, capsys: pytest.CaptureFixture[str]):
    """Run a statement; gives the exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["sql", "--store", str(store), *words])
        found = capsys.readouterr()
        return int(code), found.out, found.err

    return run


def test_rows_are_lines_in_a_pipe(ask) -> None:
    code, out, _ = ask("select photo_id, n_segments, null, path from photos order by 1 limit 2")
    assert code == 0
    assert out == "0\t5\t\t0/5.jpg\n1\t2\t\t0/2.jpg\n"


def test_removed_photos_are_gone_from_both_tables(ask, store: Path) -> None:
    assert ask("select count(*) from photos")[1] == "9\n"
    assert ask("select count(*) from photos where photo_id = 4")[1] == "0\n"
    live = open_snapshot(store).live_rows()
    rows = ask("select row from segments order by row")[1].split()
    assert list(map(int, rows)) == live.tolist()


def test_names_cannot_break_lines(ask) -> None:
    _, out, _ = ask("select path from photos where camera is null")
    assert out.count("\n") == 1
    assert "\\x09" in out
    assert "\\x0a" in out


def test_no_rows_are_an_answer(ask) -> None:
    assert ask("select 1 where false")[:2] == (0, "")


def test_json_has_types_and_exact_values(ask) -> None:
    code, out, _ = ask(
        "select 1 a, 2 a, 'x''\"<é' t, null n, 'nan'::float f, 9223372036854775807 big,"
        " date '2024-02-29' d, [1, null] l, {'k': 'v'} s, 'ab'::blob b, 1.50::decimal(5, 2) m",
        "--json",
    )
    document = json.loads(out)
    assert code == 0
    assert out.isascii()
    names = [c["name"] for c in document["columns"]]
    assert names == ["a", "a_2", "t", "n", "f", "big", "d", "l", "s", "b", "m"]
    assert document["rows"] == [
        [1, 2, "x'\"<é", None, None, 2**63 - 1, "2024-02-29", [1, None], {"k": "v"}, "YWI=", "1.50"]
    ]


def test_jsonl_has_an_object_a_row(ask) -> None:
    _, out, _ = ask("select photo_id, path from photos order by 1", "--jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 9
    assert lines[0]["photo_id"] == 0


def test_csv_is_read_back_by_another_reader(ask) -> None:
    _, out, _ = ask(
        """select 'a,"b"' x, 'two
lines' y, null z, 1.5::double w""",
        "--csv",
    )
    assert out.endswith("\r\n")
    assert list(csv.DictReader(io.StringIO(out, newline=""))) == [
        {"x": 'a,"b"', "y": "two\nlines", "z": "", "w": "1.5"}
    ]


def test_parquet_is_written_whole_and_typed(ask, tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    code, out, err = ask("select segment_id, x0, 1 a, 2 a from segments", "--parquet", str(file))
    table = pq.read_table(file)
    assert (code, out) == (0, "")
    assert f"{len(table)} rows" in err
    assert table.column_names == ["segment_id", "x0", "a", "a_2"]
    assert str(table.schema.field("x0").type) == "float"
    assert os.listdir(tmp_path) == ["out.parquet"]


def test_a_failed_parquet_leaves_the_old_file(ask, tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    file.write_text("old")
    assert ask("select 1", "--parquet", str(file))[0] == 3
    code, _, _ = ask("select error('stop') from segments", "--parquet", str(file), "--force")
    assert code == 2
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.parquet"]
    assert ask("select 1", "--parquet", str(tmp_path / "no" / "where.parquet"))[0] == 3
    assert ask("select 1", "--parquet", str(file), "--force")[0] == 0
    assert len(pq.read_table(file)) == 1


def test_the_statement_may_come_from_stdin(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("select 42;\n"))
    assert ask("-")[:2] == (0, "42\n")


def test_a_terminal_shows_the_first_rows(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usearch.cli.sql.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    _, out, err = ask("select range r from range(100) order by 1", "--rows", "3")
    assert [word for word in out.split() if word.isdigit()] == ["0", "1", "2"]
    assert "--rows 0" in err
    _, out, err = ask("select range r from range(100)", "--rows", "0")
    assert len([word for word in out.split() if word.isdigit()]) == 100
    assert err == ""


REFUSED = {
    "write a file": "copy photos to '{file}'",
    "write a file from a query": "copy (select 1) to '{file}' (format csv)",
    "export": "export database '{file}'",
    "import": "import database '{file}'",
    "attach": "attach '{file}' as other",
    "attach in memory": "attach ':memory:' as other",
    "install": "install httpfs",
    "load": "load httpfs",
    "settings": "set enable_external_access = true",
    "settings of another scope": "set global lock_configuration = false",
    "reset": "reset lock_configuration",
    "pragma": "pragma enable_external_access = true",
    "pragma that reads": "pragma table_info('photos')",
    "create": "create table t as select 1",
    "view": "create or replace view photos as select 1",
    "macro": "create macro m() as 1",
    "secret": "create secret s (type s3)",
    "insert": "insert into photos select * from photos",
    "update": "update photos set path = ''",
    "delete": "delete from photos",
    "drop": "drop view photos",
    "call": "call pragma_version()",
    "checkpoint": "force checkpoint",
    "transaction": "begin",
    "prepare": "prepare p as select 1",
    "two statements": "select 1; copy photos to '{file}'",
    "two statements, a comment between": "select 1 /* ; */ ; select 2",
    "read csv": "select * from read_csv('/etc/passwd')",
    "read text": "select * from read_text('/etc/passwd')",
    "read blob": "select * from read_blob('/etc/*')",
    "read parquet": "select * from read_parquet('/etc/passwd')",
    "read json": "select * from read_json('/etc/passwd')",
    "a file as a table": "select * from '/etc/passwd'",
    "a file as a quoted table": 'select * from "{store}/manifest.json"',
    "file names": "select * from glob('/*')",
    "sniff": "select * from sniff_csv('/etc/passwd')",
    "query in a query": "select * from query('copy photos to ''{file}''')",
    "a Python variable": "select * from store",
    "environment": "select getenv('HOME')",
    "explain that runs": "explain analyze copy photos to '{file}'",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_reading_the_two_tables_is_refused(
    what: str, ask, store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "made"
    before = sorted(p.name for p in store.rglob("*"))
    code, out, err = ask(REFUSED[what].format(file=file, store=store))
    assert (code, out) == (2, "")
    assert err.startswith("usearch: ")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert sorted(p.name for p in store.rglob("*")) == before


def test_the_engine_itself_is_closed(store: Path) -> None:
    """Without the check of statements in front, DuckDB refuses the same."""
    import duckdb

    connection = open_snapshot(store).connect()
    for statement in (
        "set enable_external_access = true",
        "set lock_configuration = false",
        "set temp_directory = '/tmp'",
        "install httpfs",
        "attach '/tmp/x.db'",
        "copy photos to '/tmp/x.csv'",
        "select * from read_text('/etc/passwd')",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("selec 1", "syntax error"),
        ("select foo from photos", "foo"),
        ("select cast('x' as int)", "Conversion"),
        ("", "no statement"),
        ("/* nothing */", "no statement"),
        ("select \udcff", "UTF-8"),
    ],
)
def test_a_mistake_is_told_in_few_lines(ask, statement: str, said: str) -> None:
    code, out, err = ask(statement)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) <= 5


def test_a_statement_is_stopped_in_time(ask, store: Path) -> None:
    endless = "select count(*) from range(10000000000) a, range(10000000000) b"
    code, _, err = ask(endless, "--time-limit", "0.2")
    assert code == 7
    assert "0.2 s" in err
    connection = open_snapshot(store).connect()
    with pytest.raises(ResourceError):
        list(select(connection, "from range(100000000000)", seconds=0.2)[1])


@pytest.mark.parametrize(
    "words", [("--json", "--csv"), ("--rows", "-1"), ("--time-limit", "0"), ("--time-limit", "nan")]
)
def test_options_that_make_no_sense(ask, words: tuple[str, ...]) -> None:
    assert ask("select 1", *words)[0] == 2


def test_a_long_statement_is_refused(store: Path) -> None:
    with pytest.raises(UsageError, match="characters"):
        select(open_snapshot(store).connect(), "select 1" + " " * 1_000_001)
