"""Fetching published weights. Nothing else in this project opens a connection.

A download goes into `NAME.part` beside its place, is taken up again where it ended, checked
against the published SHA-256 as a whole, and renamed: under its own name a file is complete
and right, or it is not there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from usearch import __version__
from usearch.errors import ModelError, ResourceError, ServiceError, StoreBusy
from usearch.models.files import WeightFile

_BLOCK = 1 << 20
_TIMEOUT = 60.0
_SPARE = 200_000_000
"""Bytes that stay free on the disk."""


def pull(known: WeightFile, folder: Path, tell: Callable[[int], None] | None = None) -> Path:
    """Fetch a weight file into a folder.

    Args:
        known: What to fetch; its size and checksum must be known.
        folder: Made when absent.
        tell: Is called with the number of bytes that are there, often.

    Returns:
        The file, complete and verified.

    Raises:
        ServiceError: The server cannot be reached, refuses, or hangs up; what came is kept.
        ModelError: What came is not the published file; it is removed.
        ResourceError: The disk is too full.
        StoreBusy: Another process fetches the same file.
    """
    tell = tell or (lambda _: None)
    path, part = folder / known.name, folder / f"{known.name}.part"
    with _errors_explained(known, path):
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _lock(file, part)
            try:
                if not path.is_file():  # else another process was quicker
                    _refuse_full_disk(known, folder, file.tell())
                    _fetch(known, file, tell)
                    _verify(known, file, part)
                    part.replace(path)
            finally:
                if path.is_file() or os.fstat(file.fileno()).st_size == 0:
                    part.unlink(missing_ok=True)
    return path


def _lock(file: BinaryIO, part: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreBusy(f"{part} is being fetched by another process", "wait for it") from error


def _refuse_full_disk(known: WeightFile, folder: Path, have: int) -> None:
    free, need = shutil.disk_usage(folder).free, (known.bytes or 0) - have
    if free - _SPARE < need:
        raise ResourceError(
            f"{known.name} needs {need / 1e6:,.0f} MB more, {folder} has {free / 1e6:,.0f} MB free",
            "free some space, or choose another folder with the setting `models`",
        )


def _fetch(known: WeightFile, file: BinaryIO, tell: Callable[[int], None]) -> None:
    """Bring a partial file to its full length."""
    have = file.tell()
    if known.bytes is not None and have > known.bytes:
        have = _empty(file)
    if have == known.bytes:
        return
    headers = {"User-Agent": f"use-segments/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(known.source, headers=headers)  # noqa: S310 - see _Careful
    with _opener().open(request, timeout=_TIMEOUT) as answer:
        if have and answer.status != http.client.PARTIAL_CONTENT:
            have = _empty(file)  # a server that does not know ranges begins at the beginning
        while block := answer.read(_BLOCK):
            have += len(block)
            if known.bytes is not None and have > known.bytes:
                break  # not our file, whatever it is; the checksum will say so
            file.write(block)
            tell(have)
        file.flush()
    if known.bytes is not None and have < known.bytes:
        raise http.client.IncompleteRead(b"", known.bytes - have)


def _empty(file: BinaryIO) -> int:
    file.truncate(0)
    return 0


def _verify(known: WeightFile, file: BinaryIO, part: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    with part.open("rb") as whole:
        found = hashlib.file_digest(whole, "sha256").hexdigest()
    if found != known.sha256:
        part.unlink()
        raise ModelError(
            f"what {known.source} sent is not {known.name}: SHA-256 {found[:12]}, published is "
            f"{(known.sha256 or 'unknown')[:12]}; it was removed",
            "try again; if it happens again, something between here and there changes files",
        )


class _Careful(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from an encrypted connection to a plain one."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: BinaryIO,  # type: ignore[override]
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.URLError(f"it leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Opens http(s) addresses, through the proxies of the environment; no files, no ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Careful(),
    ):
        opener.add_handler(handler)
    return opener


@contextlib.contextmanager
def _errors_explained(known: WeightFile, path: Path) -> Iterator[None]:
    """What goes wrong on the way, as an error that says how to get the file otherwise."""
    by_hand = f"run the same again to go on, or get the file by other means and put it at {path}"
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise ServiceError(
            f"{known.source} answers {error.code} {error.reason}", by_hand
        ) from error
    except http.client.IncompleteRead as error:
        raise ServiceError(
            f"{known.source} hung up too early; what came is kept", by_hand
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        why = getattr(error, "reason", None) or error or type(error).__name__
        raise ServiceError(f"{known.source} cannot be reached: {why}", by_hand) from error
    except PermissionError as error:
        raise ModelError(
            f"{path.parent} cannot be written: {error.strerror}",
            "choose another folder with the setting `models`",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or error.filename:
            raise  # the disk's trouble, not the connection's
        why = error.strerror or str(error)
        raise ServiceError(f"{known.source} hung up: {why}; what came is kept", by_hand) from error
