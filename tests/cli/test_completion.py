"""Shell completion: what is offered where, and bash itself taking it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

from usearch.cli import main
from usearch.cli.app import LazyCommands
from usearch.cli.candidates import candidates


def offered(*words):
    return [word for word, _ in candidates(words)]


def test_in_the_first_place_stand_the_commands_with_their_summaries():
    assert offered("") == list(LazyCommands())
    assert candidates(["mod"]) == [("models", "List, fetch and verify the models.")]
    assert offered("nothing-like-it") == []


def test_in_the_first_place_may_stand_an_option():
    assert offered("--") == ["--debug", "--help", "--version"]


def test_options_of_a_command_are_offered_until_they_are_typed():
    assert offered("query", "--min") == ["--min-score"]
    assert "--json" in offered("info", "--")
    assert "--json" not in offered("info", "--json", "--")
    assert "--exclude" in offered("index", "--exclude", "*.png", "--"), "it can be repeated"


def test_values_of_an_option_that_takes_one_of_a_few():
    assert offered("index", "--segmenter", "") == ["tree", "sam", "given"]
    assert offered("index", "--preset", "") == ["mini", "clip", "large"]
    assert offered("index", "--device", "=", "c") == ["cpu", "cuda"]
    assert offered("completion", "") == ["bash", "zsh", "fish"]


def test_where_a_file_or_anything_may_stand_nothing_is_offered():
    assert offered("index", "") == []
    assert offered("index", "--store", "") == []
    assert offered("query", "--", "--") == []


def test_commands_of_commands_and_names_of_models():
    assert offered("models", "") == ["list", "info", "path", "pull", "verify"]
    assert offered("models", "pull", "sam") == ["sam-vit-b", "sam-vit-l", "sam-vit-h"]
    assert offered("models", "pull", "--y") == ["--yes"]


def test_the_names_of_commands_are_offered_without_importing_any():
    code = (
        "import sys; from usearch.cli import main; main(['completion', 'bash', '--', 'qu']);"
        "print({'numpy', 'pyarrow', 'rich', 'usearch.cli.query'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("query\tFind the segments that match ")
    assert done.stdout.endswith("\nset()\n")


def test_a_shell_without_script_is_refused(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_accepted_by_their_shells(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"completion {shell} --" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here to read its script")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.fixture
def program(tmp_path):
    """A folder with a program `usearch`, and the script for bash beside it."""
    path = tmp_path / "bin" / "usearch"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m usearch "$@"\n')
    path.chmod(0o755)
    script = subprocess.run([path, "completion", "bash"], capture_output=True, check=True)
    (tmp_path / "script").write_bytes(script.stdout)
    return path


def complete_in_bash(program, words):
    """What bash has to choose from when TAB is pressed behind the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    code = f"""
source "{program.parent.parent / "script"}"
COMP_WORDS=(usearch {quoted}); COMP_CWORD={len(words)}
_usearch "{program}" "${{COMP_WORDS[COMP_CWORD]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_bash_is_given_the_words_alone(program):
    assert complete_in_bash(program, ["co"]) == ["compact", "config", "completion"]
    assert complete_in_bash(program, ["models", "pull", "sam-vit-b", "--"]) == [
        "--help", "--json", "--yes",
    ]  # fmt: skip
    assert complete_in_bash(program, ["index", ""]) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_a_tab_in_a_real_bash_completes_the_command_line(program, tmp_path):
    (tmp_path / "pictures").mkdir()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ.update(PATH=f"{program.parent}:{os.environ['PATH']}", PS1="$ ", TERM="dumb")
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    try:
        os.write(terminal, b"source ./script; echo rea''dy\n")
        read_until(terminal, b"ready")
        os.write(terminal, b"usearch rebu\t")
        read_until(terminal, b"usearch rebuild ")
        os.write(terminal, b"--js\t")
        read_until(terminal, b"--json ")
        os.write(terminal, b"\x15usearch index pic\t")  # \x15 clears the line
        read_until(terminal, b"index pictures/")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def read_until(terminal, wanted, seconds=60.0):
    end, seen = time.monotonic() + seconds, b""
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(end - time.monotonic(), 0))
        assert ready, seen
        seen += os.read(terminal, 1024)
