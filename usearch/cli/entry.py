"""What happens around a command: exit codes, messages, interruptions, closed pipes.

Whatever a command does, the process ends with one of `usearch.errors.ExitCode`. Python's
own 1 for an uncaught exception would read as "nothing found", so every exception is
turned into a line on stderr and a code of ours here, and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import TextIO

import typer

from usearch.cli.app import OptionDefaults, build_app
from usearch.cli.output import complain, note
from usearch.errors import ExitCode, UsageError, UsearchError
from usearch.settings import setting

_UsageProblem: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for a wrong command line. The class has no public name."""

_ABOUT = """\
usearch finds things inside your photos by what you call them.
  usearch index ./photos                              cut photos into segments, once
  usearch query "red car"                             the segments that match best
  usearch segment a.jpg --classes list.txt -o maps    a class for every pixel
usearch --help lists every command; usearch demo shows them at work; usearch doctor helps."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. Commands clean up as after Ctrl-C; the exit code tells them apart."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: Words after `usearch`; those of the process when None.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    words, debug = _take_debug(words)
    _prepare_streams()
    _listen_for_sigterm()
    if not words:
        note(_ABOUT)
        return ExitCode.USAGE
    try:
        code = run_command(words)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as problem:  # noqa: BLE001 - the one place that ends every failure
        return _explain(problem, debug)
    return code


def run_command(words: list[str]) -> int:
    """Call a command and return its exit code; errors pass through."""
    command = build_app()
    try:
        defaults = OptionDefaults(words)
        with command.make_context("usearch", words, default_map=defaults) as context:
            command.invoke(context)
    except typer.Exit as leave:
        return int(leave.exit_code)
    return ExitCode.DONE


def _explain(problem: BaseException, debug: bool) -> int:
    """Say what went wrong on stderr and return the exit code for it."""
    if debug and not isinstance(problem, SystemExit):
        note("".join(traceback.format_exception(problem)), end="")
    if isinstance(problem, BrokenPipeError):
        _drop_stdout()
        return ExitCode.READER_LEFT
    if isinstance(problem, UsearchError):
        complain(problem.message, problem.hint, problem.excerpt)
        return problem.exit_code
    if isinstance(problem, _UsageProblem):
        complain(_usage_message(problem), _usage_hint(problem))
        return ExitCode.USAGE
    if isinstance(problem, Terminated):
        complain("terminated")
        return ExitCode.TERMINATED
    if isinstance(problem, KeyboardInterrupt | typer.Abort):
        complain("interrupted")
        return ExitCode.INTERRUPTED
    if isinstance(problem, MemoryError):
        complain("memory ran out", "close other programs, or give fewer or smaller photos at once")
        return ExitCode.RESOURCE
    if isinstance(problem, OSError) and problem.errno in _FULL:
        where = f": {problem.filename}" if problem.filename else ""
        complain(f"{problem.strerror}{where}", "free some space or close other programs, try again")
        return ExitCode.RESOURCE
    if isinstance(problem, SystemExit):
        return problem.code if isinstance(problem.code, int) and problem.code != 1 else ExitCode.BUG
    complain(
        f"a bug in usearch: {type(problem).__name__}: {problem}",
        "run the same command with --debug and report what it prints, with `usearch --version`",
    )
    return ExitCode.BUG


def _usage_message(problem: Exception) -> str:
    format_message = getattr(problem, "format_message", None)
    return str(format_message() if format_message else problem)


def _usage_hint(problem: Exception) -> str:
    context = getattr(problem, "ctx", None)
    path = context.command_path.rstrip() if context is not None else "usearch"
    return f"`{path} --help` shows how it is used"


def _take_debug(words: list[str]) -> tuple[list[str], bool]:
    """Take `--debug` out of the words, wherever it stands before a `--`."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"] + words[end:]
    if len(kept) < len(words):
        return kept, True
    try:
        return kept, bool(setting("debug"))
    except UsageError:
        return kept, False  # the command itself will say what is wrong with the settings


class _NobodyReads(io.StringIO):
    """Stands in for a stdout that was closed before the program began."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def _prepare_streams() -> None:
    """Make printing safe: what the console's encoding lacks is written as an escape."""
    # Python leaves None where a stream was closed. Results then have no reader; messages are lost.
    sys.stdout = _NobodyReads() if sys.stdout is None else sys.stdout
    sys.stderr = io.StringIO() if sys.stderr is None else sys.stderr
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(OSError):
                reconfigure(errors="backslashreplace")


def _drop_stdout() -> None:
    """Send the rest of the output nowhere, so that the flush at exit stays quiet."""
    streams: tuple[TextIO | None, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _listen_for_sigterm() -> None:
    """Turn SIGTERM into an exception, so that files are closed and locks let go."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    try:
        signal.signal(signal.SIGTERM, stop)
    except ValueError:
        # Not in the main thread (a program that calls `main` from another one).
        return
