"""What a run has to do: the photos found now, compared with those that a store knows.

A photo is known by its full path below the resolved root. With the same size and time it is
taken as unchanged and never opened. A new path whose file has the content of a photo that is
gone from its own path is that photo, moved. Everything else is a task for the workers.
"""

from __future__ import annotations

import importlib.util
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from indexer.discovery import FoundPhoto
from indexer.photos import PhotoError, hash_file
from usearch.store import PhotoRow
from usearch.store.names import real_name
from usearch.store.parts import photo_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from usearch.store import Snapshot


@dataclass(frozen=True, slots=True)
class Task:
    """One file for a worker.

    Attributes:
        number: Position in the run; results are stored in this order.
        photo: The file.
        known: The store's row for this file; its new row takes that one's place.
        anew: Its vectors are made anew even where the content is the known one.
    """

    number: int
    photo: FoundPhoto
    known: PhotoRow | None = None
    anew: bool = False

    @property
    def known_hash(self) -> str:
        """Content that needs no new vectors; "" when there is none."""
        same = self.known is not None and self.known.status == "ok" and not self.anew
        return self.known.hash if same and self.known is not None else ""


@dataclass(slots=True)
class Plan:
    """The work of one run.

    Attributes:
        tasks: Files to read.
        moves: photo_id to its row at the new place.
        gone: photo_ids whose file is no longer there, below the folders that were asked for.
        unchanged: Photos that need nothing.
        failed_before: Reasons of unchanged photos that could not be read in an earlier run.
        postponed: Files left for another run by `limit`.
        empty_roots: Roots in which nothing is left of the photos that the store has there.
    """

    tasks: list[Task] = field(default_factory=list)
    moves: dict[int, PhotoRow] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    unchanged: int = 0
    failed_before: Counter[str] = field(default_factory=Counter)
    postponed: int = 0
    empty_roots: list[str] = field(default_factory=list)


class KnownPhotos:
    """The photos of a snapshot by full path, with little memory a photo.

    Roots are resolved: one may have become a link since, or two may lead to one folder now.
    `doubles` are the rows that lost their path to another one for that.
    """

    def __init__(self, snapshot: Snapshot | None) -> None:
        self._table: pa.Table | None = None if snapshot is None else snapshot.photos()
        self.row_of: dict[str, int] = {}
        self.doubles: dict[int, str] = {}
        if self._table is None:
            return
        columns = {
            name: self._table.column(name).to_pylist()
            for name in ("root", "path", "bytes", "mtime_ns", "hash", "status", "photo_id")
        }
        self.bytes: list[int] = columns["bytes"]
        self.mtime_ns: list[int] = columns["mtime_ns"]
        self.hash: list[str] = columns["hash"]
        self.status: list[str] = columns["status"]
        self.photo_id: list[int] = columns["photo_id"]
        roots = {root: os.path.realpath(real_name(root)) for root in set(columns["root"])}
        for row, (root, path) in enumerate(zip(columns["root"], columns["path"], strict=True)):
            full_path = f"{roots[root].rstrip('/')}/{real_name(path)}"
            if self.row_of.setdefault(full_path, row) != row:
                self.doubles[row] = full_path

    def photo(self, row: int) -> PhotoRow:
        """All columns of one photo."""
        assert self._table is not None, "no snapshot has no rows"
        return photo_rows(self._table.slice(row, 1))[0]


def make_plan(
    found: Iterable[FoundPhoto],
    known: KnownPhotos,
    roots: Sequence[str],
    *,
    max_pixels: int,
    retry: bool = False,
    verify: bool = False,
    limit: int | None = None,
    without_keys: AbstractSet[int] = frozenset(),
) -> Plan:
    """Compares what was found with what is known.

    Args:
        found: Photos below `roots`.
        known: Photos of the store.
        roots: Folders and files that were searched, from `discovery.resolved_root`.
        max_pixels: Photos refused for their size are tried again when they fit this limit.
        retry: Try photos again that could not be read before.
        verify: Read the content of unchanged photos too, in case a file was changed behind
            its size and time.
        limit: At most so many tasks; the rest is left to another run.
        without_keys: Ids of photos that are to be cut and embedded again for their visual keys.
    """
    plan = Plan()
    new: list[FoundPhoto] = []
    changed: list[tuple[FoundPhoto, int]] = []
    seen: set[int] = set()
    for photo in found:
        row = known.row_of.get(photo.full_path)
        if row is None:
            new.append(photo)
            continue
        seen.add(row)
        same = photo.bytes == known.bytes[row] and photo.mtime_ns == known.mtime_ns[row]
        status = known.status[row]
        failed = status != "ok"
        again = (retry or _may_work_now(known.photo(row), max_pixels)) if failed else verify
        if again or not same or known.photo_id[row] in without_keys:
            changed.append((photo, row))
            continue
        plan.unchanged += 1
        if status != "ok":
            plan.failed_before[status] += 1
    away = {row for row in _below(known.row_of.items(), roots) if row not in seen}
    gone = {row: path for path, row in known.row_of.items() if row in away and _is_gone(path)}
    _find_moves(plan, new, known, gone)
    doubles = _below(((path, row) for row, path in known.doubles.items()), roots)
    plan.gone = [known.photo_id[row] for row in sorted([*gone, *doubles])]
    plan.empty_roots = _empty_roots(known, roots, seen, set(gone))
    work = [
        *(Task(0, photo) for photo in new),
        *(_task_again(photo, known.photo(row), without_keys) for photo, row in changed),
    ]
    work.sort(key=lambda task: task.photo.full_path)
    if limit is not None and len(work) > limit:
        plan.postponed = len(work) - limit
        del work[limit:]
    plan.tasks = [replace(task, number=number) for number, task in enumerate(work)]
    return plan


def _task_again(photo: FoundPhoto, known: PhotoRow, without_keys: AbstractSet[int]) -> Task:
    """A task for a known file, which keeps the root under which it was indexed first."""
    same_place = replace(photo, root=known.root, path=known.path)
    return Task(0, same_place, known, anew=known.photo_id in without_keys)


def _may_work_now(failed: PhotoRow, max_pixels: int) -> bool:
    """Whether what kept a photo out is another now, although the file is the same."""
    if failed.status == "needs_heic":
        return importlib.util.find_spec("pillow_heif") is not None
    if failed.status == "too_large":
        return failed.width * failed.height <= max_pixels
    if failed.status == "unreadable":
        return os.access(f"{failed.root}/{failed.path}", os.R_OK)
    return failed.status == "no_memory"


def _below(rows: Iterable[tuple[str, int]], roots: Sequence[str]) -> Iterator[int]:
    """Rows of known photos, given by path and row, that lie below a root or are one."""
    prefixes = tuple(root.rstrip("/") + "/" for root in roots)
    for path, row in rows:
        if path.startswith(prefixes) or path in roots:
            yield row


def _is_gone(path: str) -> bool:
    """Whether the system says that there is no such file, or a folder in its place.

    Any other trouble says nothing.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return os.path.isdir(path)  # noqa: PTH112


def _find_moves(
    plan: Plan, new: list[FoundPhoto], known: KnownPhotos, gone: dict[int, str]
) -> None:
    """Takes photos out of `new` and `gone` that are one and the same, moved.

    Photos that went away anywhere are candidates, not only below the roots of this run: a
    photo may have been moved from one indexed folder to another.
    """
    sizes = {photo.bytes for photo in new}
    by_size: dict[int, list[int]] = defaultdict(list)
    for path, row in known.row_of.items():
        if (
            known.bytes[row] in sizes
            and known.status[row] == "ok"
            and (row in gone or _is_gone(path))
        ):
            by_size[known.bytes[row]].append(row)
    kept: list[FoundPhoto] = []
    for photo in new:
        old = _same_content(photo, by_size.get(photo.bytes, []), known)
        if old is None:
            kept.append(photo)
            continue
        by_size[photo.bytes].remove(old)
        gone.pop(old, None)
        plan.moves[known.photo_id[old]] = replace(
            known.photo(old), root=photo.root, path=photo.path, mtime_ns=photo.mtime_ns
        )
    new[:] = kept


def _same_content(photo: FoundPhoto, rows: list[int], known: KnownPhotos) -> int | None:
    if not rows or photo.problem:
        return None
    try:
        content = hash_file(photo.full_path)
    except PhotoError:
        return None
    return next((row for row in rows if known.hash[row] == content), None)


def _empty_roots(
    known: KnownPhotos, roots: Sequence[str], seen: set[int], gone: set[int]
) -> list[str]:
    """Roots where the store has photos and all of them are gone: a disk not mounted?"""
    empty = []
    for root in roots:
        rows = list(_below(known.row_of.items(), [root]))
        if len(rows) > 1 and not any(row in seen for row in rows) and all(r in gone for r in rows):
            empty.append(root)
    return empty
