"""Durable files: every byte that the store writes goes through here.

Writers finish a file (write, fsync), give it its name (rename) and make the name durable
(fsync of the folder). Nothing else in the package opens a store file for writing, so tests
inject faults in this one place.
"""

# Each step is one call of `os`, so that a test can count the steps and break any of them.
# ruff: noqa: PTH102, PTH105, PTH106, PTH108, PTH208

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from usearch.errors import ResourceError, StoreError, UsearchError

Bytes = npt.NDArray[np.uint8]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_TOO_MANY = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_CHUNK = 1 << 22
_SMALL = 1 << 16


@dataclass(frozen=True, slots=True)
class FileSum:
    """Size in bytes and CRC-32 of a file, as the manifest records them."""

    size: int
    crc32: int


class Output:
    """A new file, written once from front to back; durable when `close` returns.

    It has what `pyarrow.parquet.ParquetWriter` asks of a file object.

    Args:
        path: The file, which is not there yet.
        also: Called with all that is written, in order.
    """

    def __init__(self, path: Path, also: Callable[[memoryview], None] | None = None) -> None:
        self.path = path
        self.closed = False
        self._also = also
        self._size = 0
        self._crc = 0
        self._held = bytearray()
        with explained(path):
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *exc: object) -> None:
        if exc[0] is None:
            self.close()
        else:
            self.abandon()

    @property
    def sum(self) -> FileSum:
        """Size and checksum of what was written so far."""
        return FileSum(self._size, self._crc)

    def write(self, data: object) -> int:
        """Append bytes, or anything with their buffer; returns how many."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._crc = zlib.crc32(view, self._crc)
        if self._also is not None:
            self._also(view)
        self._size += len(view)
        if len(self._held) + len(view) > _CHUNK:
            self.flush()
        if len(view) > _CHUNK:
            self._put(view)
        else:
            self._held += view
        return len(view)

    def tell(self) -> int:
        """Position, which is the size so far."""
        return self._size

    def flush(self) -> None:
        """Hand to the system what is held back (Parquet comes in very small pieces)."""
        held, self._held = self._held, bytearray()
        self._put(memoryview(held))

    def _put(self, view: memoryview) -> None:
        done = 0
        with explained(self.path):
            while done < len(view):
                done += os.write(self._fd, view[done : done + _CHUNK])

    def close(self) -> None:
        """Make the bytes durable."""
        if self.closed:
            return
        self.closed = True
        try:
            self.flush()
            with explained(self.path):
                os.fsync(self._fd)
        finally:
            os.close(self._fd)

    def abandon(self) -> None:
        """Close without the promise that the bytes last."""
        if not self.closed:
            self.closed = True
            os.close(self._fd)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into errors that say what to do next."""
    try:
        yield
    except OSError as error:
        raise explain(error, path) from error


def explain(error: OSError, path: Path) -> UsearchError:
    """The error of ours for an `OSError` at a path."""
    what = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        return ResourceError(
            f"cannot write {path}: {what} ({free_bytes(path) / 1e6:,.1f} MB free)",
            "free some disk space and run the same command again; the store is as it was",
        )
    if error.errno in _REFUSED:
        return StoreError(
            f"cannot write {path}: {what}",
            "searching works; to add photos, make the store folder writable or use --store",
        )
    if error.errno in _TOO_MANY:
        return ResourceError(
            f"cannot open {path}: {what}",
            "merge the parts of the store with `usearch compact`, or raise `ulimit -n`",
        )
    return StoreError(f"cannot use {path}: {what}", "see `usearch check`")


def free_bytes(path: Path) -> int:
    """Free bytes of the file system that holds a path (0 when that cannot be asked)."""
    for folder in (path, *path.parents):
        try:
            found = os.statvfs(folder)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize
    return 0


def write_file(path: Path, data: bytes) -> FileSum:
    """Write a new file; durable, but its name only after `sync_folder`."""
    with Output(path) as out:
        out.write(data)
    return out.sum


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file at once and durably: after a crash it is the old one or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    remove(temporary)
    try:
        write_file(temporary, data)
        with explained(path):
            os.replace(temporary, path)
    except UsearchError:
        _remove_quietly(temporary)
        raise
    sync_folder(path.parent)


def rename(old: Path, new: Path) -> None:
    """Give a finished file its name, durably."""
    with explained(new):
        os.replace(old, new)
    sync_folder(new.parent)


def make_folder(path: Path) -> None:
    """Make a folder and its parents; those that were missing are durable afterwards."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for folder in reversed(missing):
        with explained(folder):
            os.mkdir(folder)
    for folder in missing:
        sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Make the names inside a folder durable."""
    with explained(path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def remove(path: Path) -> int:
    """Remove a file if it is there; returns the bytes that this frees."""
    with explained(path):
        try:
            size = os.lstat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
    return size


def remove_folder(path: Path) -> int:
    """Remove a folder of files and the folders in it; returns the bytes that this frees."""
    freed = 0
    with explained(path):
        try:
            names = os.listdir(path)
        except FileNotFoundError:
            return 0
        for name in names:
            inner = path / name
            if stat.S_ISDIR(os.lstat(inner).st_mode):
                freed += remove_folder(inner)
            else:
                freed += remove(inner)
        os.rmdir(path)
    return freed


def _remove_quietly(path: Path) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def read_file(path: Path) -> bytes:
    """All bytes of a small file.

    Raises:
        FileNotFoundError: It is not there; the caller knows what that means.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise explain(error, path) from error


def map_file(path: Path) -> Bytes:
    """The bytes of a file, memory-mapped read-only; they outlive the file's name.

    Small files are read: a map holds a file descriptor, and large stores have many parts.

    Raises:
        FileNotFoundError: It is not there.
    """
    try:
        if path.stat().st_size <= _SMALL:
            return np.frombuffer(path.read_bytes(), np.uint8)
        return np.memmap(path, np.uint8, mode="r")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise explain(error, path) from error


def crc32(data: Bytes) -> int:
    """CRC-32 (that of zip and PNG) of a mapped file."""
    value = 0
    for start in range(0, len(data), _CHUNK):
        value = zlib.crc32(data[start : start + _CHUNK].data, value)
    return value


def sum_bytes(data: bytes) -> FileSum:
    """Size and checksum of bytes."""
    return FileSum(len(data), zlib.crc32(data))


def sum_file(path: Path) -> FileSum:
    """Size and checksum of a file as it is on disk now."""
    data = map_file(path)
    return FileSum(len(data), crc32(data))
