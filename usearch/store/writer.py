"""Writing: one process at a time, one part and one atomic commit for each batch."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np

from usearch import __version__
from usearch.errors import SpaceMismatch, StoreError, StoreNotFound, UsearchError
from usearch.records import EmbeddingSpace, FloatArray, Segments
from usearch.store import commits, compact, files
from usearch.store import manifest as manifests
from usearch.store import parts as part_files
from usearch.store.ivf import ensure_index
from usearch.store.keys import half_keys
from usearch.store.lock import WriteLock
from usearch.store.manifest import Manifest, PartEntry, RemovedPhoto
from usearch.store.names import stored_name
from usearch.store.parts import HalfArray, IndexedPhoto, PhotoRow, RowArray, SegmentRows
from usearch.store.snapshot import Snapshot

_OURS = {"lock", "parts", "index", "cache", manifests.NAME + ".tmp"}


def open_writer(
    path: Path,
    *,
    space: EmbeddingSpace,
    preset: str,
    segmenter: str,
    segmenter_settings: dict[str, object],
    keys: EmbeddingSpace | None = None,
) -> Writer:
    """Open a store for writing; it is made when there is none.

    Args:
        path: The store's folder.
        space: Space of the vectors that will be added.
        preset: Name of the preset, for people.
        segmenter: Name of the segmenter.
        segmenter_settings: Its settings, plain JSON values.
        keys: Space of the visual keys that will be added; None when there are none.

    Raises:
        StoreBusy: Somebody else is writing it.
        SpaceMismatch: It holds vectors of another space.
        StoreError: It is damaged, newer, read-only, or was cut by another segmenter.
    """
    path = Path(path).absolute()
    # As they will be read back: a tuple becomes a list.
    segmenter_settings = json.loads(json.dumps(segmenter_settings))
    _refuse_strange_folder(path)
    _read_or_none(path)  # a newer or damaged store is refused before anything is touched
    files.make_folder(path)
    lock = WriteLock(path)
    try:
        found = _read_or_none(path)
        if found is None:
            now = _now()
            found = Manifest(
                store_id=uuid.uuid4().hex,
                version=1,
                created_at=now,
                changed_at=now,
                space=space,
                preset=preset,
                segmenter=segmenter,
                segmenter_settings=dict(segmenter_settings),
                written_by=__version__,
            )
            files.make_folder(path / "parts")
            manifests.write(path, found, None)
        _check_same(path, found, space, segmenter, segmenter_settings)
        return Writer(path, Snapshot(path, found), lock, keys)
    except BaseException:
        lock.release()
        raise


class Writer:
    """Adds to a store and takes from it. Use it as a context manager.

    Attributes:
        snapshot: The store after the last commit.
        rejected: Segments left out so far because their vector was not finite or zero.
        warnings: What went wrong in housekeeping, one line each.
        cleaned: Bytes of files that no version names, left by a killed writer, removed.
    """

    def __init__(
        self, path: Path, snapshot: Snapshot, lock: WriteLock, keys: EmbeddingSpace | None
    ) -> None:
        self.path = path
        self._keys = keys
        self.snapshot = snapshot
        self.rejected = 0
        self.warnings: list[str] = []
        self._lock = lock
        self.cleaned = commits.collect(path)
        self._ids = {
            (root, name): photo_id
            for photo_id, root, name in zip(
                *(snapshot.photos()[c].to_pylist() for c in ("photo_id", "root", "path")),
                strict=True,
            )
        }

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the next writer in; what was committed stays."""
        try:
            if self._lock.held:
                with contextlib.suppress(UsearchError):  # the next writer tries again
                    commits.collect(self.path)
        finally:
            self._lock.release()

    def add(self, photos: Sequence[IndexedPhoto], replaces: Sequence[int] = ()) -> list[int]:
        """Add photos as one part, in one commit that also removes `replaces`.

        Segments whose vector is not finite or zero are left out and counted in `rejected`;
        their children become children of the next segment outwards.

        Returns:
            The new photo ids, in the order of `photos`.

        Raises:
            ValueError: A photo that the store has already (same root and path), vectors of
                another shape, or more than 65,536 segments in a photo.
            ResourceError: The disk is full; the store is as it was.
        """
        manifest = self.snapshot.manifest
        removed = self._removal(replaces)
        gone = set(replaces)
        keys = [_key(p.photo) for p in photos]
        for key, photo in zip(keys, photos, strict=True):
            if self._ids.get(key, -1) not in gone | {-1}:
                raise ValueError(f"{photo.photo.path!r} of {photo.photo.root!r} is in the store")
        if len(set(keys)) < len(keys):
            raise ValueError("the same photo twice in one batch")
        ids = list(range(manifest.next_photo_id, manifest.next_photo_id + len(photos)))
        rows: list[PhotoRow] = []
        chunks: list[SegmentRows] = []
        rejected = 0
        for photo_id, photo in zip(ids, photos, strict=True):
            segments, vectors, looks, dropped = self._usable(photo)
            rejected += dropped
            row = replace(photo.photo, photo_id=photo_id, n_segments=len(vectors))
            rows.append(row)
            if segments is not None and len(segments):
                table = part_files.segment_table(row, segments)
                chunks.append(SegmentRows(table, vectors, looks))
        new = list(removed)
        if photos:
            new.append(
                part_files.write_part(
                    self.path,
                    manifest.version + 1,
                    photos=part_files.photo_table(rows),
                    segments=chunks,
                    keys=self._keys if any(c.keys is not None for c in chunks) else None,
                )
            )
        if photos or gone:
            self._commit(
                replace(
                    manifest, parts=tuple(new), next_photo_id=manifest.next_photo_id + len(photos)
                )
            )
        self.rejected += rejected
        self._ids = {k: i for k, i in self._ids.items() if i not in gone} if gone else self._ids
        self._ids.update(zip(keys, ids, strict=True))
        self._merge_small()
        return ids

    def rename(self, moves: Mapping[int, PhotoRow]) -> None:
        """Give photos new paths: photo_id -> row with the new path, root and mtime.

        Ids, segments and vectors stay. One commit.

        Raises:
            ValueError: No such photo, or the new path belongs to another photo.
        """
        if not moves:
            return
        manifest = self.snapshot.manifest
        table = self.snapshot.photos()
        known = part_files.numbers(table["photo_id"])
        rows = []
        after = {i: k for k, i in self._ids.items()}
        for photo_id, row in moves.items():
            at = int(np.searchsorted(known, photo_id))
            if at == len(known) or known[at] != photo_id:
                raise ValueError(f"no photo {photo_id}")
            n = table["n_segments"][at].as_py()
            rows.append(replace(row, photo_id=photo_id, n_segments=n))
            after[photo_id] = _key(row)
        ids = {k: i for i, k in after.items()}
        if len(ids) < len(after):
            raise ValueError("two photos would have the same path")
        part = part_files.write_part(
            self.path,
            manifest.version + 1,
            photos=part_files.no_rows(part_files.PHOTO_SCHEMA),
            segments=[],
            moves=part_files.photo_table(rows),
        )
        self._commit(replace(manifest, parts=(*manifest.parts, part)))
        self._ids = ids
        self._merge_small()

    def remove(self, photo_ids: Sequence[int]) -> None:
        """Remove photos with their segments, in one commit.

        Raises:
            ValueError: No such photo.
        """
        if not len(photo_ids):
            return
        gone = set(photo_ids)
        parts = self._removal(photo_ids)
        self._commit(replace(self.snapshot.manifest, parts=tuple(parts)))
        self._ids = {k: i for k, i in self._ids.items() if i not in gone}

    def finish(self) -> None:
        """After the last batch: drop much that is dead, build the derived index if it pays."""
        self.snapshot = ensure_index(compact.drop_dead(self.snapshot))
        commits.collect(self.path)

    def _removal(self, photo_ids: Sequence[int]) -> list[PartEntry]:
        """The parts of the manifest with photos marked as removed."""
        parts = list(self.snapshot.manifest.parts)
        left = {int(i) for i in photo_ids}
        if not left:
            return parts
        live = set(self._ids.values())
        if not left <= live:
            raise ValueError(f"no photo {min(left - live)}")
        for at, part in enumerate(self.snapshot.parts):
            ids = part_files.numbers(part.photos["photo_id"])
            counts = part_files.numbers(part.photos["n_segments"]).astype(np.int64)
            hits = np.flatnonzero(np.isin(ids, list(left)))
            if len(hits):
                first = np.cumsum(counts) - counts
                new = tuple(RemovedPhoto(int(ids[i]), int(first[i]), int(counts[i])) for i in hits)
                parts[at] = replace(parts[at], removed=parts[at].removed + new)
        return parts

    def _usable(
        self, photo: IndexedPhoto
    ) -> tuple[Segments | None, HalfArray, HalfArray | None, int]:
        """Segments, float16 vectors and keys that can be stored, and how many cannot."""
        dim = self.snapshot.space.dim
        if photo.segments is None or photo.vectors is None:
            return None, np.zeros((0, dim), np.float16), None, 0
        vectors = np.asarray(photo.vectors, np.float32)
        n = len(photo.segments)
        if vectors.shape != (n, dim):
            raise ValueError(f"vectors of shape {vectors.shape} for {n} segments of {dim} values")
        if n > part_files.SEGMENTS_PER_PHOTO:
            raise ValueError(f"{n} segments in {photo.photo.path!r}, at most 65,536 can be stored")
        keys = None
        if photo.keys is not None:
            if self._keys is None or photo.keys.shape != (n, self._keys.dim):
                raise ValueError(f"keys of shape {photo.keys.shape} for {n} segments")
            keys = half_keys(photo.keys)
        segments, half, kept = _drop_bad(photo.segments, vectors)
        return segments, half, None if keys is None else keys[kept], n - len(kept)

    def _commit(self, manifest: Manifest) -> None:
        if not self._lock.held:
            raise ValueError("this writer is closed")
        self.snapshot = commits.commit(self.snapshot, manifest)

    def _merge_small(self) -> None:
        """Housekeeping: what was asked for is done, whether this succeeds or not."""
        try:
            self.snapshot = compact.merge_small(self.snapshot)
        except UsearchError as error:
            said = f"small parts were not merged: {error.message}"
            if said not in self.warnings:
                self.warnings.append(said)


def _drop_bad(segments: Segments, vectors: FloatArray) -> tuple[Segments, HalfArray, RowArray]:
    """Segments whose vector is finite and not zero, unit length, and which rows they are."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    kept = np.flatnonzero(good)
    half = (vectors[kept] / lengths[kept, None]).astype(np.float16)
    if good.all():
        return segments, half, kept
    parents = segments.parents.copy()
    while ((parents >= 0) & ~good[parents]).any():
        parents = np.where((parents >= 0) & ~good[parents], segments.parents[parents], parents)
    new_row = np.cumsum(good) - 1
    parents = np.where(parents >= 0, new_row[parents], -1)[kept].astype(np.int32)
    from usearch.masks import depths_of

    return (
        Segments(
            size=segments.size,
            rles=[segments.rles[i] for i in kept],
            boxes=segments.boxes[kept],
            areas=segments.areas[kept],
            scores=segments.scores[kept],
            parents=parents,
            depths=depths_of(parents),
        ),
        half,
        kept,
    )


def _key(photo: PhotoRow) -> tuple[str, str]:
    return stored_name(photo.root), stored_name(photo.path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read_or_none(path: Path) -> Manifest | None:
    try:
        found = manifests.read(path)
    except StoreNotFound:
        return None
    if found.warnings:
        raise StoreError(
            f"{path / manifests.NAME} is damaged or missing",
            f"run `usearch rebuild --store {path}` before adding to it",
        )
    return found


def _refuse_strange_folder(path: Path) -> None:
    """A new store goes into a folder of its own."""
    if (
        not path.exists()
        or (path / manifests.NAME).exists()
        or (path / manifests.PREVIOUS).exists()
    ):
        return
    if not path.is_dir():
        raise StoreError(f"{path} is a file, not a store", "name a folder with --store")
    if (path / "parts").is_dir() and any((path / "parts").iterdir()):
        raise StoreError(
            f"{path} holds parts of a store but no {manifests.NAME}",
            f"bring {manifests.NAME} back from a backup, or move the folder away to begin anew",
        )
    others = sorted(p.name for p in path.iterdir() if p.name not in _OURS)
    if others:
        raise StoreError(
            f"{path} is not a store and holds other files ({others[0]})",
            "name a new or an empty folder with --store",
        )


def _check_same(
    path: Path,
    manifest: Manifest,
    space: EmbeddingSpace,
    segmenter: str,
    settings: dict[str, object],
) -> None:
    if manifest.space.id != space.id or manifest.space.dim != space.dim:
        raise SpaceMismatch(
            f"{path} holds vectors of {manifest.space.name} ({manifest.space.id}), "
            f"not of {space.name} ({space.id})",
            "use the preset that made it, or index into another store with --store",
        )
    if manifest.segmenter != segmenter or manifest.segmenter_settings != settings:
        raise StoreError(
            f"{path} was cut by {manifest.segmenter} {manifest.segmenter_settings}, "
            f"not by {segmenter} {settings}",
            "use the same segmenter and settings, or index into another store with --store",
        )
