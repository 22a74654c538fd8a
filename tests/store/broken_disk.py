"""An `os` for `usearch.store.files` that fails, or loses what was not made durable."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Died(BaseException):
    """The process is gone: nothing after this runs."""


class BrokenDisk:
    """Stands for the module `os`; call number `at` and what follows go wrong.

    Args:
        at: Number of the changing call that fails, from 0.
        how: "full" (every write from there on fails), "once" (that call fails and no other),
            "killed" (the process ends there) or "power" (it ends there, and what was not
            synced is lost: bytes of files, names in folders).
    """

    def __init__(self, at: int, how: str) -> None:
        self.at = at
        self.how = how
        self.calls = 0
        self.failed = False
        self._paths: dict[int, Path] = {}
        self._unsynced: dict[Path, None] = {}
        self._undo: list[tuple[Path, Callable[[], object]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _step(self, *, grows: bool = True) -> None:
        now = self.calls
        self.calls += 1
        if now < self.at or (self.how == "once" and now > self.at):
            return
        self.failed = True
        if self.how in ("killed", "power"):
            raise Died
        if self.how == "once":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if grows:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path: Path, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            self._step()
            if not Path(path).exists():
                self._undo.append((Path(path).parent, lambda: Path(path).unlink(missing_ok=True)))
        fd = os.open(path, flags, *rest)
        self._paths[fd] = Path(path)
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        self._step()
        self._unsynced[self._paths[fd]] = None
        return os.write(fd, data[:-1] or data)  # a short write is allowed

    def fsync(self, fd: int) -> None:
        self._step()
        path = self._paths[fd]
        self._unsynced.pop(path, None)
        self._undo = [(folder, undo) for folder, undo in self._undo if folder != path]

    def close(self, fd: int) -> None:
        self._paths.pop(fd, None)
        os.close(fd)

    def replace(self, old: Path, new: Path) -> None:
        self._step()
        content, before = old.read_bytes(), new.read_bytes() if new.exists() else None

        def undo() -> None:
            old.write_bytes(content)
            new.unlink() if before is None else new.write_bytes(before)

        os.replace(old, new)
        if old in self._unsynced:
            self._unsynced[new] = self._unsynced.pop(old)
        self._undo.append((new.parent, undo))

    def mkdir(self, path: Path) -> None:
        self._step()
        os.mkdir(path)
        self._undo.append((path.parent, lambda: shutil.rmtree(path, ignore_errors=True)))

    def unlink(self, path: Path) -> None:
        self._step(grows=False)
        if not path.exists():
            os.unlink(path)  # raises what it should
        content = path.read_bytes()
        os.unlink(path)

        def undo() -> None:
            if path.parent.is_dir():
                path.write_bytes(content)

        self._undo.append((path.parent, undo))

    def rmdir(self, path: Path) -> None:
        self._step(grows=False)
        os.rmdir(path)
        self._undo.append((path.parent, lambda: path.mkdir(exist_ok=True)))

    def lose_power(self) -> None:
        """Forget what was not synced: names from the last to the first, then bytes."""
        for path in self._unsynced:
            if path.is_file():
                os.truncate(path, path.stat().st_size // 2)
        for _, undo in reversed(self._undo):
            undo()
