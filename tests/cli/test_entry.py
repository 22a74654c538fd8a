"""The frame around every command: help, exit codes, messages, closed pipes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

import usearch
from usearch.cli import entry
from usearch.cli.app import LazyCommands
from usearch.cli.commands import SECTIONS
from usearch.cli.entry import main
from usearch.errors import (
    CheckFailed,
    ExitCode,
    InputError,
    ModelError,
    ResourceError,
    SpaceMismatch,
    StoreBusy,
    StoreError,
    StoreNotFound,
    UsageError,
)

HEAVY = {"numpy", "torch", "faiss", "duckdb", "pyarrow", "onnxruntime", "PIL", "scipy", "rich"}


MAIN = "import sys; from usearch.cli import main; sys.exit(main())"


def run(*words, **options):
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words], capture_output=True, text=True, **options
    )


def failing(monkeypatch, problem):
    """Make every command fail with `problem`."""

    def fail(_words):
        raise problem

    monkeypatch.setattr(entry, "run_command", fail)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"]])
def test_help_and_version_import_nothing_heavy(words):
    code = (
        "import sys; from usearch.cli import main; code = main(sys.argv[1:]);"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr);"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0
    assert not HEAVY & set(done.stderr.split())
    assert not {"indexer", "trainer", "eval"} & set(done.stderr.split())


def test_help_lists_every_command_with_its_summary(capsys):
    assert main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for commands in SECTIONS.values():
        for name, summary in commands.items():
            assert name in shown
            assert summary in shown


@pytest.mark.parametrize("name", list(LazyCommands()))
def test_every_command_has_help_that_begins_with_its_summary(name, capsys):
    assert main([name, "--help"]) == 0
    first, shown = next(c[name] for c in SECTIONS.values() if name in c), capsys.readouterr().out
    assert " ".join(shown.split()).count(first) == 1


def test_version_is_one_line(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"usearch {usearch.__version__} (use-segments)\n"


def test_without_a_command_it_says_what_it_is_and_ends_with_2(capsys):
    assert main([]) == ExitCode.USAGE
    streams = capsys.readouterr()
    assert streams.out == ""
    what, *examples, where = streams.err.splitlines()
    assert "inside your photos" in what and "usearch --help" in where
    assert [line.split()[:2] for line in examples] == [
        ["usearch", "index"],
        ["usearch", "query"],
        ["usearch", "segment"],
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["qery", "cat"], "Did you mean 'query'?"),
        (["--bogus"], "--bogus"),
        (["index"], "PATH"),
        (["query", "cat", "--top", "many"], "--top"),
        (["info", "car"], "car"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_names_the_help(words, message, capsys):
    assert main(words) == ExitCode.USAGE
    streams = capsys.readouterr()
    assert message in streams.err
    assert "--help` shows how it is used" in streams.err
    assert streams.out == ""


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (UsageError("no"), 2),
        (InputError("no"), 3),
        (StoreError("no"), 4),
        (StoreNotFound("no"), 4),
        (SpaceMismatch("no"), 4),
        (StoreBusy("no"), 5),
        (ModelError("no"), 6),
        (ResourceError("no"), 7),
        (CheckFailed("no"), 9),
        (MemoryError(), 7),
        (OSError(28, "No space left on device", "/x"), 7),
        (KeyboardInterrupt(), 130),
        (entry.Terminated(), 143),
        (BrokenPipeError(), 141),
        (RuntimeError("no"), 70),
        (SystemExit(1), 70),
    ],
)
def test_every_failure_has_its_exit_code_and_none_is_1(problem, code, monkeypatch, capsys):
    failing(monkeypatch, problem)
    assert main(["info"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_says_what_and_on_the_next_line_what_to_do(monkeypatch, capsys):
    failing(monkeypatch, StoreNotFound("no store at x", "usearch index FOLDER makes one"))
    main(["info"])
    assert capsys.readouterr().err == ("usearch: no store at x\n  usearch index FOLDER makes one\n")


def test_a_bug_takes_one_line_and_says_how_to_report_it(monkeypatch, capsys):
    failing(monkeypatch, ZeroDivisionError("division by zero"))
    assert main(["info"]) == ExitCode.BUG
    shown = capsys.readouterr().err
    assert "bug in usearch: ZeroDivisionError: division by zero" in shown
    assert "--debug" in shown


@pytest.mark.parametrize("words", [["--debug", "info"], ["info", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(words, monkeypatch, capsys):
    failing(monkeypatch, ZeroDivisionError("division by zero"))
    assert main(words) == ExitCode.BUG
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_what_a_message_echoes_cannot_steer_the_terminal(monkeypatch, capsys):
    failing(monkeypatch, InputError("cannot read a\x1b[2J\u202eb\n[red]c[/red].jpg"))
    main(["info"])
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert r"a\x1b[2J\u202eb" in shown
    assert "[red]c[/red]" in shown
    assert shown.count("\n") == 1


def test_a_reader_that_leaves_ends_it_quietly_with_141():
    # The read end is closed before anything is written.
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from usearch.cli import main; sys.exit(main(['--help']))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (ExitCode.READER_LEFT, "")


def test_a_closed_stderr_is_no_error():
    # Closed before the start: sys.stderr is None. A message must not land in stdout then.
    code = f"exec 2>&-; exec {sys.executable} -c {shlex.quote(MAIN)} qery"
    done = subprocess.run(["sh", "-c", code], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_command_with_their_code(sent, code):
    script = (
        "import signal, sys, time\n"
        # A program started in the background of a shell script inherits SIGINT as ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from usearch.cli import entry\n"
        "def wait(words): print('ready', flush=True); time.sleep(60)\n"
        "entry.run_command = wait\n"
        "sys.exit(entry.main(['info']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.05)
        process.send_signal(sent)
        try:
            _, shown = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == code
    assert "Traceback" not in shown


def test_a_console_that_cannot_show_a_character_gets_an_escape():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run("qüery", env=environment)
    assert done.returncode == ExitCode.USAGE
    assert r"q\xfcery" in done.stderr


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_stream_that_was_closed_before_the_start_is_no_bug(closed: str) -> None:
    number = {"stdout": 1, "stderr": 2}[closed]
    run = subprocess.run(
        ["sh", "-c", f'exec "$0" -m usearch --version {number}>&-', sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == (ExitCode.READER_LEFT if closed == "stdout" else ExitCode.DONE)
    assert run.stderr == ""
