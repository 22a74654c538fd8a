"""Work off the event loop: a few threads, and a bound on what waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from usearch.serve.problems import Problem

T = TypeVar("T")


class Workers:
    """Threads for jobs that block.

    A job whose request gave up is dropped when it has not begun, and else counts until it
    ends, so that requests that time out cannot pile up work.

    Args:
        threads: Jobs at once.
        waiting: Jobs under way or waiting; one more is refused.
        name: Of the threads.
    """

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = waiting
        self._unfinished = 0
        self._lock = threading.Lock()

    async def run(self, job: Callable[..., T], *arguments: Any) -> T:
        """The job's result.

        Raises:
            Problem: 503, there is too much to do.
        """
        with self._lock:
            if self._unfinished >= self._most:
                raise Problem(503, "busy", "too many requests at once", "try again in a moment")
            self._unfinished += 1
        future = self._pool.submit(job, *arguments)
        future.add_done_callback(self._finished)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finished(self, _future: Future[Any]) -> None:
        with self._lock:
            self._unfinished -= 1
