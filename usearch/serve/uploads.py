"""Pictures that are given as questions: kept for a while, under names that nobody guesses."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from usearch.serve.limits import Limits
from usearch.serve.problems import Problem

_SHOWN_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that was given.

    Attributes:
        id: What later requests name it by.
        path: The file that holds its bytes.
        width: In pixels as shown.
        height: As `width`.
        shown: A JPEG of it.
    """

    id: str
    path: Path
    width: int
    height: int
    shown: bytes


class Uploads:
    """The pictures given lately, in a folder of this process's own."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._folder = tempfile.TemporaryDirectory(prefix="usearch-serve-")
        self._kept: OrderedDict[str, Upload] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, data: bytes) -> Upload:
        """Keep a picture.

        Raises:
            Problem: It is no picture that can be read, or too large.
        """
        from indexer.photos import PhotoError, decode
        from usearch.serve.pictures import jpeg

        name = secrets.token_urlsafe(18)
        path = Path(self._folder.name) / name
        path.write_bytes(data)
        try:
            decoded = decode(path, _SHOWN_SIDE, self._limits.upload_pixels)
        except PhotoError as problem:
            path.unlink()
            if problem.reason == "too_large":
                most = f"{self._limits.upload_pixels:,} pixels are the limit"
                raise Problem(413, "too_large", most) from None
            raise Problem(415, "picture", f"the picture cannot be read: {problem.detail}") from None
        upload = Upload(name, path, decoded.width, decoded.height, jpeg(decoded.image))
        with self._lock:
            self._kept[name] = upload
            while len(self._kept) > self._limits.uploads:
                self._kept.popitem(last=False)[1].path.unlink(missing_ok=True)
        return upload

    def get(self, name: str) -> Upload:
        """A picture that is still kept.

        Raises:
            Problem: 404, it is not.
        """
        with self._lock:
            if name not in self._kept:
                hint = "give it once more"
                raise Problem(404, "not_found", "that picture is no longer here", hint)
            self._kept.move_to_end(name)
            return self._kept[name]

    def close(self) -> None:
        """Remove all of them."""
        self._folder.cleanup()
