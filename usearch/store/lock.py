"""The write lock of a store: one writer at a time, and it dies with its process.

The lock is `flock` on the file `lock`, so a killed writer never leaves a store locked. What
the file says (who holds it) is for the message only; it decides nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from usearch.errors import StoreBusy
from usearch.store import files


class WriteLock:
    """Holds a store's write lock from construction to `release`.

    Raises:
        StoreBusy: Another process, or another writer of this one, holds it.
        StoreError: The folder cannot be written.
    """

    def __init__(self, store: Path) -> None:
        path = store / "lock"
        with files.explained(path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(fd)
            os.close(fd)
            raise StoreBusy(
                f"{store} is being written by {holder}",
                "wait until that run ends; nothing needs to be removed, a lock dies with its run",
            ) from error
        except OSError as error:
            os.close(fd)
            raise files.explain(error, path) from error
        self._fd = fd
        self._sign()

    def _sign(self) -> None:
        who = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(who).encode(), 0)
        except OSError:
            # A full disk: the lock holds all the same, the next message is less exact.
            return

    @property
    def held(self) -> bool:
        """Whether it was not released yet."""
        return self._fd >= 0

    def release(self) -> None:
        """Let the next writer in. Safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _holder(fd: int) -> str:
    """Who holds the lock, in words, from what the holder wrote."""
    try:
        who = json.loads(os.pread(fd, 4096, 0))
        return f"process {int(who['pid'])} on {who['host']} since {who['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
