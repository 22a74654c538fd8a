"""Worker processes that turn files into segments and vectors, and survive what files do.

Each worker is a fresh process (spawn: no state of the parent, no fork with live threads)
that loads segmenter and embedder itself and works on one file at a time. The parent knows
which file each worker holds, so when a decoder takes its process down the file is named,
tried once more alone, and then given up. Results come back in the order of the tasks.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from indexer.one_photo import (
    DECODE_SECONDS,
    Load,
    Loaded,
    Outcome,
    Reading,
    failure,
    index_one,
    what_is_loaded,
)
from indexer.photos import PhotoError
from indexer.planning import Task
from usearch.errors import UsearchError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from indexer.embedders import Embedder
    from indexer.segmenters import Segmenter

_AHEAD = 2
"""Tasks a worker holds: the one it works on and the next, so that it never waits."""
_WINDOW = 64
"""How far results may run ahead of the oldest unfinished photo."""
_TICK = 0.2
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _work(connection: Connection, load: Load, reading: Reading, threads: int) -> None:
    """The life of a worker process: load, then files until the parent hangs up."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            segmenter, embedder = load(threads=threads)
            loaded = what_is_loaded(segmenter, embedder)
        except Exception as error:  # noqa: BLE001 - the parent raises it again
            connection.send(_sendable(error))
            return
        connection.send(loaded)
        while (task := connection.recv()) is not None:
            try:
                answer: Outcome | Exception = index_one(task, segmenter, embedder, reading)
            except Exception as error:  # noqa: BLE001 - the parent raises it again
                error.add_note(f"while indexing {task.photo.full_path!r}")
                answer = _sendable(error)
            connection.send(answer)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _sendable(error: Exception) -> Exception:
    """An error as it may cross to the parent: ours as it is, others as text."""
    if isinstance(error, UsearchError):
        return error
    told = "".join(traceback.format_exception(error))
    wrapped = RuntimeError(f"{type(error).__name__}: {error}")
    wrapped.add_note(told)
    return wrapped


@dataclass(slots=True)
class Alone:
    """The stand-in for a crew that works in this process, one file after the other."""

    load: Load
    reading: Reading
    threads: int
    size: int = 0
    _models: tuple[Segmenter, Embedder] | None = None

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *exc: object) -> None:
        self._models = None

    def wait_until_loaded(self, stopped: Callable[[], bool]) -> Loaded | None:
        """As `Crew.wait_until_loaded`."""
        self._models = self.load(threads=self.threads)
        return None if stopped() else what_is_loaded(*self._models)

    def outcomes(
        self, tasks: Sequence[Task], stopped: Callable[[], bool]
    ) -> Iterator[Outcome | None]:
        """As `Crew.outcomes`, but a crash is the end of this process."""
        assert self._models is not None, "outcomes before wait_until_loaded"
        for task in tasks:
            if stopped():
                return
            yield index_one(task, *self._models, self.reading)


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    tasks: deque[Task] = field(default_factory=deque)
    loaded: bool = False


@dataclass(slots=True)
class Crew:
    """Worker processes and the files they hold. A context manager; leaving it ends them.

    Args:
        load: Makes segmenter and embedder in each worker.
        reading: How files are read.
        size: Number of processes.
        threads: Threads that libraries may use in each of them.
    """

    load: Load
    reading: Reading
    size: int
    threads: int
    loaded: Loaded | None = None
    _workers: list[_Worker] = field(default_factory=list)
    _queue: deque[Task] = field(default_factory=deque)
    _suspects: deque[Task] = field(default_factory=deque)
    _order: deque[int] = field(default_factory=deque)
    _done: dict[int, Outcome] = field(default_factory=dict)
    _tried_alone: set[int] = field(default_factory=set)

    def __enter__(self) -> Crew:
        try:
            for _ in range(self.size):
                self._hire()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """Ends all workers at once; what they were doing is dropped."""
        for worker in self._workers:
            if worker.process.pid is not None:
                worker.process.kill()
        for worker in self._workers:
            if worker.process.pid is not None:
                worker.process.join()
            worker.connection.close()
        self._workers.clear()

    def wait_until_loaded(self, stopped: Callable[[], bool]) -> Loaded | None:
        """What the workers have loaded, or None when stopped before.

        Raises:
            UsearchError: As raised by `load`, such as for missing weights.
            RuntimeError: A bug in `load`, or it ended the process.
        """
        while self.loaded is None and not stopped():
            self._listen()
        return self.loaded

    def outcomes(
        self, tasks: Sequence[Task], stopped: Callable[[], bool]
    ) -> Iterator[Outcome | None]:
        """Outcomes of tasks in their order, and None now and then while none is ready.

        A file that takes its worker down comes last: it is tried again when nothing else
        runs, so that it has the machine's memory for itself and harms no other file.
        When `stopped` turns true, what is finished is still handed out and the rest dropped.

        Raises:
            UsearchError: As raised by a segmenter or embedder, such as for lack of memory.
            RuntimeError: A bug in one of them; its note has the traceback.
        """
        self._queue.extend(tasks)
        while self._queue or self._order or self._suspects:
            if stopped():
                yield from (self._done.pop(number) for number in sorted(self._done))
                return
            self._hand_out()
            self._listen()
            if not (self._order and self._order[0] in self._done):
                yield None
            while self._order and self._order[0] in self._done:
                yield self._done.pop(self._order.popleft())

    def _hand_out(self) -> None:
        if self._suspects and not self._queue and not self._order:
            suspect = self._suspects.popleft()
            self._tried_alone.add(suspect.number)
            self._order.append(suspect.number)
            self._give(self._workers[0], suspect)
            return
        # One each in turn, so that the last files are spread over the workers.
        for depth in range(_AHEAD):
            for worker in self._workers:
                if self._queue and len(worker.tasks) <= depth and len(self._order) < _WINDOW:
                    task = self._queue.popleft()
                    if task.number not in self._order:
                        self._order.append(task.number)
                    self._give(worker, task)

    def _give(self, worker: _Worker, task: Task) -> None:
        worker.tasks.append(task)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.connection.send(task)  # a dead worker is noticed by `_listen`

    def _listen(self) -> None:
        """Takes what workers have to say, for a moment."""
        by_connection = {worker.connection: worker for worker in self._workers}
        for ready in wait(list(by_connection), timeout=_TICK):
            worker = by_connection[ready]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, ConnectionResetError):
                self._replace(worker)
                continue
            if isinstance(message, Exception):
                raise message
            if isinstance(message, Loaded):
                worker.loaded = True
                self.loaded = message
            else:
                worker.tasks.popleft()
                self._done[message.task.number] = message

    def _replace(self, worker: _Worker) -> None:
        """Hires a worker for one that died; the file it had in hand is under suspicion."""
        worker.process.join()
        worker.connection.close()
        cause = _cause_of_death(worker.process.exitcode)
        if not worker.loaded:
            raise RuntimeError(f"a worker process ended while it loaded the model ({cause})")
        held = list(worker.tasks)
        if held:
            suspect = held.pop(0)
            self._order.remove(suspect.number)
            if suspect.number in self._tried_alone:
                error = PhotoError("crashed_decoder", f"reading it ended the process ({cause})")
                self._done[suspect.number] = failure(suspect, error)
                self._order.appendleft(suspect.number)
            else:
                self._suspects.append(suspect)
        self._queue.extendleft(reversed(held))
        self._workers.remove(worker)
        self._hire()

    def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work,
            args=(theirs, self.load, self.reading, self.threads),
            name="usearch-index",
            daemon=True,
        )
        # Known before it starts: `end` finds it even when starting it is interrupted.
        self._workers.append(_Worker(process, ours))
        with _threads_limited(self.threads), _interrupts_held():
            process.start()
        theirs.close()


def crew_for(load: Load, reading: Reading, workers: int | None, n_tasks: int) -> Crew | Alone:
    """A crew of a size that fits this machine and the work.

    Args:
        load: Makes segmenter and embedder in each worker.
        reading: How files are read.
        workers: Processes; None is one a core, 0 is none but this one.
        n_tasks: Files there will be.
    """
    cores = _cores()
    size = min(cores if workers is None else workers, max(n_tasks, 1))
    if size == 0:
        return Alone(load, reading, threads=cores)
    return Crew(load, reading, size, threads=max(1, cores // size))


def _cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code == -signal.SIGKILL:
        return "killed, perhaps for lack of memory"
    if exit_code == -signal.SIGALRM:
        return f"not decoded after {DECODE_SECONDS} s"
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit code {exit_code}"


@contextlib.contextmanager
def _threads_limited(threads: int) -> Iterator[None]:
    """Environment for a new process in which libraries start only so many threads."""
    saved = {name: os.environ.get(name) for name in _THREAD_SETTINGS}
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, str(threads)))
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Holds Ctrl-C and SIGTERM back; a process started meanwhile never sees one.

    The mask is inherited. A terminal, `timeout` or systemd sends them to all processes of the
    group, and the parent alone decides what they mean; it ends workers with SIGKILL.
    """
    # Starting the first process starts this one too, which would let both through again.
    resource_tracker.ensure_running()
    saved = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, saved)
