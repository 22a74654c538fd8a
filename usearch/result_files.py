"""Files of results: written beside their place and renamed, never over another one unasked."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from usearch.errors import InputError


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """A file to write, which is there whole when the block ends, and not at all when it fails.

    Args:
        path: Where it goes. Folders above it must exist.
        force: Replace a file that is there.

    Raises:
        InputError: There is a file already, or none can be written there.
    """
    refuse_existing(path, force=force)
    path = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
    try:
        handle, name = tempfile.mkstemp(suffix=".part", prefix=".", dir=path.parent)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        part.chmod(0o666 & ~_umask())  # mkstemp's files are for their owner alone
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise cannot_write(path, problem) from problem
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise when a place is taken.

    Raises:
        InputError: A folder or a device is there, or a file that is not to be replaced.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder", "name another file")
    if path.exists() and not path.is_file():
        # A rename would put a file in the place of /dev/null, for everyone.
        raise InputError(f"{path} is no file that can be replaced", "name another file")
    if not force and os.path.lexists(path):
        raise InputError(f"{path} exists", "name another file, or replace it with --force")


def make_folder(folder: Path) -> None:
    """Make a folder for results, with those above it; one that is there is fine.

    Raises:
        InputError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise cannot_write(folder, problem) from problem
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into {folder}", "name another folder")


def cannot_write(path: Path, problem: OSError) -> Exception:
    """The error to raise where results cannot be written; a full disk, a resource, stays itself."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return problem
    why = problem.strerror or str(problem)
    return InputError(f"cannot write {path}: {why}", "name another place")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
