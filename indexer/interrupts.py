"""Ctrl-C and SIGTERM as a request to end, so that what is finished can be committed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_ONE_REQUEST = 1.0
"""Seconds in which several signals are one request to end."""


@dataclass(slots=True)
class Stop:
    """Which signal asked the run to end, and when."""

    signal: int | None = None
    since: float = 0.0

    def asked(self) -> bool:
        """Whether the run should end."""
        return self.signal is not None


@contextmanager
def interrupts() -> Iterator[Stop]:
    """Turns the first Ctrl-C or SIGTERM into a request to end, a later one into the end.

    `timeout` and some terminals send a signal to the process and again to its group: what
    comes within a second is the same request, and what is finished is committed. One that
    comes later is raised where the run happens to be, which is safe: a commit is one
    rename, and leaving the crew kills its workers.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals belong to the main thread; the caller handles them
        return

    def ask(number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not stop.asked():
            stop.signal, stop.since = number, now
        elif now - stop.since < _ONE_REQUEST:
            return
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)

    saved = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in saved.items():
            signal.signal(number, handler)
