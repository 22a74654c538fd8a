"""Photos of the store by id: as small and large JPEGs, and only as they were indexed.

A request never names a file. The id leads to a row of the store, the row to a file, and the
file is shown only while its bytes hash to what was indexed: a link, a device or another file
that has taken the place of a photo is answered with 410, and nothing of it is sent.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usearch.errors import InputError
from usearch.serve.problems import Problem
from usearch.store.parts import PhotoRow, photo_rows
from usearch.stored_photos import photo_reader

if TYPE_CHECKING:
    from usearch.records import Image
    from usearch.store import Snapshot

_MEMORY = 64 << 20
"""Bytes of encoded pictures that are kept in memory."""


def photo_of(snapshot: Snapshot, photo_id: int) -> PhotoRow:
    """The row of a photo.

    Raises:
        Problem: 404, the store has no such photo.
    """
    table = snapshot.photos()
    ids = table["photo_id"].to_numpy()
    at = int(np.searchsorted(ids, photo_id))
    if at == len(ids) or ids[at] != photo_id:
        raise Problem(404, "not_found", f"there is no photo {photo_id}")
    return photo_rows(table.slice(at, 1))[0]


def file_of(photo: PhotoRow) -> tuple[Path, os.stat_result]:
    """The file of a photo and its state, links resolved.

    Raises:
        Problem: 410, it is gone, or no longer what was indexed.
    """
    root = Path(photo.root)
    try:
        file = (root / photo.path).resolve(strict=True)
        inside = file.is_relative_to(root.resolve(strict=True))
        status = file.stat()
    except (OSError, RuntimeError, ValueError):
        raise gone("the photo's file is gone") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size != photo.bytes:
        raise gone("the photo has changed since it was indexed")
    if not inside and not _same_content(file, photo):
        raise gone("the photo's file leads out of its folder")
    return file, status


def gone(message: str) -> Problem:
    """410: a photo cannot be shown as it was indexed."""
    return Problem(410, "gone", message, "usearch index looks at the folder again")


def _same_content(file: Path, photo: PhotoRow) -> bool:
    from indexer.photos import PhotoError, hash_file

    try:
        return bool(photo.hash) and hash_file(file) == photo.hash
    except PhotoError:
        return False


def read_photo(snapshot: Snapshot, photo: PhotoRow, side: int) -> Image:
    """Pixels of a photo, uint8 [H, W, 3], longest side at most `side`.

    Raises:
        Problem: 410, its file is gone or is no longer what was indexed.
    """
    file_of(photo)
    try:
        return photo_reader(snapshot)(str(Path(photo.root) / photo.path), side)
    except InputError:
        raise gone("the photo's file is gone, or has changed since it was indexed") from None


def jpeg(image: Image) -> bytes:
    """A JPEG of pixels, without metadata."""
    import io

    from PIL import Image as Pillow

    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "JPEG", quality=86)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and the name of its content, for `ETag`."""

    data: bytes
    tag: str


class Pictures:
    """Resized photos, kept in memory and, when small, in the store's `cache/`.

    Names are hashes of the content, so what is kept never goes stale: a photo that changed
    is found out by `file_of` before anything kept is looked at.

    Args:
        folder: Where small pictures are kept between runs; None, or one that cannot be
            written, keeps them in memory alone.
        kept_side: Longest side up to which pictures go into the folder.
    """

    def __init__(self, folder: Path | None, kept_side: int) -> None:
        self._folder = folder
        self._kept_side = kept_side
        self._memory: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, snapshot: Snapshot, photo: PhotoRow, side: int) -> Picture:
        """A photo at one of the sides that are offered.

        Raises:
            Problem: 410, its file is gone or is no longer what was indexed.
        """
        _, status = file_of(photo)
        # A new time with the old size may be a new content: it is read and hashed again.
        data = self._kept(photo, side) if status.st_mtime_ns == photo.mtime_ns else None
        if data is None:
            data = jpeg(read_photo(snapshot, photo, side))
            self._write(photo, side, data)
        self._remember(photo, side, data)
        return Picture(data, f"{photo.hash}-{side}")

    def _kept(self, photo: PhotoRow, side: int) -> bytes | None:
        with self._lock:
            data = self._memory.get((photo.hash, side))
        if data is not None or self._folder is None or side > self._kept_side:
            return data
        try:
            data = self._file(photo, side).read_bytes()
        except OSError:
            return None
        whole = data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")
        return data if whole else None

    def _remember(self, photo: PhotoRow, side: int, data: bytes) -> None:
        with self._lock:
            old = self._memory.pop((photo.hash, side), b"")
            self._memory[photo.hash, side] = data
            self._held += len(data) - len(old)
            while self._held > _MEMORY and len(self._memory) > 1:
                self._held -= len(self._memory.popitem(last=False)[1])

    def _write(self, photo: PhotoRow, side: int, data: bytes) -> None:
        if self._folder is None or side > self._kept_side:
            return
        file = self._file(photo, side)
        part = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(data)
                part.replace(file)
            finally:
                part.unlink(missing_ok=True)
        except OSError:
            self._folder = None  # read-only or full: memory has to do

    def _file(self, photo: PhotoRow, side: int) -> Path:
        assert self._folder is not None
        return self._folder / photo.hash[:2] / f"{photo.hash[2:]}-{side}.jpg"
