"""Errors that a caller can act on, and the exit codes of the command line.

UsearchError
├── UsageError            a question that makes no sense                   2
├── InputError            a photo, class file or mask file is unusable     3
├── StoreError            a store is missing, damaged or newer             4
│   ├── StoreNotFound     no store here                                    4
│   └── SpaceMismatch     the store holds another embedding space          4
├── StoreBusy             another process is writing this store            5
├── ModelError            weights or an optional package are missing       6
├── ResourceError         disk, memory or accelerator ran out              7
├── ServiceError          a service cannot be reached, or cannot start     8
└── CheckFailed           a check ran and said no                          9
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the `usearch` command. Python's own 1 (a traceback) is never one of ours."""

    DONE = 0
    NO_MATCH = 1
    USAGE = 2
    INPUT = 3
    STORE = 4
    BUSY = 5
    MODEL = 6
    RESOURCE = 7
    SERVICE = 8
    CHECK = 9
    BUG = 70
    INTERRUPTED = 130
    READER_LEFT = 141
    TERMINATED = 143


class UsearchError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What is wrong and where, in one line.
        hint: What to do next, in one line; empty when the message says it.
        excerpt: The place of the mistake in what was typed: that line, and a caret below it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, hint: str = "", excerpt: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.excerpt = excerpt


class UsageError(UsearchError):
    """The question itself makes no sense: an empty query, k = 0, an unknown option value."""

    exit_code = ExitCode.USAGE


class InputError(UsearchError):
    """A file that the user gave cannot be used."""

    exit_code = ExitCode.INPUT


class StoreError(UsearchError):
    """A store cannot be read: damaged, or written by a newer version."""

    exit_code = ExitCode.STORE


class StoreNotFound(StoreError):
    """There is no store where one was looked for."""


class SpaceMismatch(StoreError):
    """Vectors of two embedding spaces would meet."""


class StoreBusy(UsearchError):
    """Another process holds the store's write lock."""

    exit_code = ExitCode.BUSY


class ModelError(UsearchError):
    """Weights or an optional package are missing, or fail their checksum."""

    exit_code = ExitCode.MODEL


class ResourceError(UsearchError):
    """Disk, memory or accelerator memory ran out."""

    exit_code = ExitCode.RESOURCE


class ServiceError(UsearchError):
    """A service cannot be reached, or its address cannot be had."""

    exit_code = ExitCode.SERVICE


class CheckFailed(UsearchError):
    """A check ran to its end and found something wrong."""

    exit_code = ExitCode.CHECK
