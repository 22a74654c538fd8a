"""Photos: finding them, and reading one safely whatever the file holds.

    discover(roots)  -> FoundPhoto ...     (indexer.discovery)
    decode(path)     -> DecodedPhoto       or PhotoError with a reason code and one line

A file is opened once and never as anything but a regular file. Its hash and its pixels come
from the same open file, and size, time and inode are compared before and after, so that a
vector is never attached to other content than it was made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageFile, UnidentifiedImageError

from indexer.discovery import FoundPhoto, Survey, discover
from indexer.pixels import upright_rgb
from usearch.records import Image

__all__ = [
    "MAX_PIXELS",
    "MAX_SIDE",
    "REASONS",
    "DecodedPhoto",
    "FoundPhoto",
    "PhotoError",
    "Survey",
    "check_header",
    "decode",
    "discover",
    "hash_file",
]

MAX_SIDE = 1024
"""Longest side, in pixels, at which photos are cut into segments."""

MAX_PIXELS = 250_000_000
"""Pixels of the largest photo that is decoded: a 200-megapixel phone picture passes, and the
memory for it (3 to 4 bytes a pixel) stays within 1 GB a worker."""

REASONS = {
    "empty": "the file has no bytes",
    "truncated": "the file ends too early",
    "damaged": "the file's data is broken",
    "not_an_image": "the file is no picture of a known kind",
    "too_large": "more pixels than the limit",
    "no_memory": "memory ran out while decoding",
    "unreadable": "the system refused to read the file",
    "not_a_file": "a pipe, socket or device",
    "vanished": "the file went away before it was read",
    "changed": "the file changed while it was read",
    "needs_heic": "HEIC needs the optional package pillow-heif",
    "crashed_decoder": "reading the file ended the worker process, twice",
    "no_masks": "the mask file has no mask of this photo",
    "mask_size": "the mask file has masks of a photo of another shape",
}
"""Reason codes of photos that are not indexed, and what they mean."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Formats that are tried; the other decoders of Pillow (some start programs) never run."""

_HEIF_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"))
_EXIF_IFD, _DATE_TAKEN, _DATE, _MAKE, _MODEL = 0x8769, 0x9003, 0x0132, 0x010F, 0x0110
_PILLOW_LOCK = threading.Lock()


class PhotoError(Exception):
    """A photo that cannot be indexed.

    Args:
        reason: One of `REASONS`.
        detail: One line for people.
        size: Width and height in pixels where the header told them, else zeros.
        content_hash: Hash of the content where the file could be read to its end, else "".
    """

    def __init__(
        self, reason: str, detail: str, size: tuple[int, int] = (0, 0), content_hash: str = ""
    ) -> None:
        super().__init__(reason, detail, size, content_hash)
        self.reason = reason
        self.detail = detail
        self.size = size
        self.content_hash = content_hash

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """A photo as it is shown.

    Attributes:
        image: uint8 [h, w, 3] RGB, upright, longest side at most the `max_side` asked for.
        width: Full width in pixels, after EXIF orientation.
        height: Full height in pixels, after EXIF orientation.
        taken_at: ISO time without zone from EXIF, or None.
        camera: Maker and model from EXIF, or None.
        bytes: Size of the file that was read.
        mtime_ns: Its time of last change.
        hash: BLAKE2b of the file's bytes, 32 hexadecimal digits.
        note: What a person should know, such as that the file was cut short; "" when nothing.
    """

    image: Image
    width: int
    height: int
    taken_at: str | None
    camera: str | None
    bytes: int
    mtime_ns: int
    hash: str
    note: str = ""


class SameContent(Exception):
    """The file's hash is the one already known: there is nothing to decode."""

    def __init__(self, n_bytes: int, mtime_ns: int) -> None:
        super().__init__(n_bytes, mtime_ns)
        self.n_bytes = n_bytes
        self.mtime_ns = mtime_ns


def decode(
    path: Path | str,
    max_side: int = MAX_SIDE,
    max_pixels: int = MAX_PIXELS,
    *,
    allow_truncated: bool = False,
    known_hash: str = "",
) -> DecodedPhoto:
    """Reads one photo.

    Args:
        path: The file.
        max_side: Longest side of the decoded image in pixels; larger photos are reduced.
        max_pixels: Photos whose header says more are refused before anything is allocated.
        allow_truncated: Show a file that ends too early as far as it goes.
        known_hash: Stop after hashing when the content has this hash.

    Raises:
        PhotoError: The file cannot be shown; its `reason` is one of `REASONS`.
        SameContent: The content has the hash `known_hash`.
    """
    for attempt in (1, 2):
        try:
            return _decode_once(os.fspath(path), max_side, max_pixels, allow_truncated, known_hash)
        except PhotoError as error:
            if error.reason != "changed" or attempt == 2:
                raise
    raise AssertionError("unreachable")


def check_header(path: Path | str, max_pixels: int = MAX_PIXELS) -> None:
    """Refuses a file for what can be told without decoding it.

    Raises:
        PhotoError: It is empty, no picture, too large, or cannot be opened.
    """
    with _opened(os.fspath(path)) as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise PhotoError("empty", REASONS["empty"])
        with _picture(file, max_pixels):
            return


def hash_file(path: Path | str) -> str:
    """BLAKE2b of a file's bytes, 32 hexadecimal digits.

    Raises:
        PhotoError: The file cannot be read.
    """
    with _opened(os.fspath(path)) as file:
        return _hash(file)


def _hash(file: BufferedReader) -> str:
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BufferedReader]:
    try:
        # Without O_NONBLOCK a pipe that has taken the place of a file would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise PhotoError("vanished", REASONS["vanished"]) from None
    except OSError as error:
        raise PhotoError("unreadable", (error.strerror or str(error)).lower()) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PhotoError("not_a_file", "not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _decode_once(
    path: str, max_side: int, max_pixels: int, allow_truncated: bool, known_hash: str
) -> DecodedPhoto:
    with _opened(path) as file:
        before = os.fstat(file.fileno())
        if before.st_size == 0:
            raise PhotoError("empty", REASONS["empty"])
        try:
            content = _hash(file)
        except OSError as error:
            raise PhotoError("unreadable", (error.strerror or str(error)).lower()) from None
        if known_hash and content == known_hash:
            raise SameContent(before.st_size, before.st_mtime_ns)
        failure: PhotoError | None = None
        try:
            shown, note = _show(file, max_side, max_pixels, allow_truncated)
        except PhotoError as error:
            failure = PhotoError(error.reason, error.detail, error.size, content)
        if _identity(before) != _identity_of(path):
            raise PhotoError("changed", REASONS["changed"])
        if failure is not None:
            raise failure
    image, width, height, taken_at, camera = shown
    return DecodedPhoto(
        image=image,
        width=width,
        height=height,
        taken_at=taken_at,
        camera=camera,
        bytes=before.st_size,
        mtime_ns=before.st_mtime_ns,
        hash=content,
        note=note,
    )


_Shown = tuple[Image, int, int, str | None, str | None]


def _show(
    file: BufferedReader, max_side: int, max_pixels: int, allow_truncated: bool
) -> tuple[_Shown, str]:
    """Pixels and EXIF facts of an open file, and a note."""
    try:
        return _show_with(file, max_side, max_pixels, tolerant=False), ""
    except PhotoError as error:
        if error.reason != "truncated" or not allow_truncated:
            raise
    shown = _show_with(file, max_side, max_pixels, tolerant=True)
    return shown, "the file ends too early; shown as far as it goes"


def _show_with(file: BufferedReader, max_side: int, max_pixels: int, *, tolerant: bool) -> _Shown:
    with _picture(file, max_pixels, tolerant=tolerant) as picture:
        width, height = picture.size
        try:
            image, width, height = upright_rgb(picture, max_side)
        except MemoryError:
            detail = f"no memory for {width} x {height} pixels"
            raise PhotoError("no_memory", detail) from None
        except Exception as error:  # noqa: BLE001 - decoders raise anything on broken bytes
            raise _broken(error) from None
        return image, width, height, *_exif_facts(picture)


@contextlib.contextmanager
def _picture(
    file: BufferedReader, max_pixels: int, *, tolerant: bool = False
) -> Iterator[Pillow.Image]:
    """An open file as a picture of which the header is read, and nothing else yet."""
    file.seek(0)
    head = file.read(32)
    file.seek(0)
    formats: tuple[str, ...] = _FORMATS
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        _register_heif()
        formats = ("HEIF",)
    with _pillow_set(tolerant=tolerant), _open(file, formats, head) as picture:
        width, height = picture.size
        if width * height > max_pixels:
            raise PhotoError(
                "too_large",
                f"{width} x {height} = {width * height:,} pixels, the limit is "
                f"{max_pixels:,} (--max-pixels)",
                (width, height),
            )
        yield picture


@contextlib.contextmanager
def _pillow_set(*, tolerant: bool) -> Iterator[None]:
    """Pillow's global switches as this module needs them, put back afterwards.

    The pixel limit is checked here, from the header, with a message that names the option;
    Pillow's own two limits would otherwise come first.
    """
    with _PILLOW_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = Pillow.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Pillow.MAX_IMAGE_PIXELS = None
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
        try:
            yield
        finally:
            Pillow.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = saved


def _open(file: BufferedReader, formats: tuple[str, ...], head: bytes) -> Pillow.Image:
    try:
        return Pillow.open(file, formats=formats)
    except UnidentifiedImageError:
        if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")):
            raise PhotoError("damaged", "begins like a picture, but has no usable header") from None
        kind = _kind_of_text(head)
        detail = f"the file holds {kind}" if kind else REASONS["not_an_image"]
        raise PhotoError("not_an_image", detail) from None
    except MemoryError:
        raise PhotoError("no_memory", "no memory for the picture's header") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything on broken bytes
        raise _broken(error) from None


def _kind_of_text(head: bytes) -> str:
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page"
    if start.startswith((b"<svg", b"<?xml")):
        return "a vector drawing or other XML"
    return "text" if start and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start) else ""


def _broken(error: Exception) -> PhotoError:
    """Which kind of broken file an exception of a decoder stands for."""
    text = " ".join(str(error).split()) or type(error).__name__
    early = isinstance(error, EOFError) or any(
        word in text.lower() for word in ("truncated", "unexpected end", "not enough data")
    )
    if early:
        return PhotoError("truncated", "the file ends too early (--allow-truncated shows the rest)")
    return PhotoError("damaged", text[:200])


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError:
        raise PhotoError(
            "needs_heic", "HEIC photos need one more package: pip install 'use-segments[heic]'"
        ) from None
    pillow_heif.register_heif_opener()


def _exif_facts(picture: Pillow.Image) -> tuple[str | None, str | None]:
    """When and with what a photo was taken; None where EXIF does not say it well."""
    try:
        exif = picture.getexif()
        stamp = exif.get_ifd(_EXIF_IFD).get(_DATE_TAKEN) or exif.get(_DATE)
        make, model = _text(exif.get(_MAKE)), _text(exif.get(_MODEL))
    except Exception:  # noqa: BLE001 - hostile EXIF raises anything; the pixels are fine
        return None, None
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return _iso_time(_text(stamp)), camera or None


def _iso_time(stamp: str) -> str | None:
    try:
        return datetime.strptime(stamp, "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value.split("\0")[0] if char.isprintable()).strip()[:100]


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _identity_of(path: str) -> tuple[int, int, int, int] | None:
    try:
        return _identity(os.stat(path))  # noqa: PTH116
    except OSError:
        return None
