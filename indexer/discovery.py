"""Finds photos below folders: each once, in a stable order, whatever the folders hold.

Nothing is decoded here. A name only preselects; what a file really holds is decided when
it is read (`indexer.photos`). Only files without any suffix are opened, for their first
bytes. Pipes, sockets and devices are never opened: reading one could wait for ever.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from usearch.errors import InputError
from usearch.render.safe_text import printable

PHOTO_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "bmp", "dib"),
        *("tif", "tiff", "avif", "avifs", "heic", "heif", "hif", "jp2", "j2k", "jpx"),
        *("ppm", "pgm", "pbm", "pnm"),
    )
)
"""File name endings, in lower case, that are taken for photos when no pattern is given."""

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
_PHOTO_BRANDS = frozenset((b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1"))
"""Major brands of ISO media files that hold pictures; the others are films."""


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A file that may be a photo.

    Attributes:
        root: Folder that was asked for (for a single file: the folder it is in), absolute and
            without links.
        path: Relative to `root`, '/' between folders; bytes that are not UTF-8 are kept as
            surrogates (PEP 383), so that any name finds its file again.
        bytes: Size of the file.
        mtime_ns: Time of its last change, nanoseconds since 1970.
        problem: Why the file cannot be read as a photo, "" when that is still open.
    """

    root: str
    path: str
    bytes: int
    mtime_ns: int
    problem: str = ""

    @property
    def full_path(self) -> str:
        """The file's absolute path."""
        return f"{self.root.rstrip('/')}/{self.path}"


@dataclass(slots=True)
class Survey:
    """What a discovery passed over, filled while it runs.

    Attributes:
        other_suffixes: How many files were left out for their name, by suffix ("" = none).
        hidden: Hidden files and folders left out.
        links_left_out: Links that lead out of the roots, or nowhere.
        unreadable: Folders that could not be listed, with the system's reason.
    """

    other_suffixes: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    links_left_out: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def discover(
    roots: Sequence[Path],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    leave_out: Sequence[Path] = (),
    follow_links: bool = False,
    survey: Survey | None = None,
) -> Iterator[FoundPhoto]:
    """Photos below folders, sorted by name within each folder.

    Every real folder is visited once (by device and inode), so loops of links end. A link
    to a place inside the roots adds nothing, because that place is visited by its own name,
    unless it is hidden; links that lead out of the roots are only followed when asked.

    Args:
        roots: Folders, or single files (which are taken whatever their name is).
        include: Glob patterns, matched without regard to case against a file's name and its
            relative path; by default the endings of `PHOTO_SUFFIXES`.
        exclude: Glob patterns of files and folders to leave out.
        leave_out: Folders never entered, such as the store.
        follow_links: Also follow links that lead out of the roots.
        survey: Is filled with what was passed over.

    Raises:
        InputError: A root does not exist or cannot be listed.
    """
    walk = _Walk(
        include=tuple(p.lower() for p in include),
        exclude=tuple(p.lower() for p in exclude),
        roots=[os.path.realpath(r) for r in roots],
        follow_links=follow_links,
        survey=Survey() if survey is None else survey,
    )
    for folder in leave_out:
        if folder.is_dir():
            walk.enter(folder.stat())
    # A file may be asked for by itself and be met again in its folder, or the other way round.
    alone = {resolved_root(root) for root in roots if not root.is_dir()}
    for root in roots:
        for photo in walk.root(root):
            if photo.full_path in alone:
                if photo.full_path in walk.given:
                    continue
                walk.given.add(photo.full_path)
            yield photo


def resolved_root(root: Path) -> str:
    """A folder or file that was asked for, by the one path that photos in it are known by.

    Links are resolved, so that what is reached by two names is one folder, or one photo.
    """
    return os.path.realpath(root)


@dataclass(slots=True)
class _Walk:
    """One discovery: patterns and the folders already entered."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    roots: list[str]
    follow_links: bool
    survey: Survey
    entered: set[tuple[int, int]] = field(default_factory=set)
    given: set[str] = field(default_factory=set)

    def enter(self, status: os.stat_result) -> bool:
        """Whether this real folder is met for the first time."""
        key = (status.st_dev, status.st_ino)
        first = key not in self.entered
        self.entered.add(key)
        return first

    def root(self, asked: Path) -> Iterator[FoundPhoto]:
        try:
            status = asked.stat()
        except OSError as error:
            raise InputError(
                f"{printable(str(asked.absolute()))}: {_reason(error)}",
                "Check the path, or mount the disk.",
            ) from error
        given = resolved_root(asked)
        if not stat.S_ISDIR(status.st_mode):
            folder, name = os.path.split(given)
            yield _found(folder, name, status)
            return
        if not self.enter(status):
            return
        try:
            os.scandir(given).close()
        except OSError as error:
            raise InputError(
                f"{printable(given)}: {_reason(error)}", "Give yourself the right to list it."
            ) from error
        links: list[str] = []
        yield from self.below(given, "", links)
        # Links come after all real folders: a photo keeps the name of the place it lies in.
        while links:
            yield from self.linked(given, links.pop(0), links)

    def below(self, root: str, start: str, links: list[str]) -> Iterator[FoundPhoto]:
        """Photos of one folder and the real folders in it; links are put aside."""
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(os.path.join(root, folder)) as listing:  # noqa: PTH118
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                self.survey.unreadable[os.path.join(root, folder)] = _reason(error)  # noqa: PTH118
                continue
            folders: list[str] = []
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith("."):
                    self.survey.hidden += 1
                elif _matches(self.exclude, path):
                    self.survey.other_suffixes["(excluded)"] += 1
                elif entry.is_symlink():
                    links.append(path)
                else:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue  # gone since the folder was listed
                    if stat.S_ISDIR(status.st_mode):
                        if self.enter(status):
                            folders.append(path)
                    elif self.wanted(root, path, status):
                        yield _found(root, path, status)
            pending.extend(reversed(folders))

    def linked(self, root: str, path: str, links: list[str]) -> Iterator[FoundPhoto]:
        """Photos behind one link, when it leads where it may lead."""
        full = os.path.join(root, path)  # noqa: PTH118
        target = os.path.realpath(full)
        try:
            status = os.stat(target)  # noqa: PTH116
        except OSError:
            self.survey.links_left_out += 1
            return
        home = next((r for r in self.roots if _inside(target, r)), None)
        if home is None and not self.follow_links:
            self.survey.links_left_out += 1
        elif stat.S_ISDIR(status.st_mode):
            if self.enter(status):
                yield from self.below(root, path, links)
        else:
            seen_by_itself = home is not None and not any(
                part.startswith(".") for part in Path(target).relative_to(home).parts
            )
            if not seen_by_itself and target not in self.given and self.wanted(root, path, status):
                self.given.add(target)
                yield _found(root, path, status)

    def wanted(self, root: str, path: str, status: os.stat_result) -> bool:
        """Whether a file's name, or its first bytes where the name says nothing, fit."""
        suffix = Path(path).suffix.lower()
        if self.include:
            fits = _matches(self.include, path)
        else:
            fits = suffix in PHOTO_SUFFIXES
            if not fits and suffix == "" and stat.S_ISREG(status.st_mode):
                fits = _begins_like_a_photo(os.path.join(root, path))  # noqa: PTH118
        if not fits:
            self.survey.other_suffixes[suffix] += 1
        return fits


def _found(root: str, path: str, status: os.stat_result) -> FoundPhoto:
    problem = ""
    if not stat.S_ISREG(status.st_mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        problem = kinds.get(stat.S_IFMT(status.st_mode), "a device")
    return FoundPhoto(root, path.replace(os.sep, "/"), status.st_size, status.st_mtime_ns, problem)


def _matches(patterns: Sequence[str], path: str) -> bool:
    lower = path.lower()
    name = lower.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(lower, p) for p in patterns)


def _begins_like_a_photo(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(16)
    except OSError:
        return False
    return (
        head.startswith(_SIGNATURES)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in _PHOTO_BRANDS)
    )


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
