"""Does a store hold what it says? Every file, every row, every mask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from usearch.errors import InputError, StoreError
from usearch.masks import area, box_of, rle_to_counts
from usearch.records import FloatArray, IntArray
from usearch.store import commits, files
from usearch.store import manifest as manifests
from usearch.store import parts as part_files
from usearch.store.manifest import Manifest
from usearch.store.part import Part
from usearch.store.parts import HalfArray, RowArray
from usearch.store.snapshot import Snapshot
from usearch.store.vectors import BoolArray

_UNIT = 2e-3
"""How far from 1 the length of a vector may be: float16 rounding stays well inside."""

_SHOWN = 5
_KNOWN = {"lock", "parts", "index", "cache", manifests.NAME, manifests.PREVIOUS}


def check_store(path: Path) -> list[str]:
    """All problems of a store, one line each; empty when it is sound.

    Checked: the manifest and its checksum; size and checksum of every file; row counts;
    vectors finite and of unit length; ids unique and of their photo; boxes, areas and
    parents; every mask decodes and has the area it says; every photo once; stray files.

    Args:
        path: The store's folder.

    Raises:
        StoreNotFound: There is no store.
        StoreError: It is of a newer format.
    """
    path = Path(path).absolute()
    try:
        manifest = manifests.read(path)
    except manifests.NewerStore:
        raise
    except StoreError as error:
        if not (path / manifests.NAME).exists() and not (path / manifests.PREVIOUS).exists():
            raise
        return [error.message, *_strays(path, None)]
    problems = list(manifest.warnings)
    sound: list[Part] = []
    for entry in manifest.parts:
        try:
            part = Part(path, entry, manifest.space.dim)
            for name in entry.files:
                part.verify(name)
            found = list(_check_part(part))
            problems += found
            if not found:
                sound.append(part)
        except FileNotFoundError as error:
            problems.append(f"{error.filename} is missing")
        except StoreError as error:
            problems.append(error.message)
    if len(sound) == len(manifest.parts):
        problems += _check_whole(Snapshot(path, manifest, known=sound))
    problems += _check_index(path, manifest)
    problems += _check_previous(path)
    return problems + _strays(path, manifest)


def _check_part(part: Part) -> Iterator[str]:
    photos, segments = part.photos, part.segments()
    where = part.folder / part_files.SEGMENTS
    if len(part.moves) and part.moves["photo_id"].null_count:
        yield f"{part.folder / part_files.MOVES}: a row without photo"
    ids = part_files.numbers(photos["photo_id"])
    counts = part_files.numbers(photos["n_segments"]).astype(np.int64)
    if (np.diff(ids) <= 0).any():
        yield f"{part.folder / part_files.PHOTOS}: photo ids are not ascending"
    if counts.sum() != len(segments):
        yield f"{where}: {len(segments):,} rows, its photos have {counts.sum():,}"
        return
    owner = np.repeat(np.arange(len(ids)), counts)
    index = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    segment_ids = part_files.numbers(segments["segment_id"])
    base = ids[owner] * part_files.SEGMENTS_PER_PHOTO
    if not (part_files.numbers(segments["photo_id"]) == ids[owner]).all():
        yield f"{where}: segments are not in the order of their photos"
    elif not (segment_ids == base + index).all():
        yield f"{where}: segment ids are not photo_id * 65536 + index"
    else:
        yield from _rows(where, "parent", ~_parents_good(segments, segment_ids, base))
    boxes = np.stack([segments[c].to_numpy() for c in ("x0", "y0", "x1", "y1")], 1)
    width, height = (photos[c].to_numpy()[owner] for c in ("width", "height"))
    bad = ~np.isfinite(boxes).all(1) | (boxes[:, 2:] <= boxes[:, :2]).any(1) | (boxes < 0).any(1)
    bad |= (boxes[:, 2] > width + 0.01) | (boxes[:, 3] > height + 0.01)
    yield from _rows(where, "box", bad)
    for name in ("area_share", "score"):
        values = segments[name].to_numpy()
        yield from _rows(where, name, ~((values >= 0) & (values <= 1)))
    yield from _rows(where, "mask", _masks_bad(segments, boxes, width, height))
    lengths = _lengths(part.vectors)
    yield from _rows(part.folder / part_files.VECTORS, "vector", ~(abs(lengths - 1) < _UNIT))
    if part.keys is not None:
        lengths = _lengths(part.keys)
        bad = ~((abs(lengths - 1) < _UNIT) | (lengths == 0))
        yield from _rows(part.folder / part_files.KEYS, "key", bad)


def _rows(where: Path, what: str, bad: BoolArray) -> Iterator[str]:
    rows = np.flatnonzero(bad)
    if len(rows):
        shown = ", ".join(map(str, rows[:_SHOWN])) + (", ..." if len(rows) > _SHOWN else "")
        yield f"{where}: wrong {what} in {len(rows):,} row(s): {shown}"


def _parents_good(segments: pa.Table, ids: RowArray, base: RowArray) -> BoolArray:
    """Rows without parent and of depth 0, or one deeper than a parent of the same photo."""
    parents = pc.fill_null(segments["parent"], -1).to_numpy()
    depth = part_files.numbers(segments["depth"])
    good: BoolArray = (parents < 0) & (depth == 0)
    rows = np.flatnonzero(parents >= 0)
    at = np.searchsorted(ids, parents[rows])
    rows, at = rows[at < len(ids)], at[at < len(ids)]
    good[rows] = (
        (ids[at] == parents[rows]) & (base[at] == base[rows]) & (depth[at] == depth[rows] - 1)
    )
    return good


def _masks_bad(
    segments: pa.Table, boxes: FloatArray, width: IntArray, height: IntArray
) -> BoolArray:
    bad = np.zeros(len(segments), bool)
    columns = [segments[c].to_pylist() for c in ("rle", "mask_h", "mask_w", "area_share")]
    for i, (rle, mask_h, mask_w, share) in enumerate(zip(*columns, strict=True)):
        try:
            counts = rle_to_counts(rle, (mask_h, mask_w))
        except InputError:
            bad[i] = True
            continue
        scale = np.array([width[i] / mask_w, height[i] / mask_h] * 2)
        box = np.array(box_of(counts, mask_h)) * scale
        pixels = area(counts)
        bad[i] = (
            pixels == 0
            or abs(pixels - share * mask_h * mask_w) > 0.5 + 1e-5 * pixels
            or (abs(box - boxes[i]) > 0.01 + 1e-5 * abs(box)).any()
        )
    return bad


def _lengths(vectors: HalfArray) -> FloatArray:
    lengths = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), 16_384):
        some = vectors[start : start + 16_384].astype(np.float32)
        lengths[start : start + 16_384] = np.linalg.norm(some, axis=1)
    return lengths


def _check_whole(snapshot: Snapshot) -> Iterator[str]:
    """What no part shows alone: ids and photos of the whole store."""
    every = np.concatenate(
        [np.zeros(0, np.int64), *(part_files.numbers(p.photos["photo_id"]) for p in snapshot.parts)]
    )
    removed = [r for e in snapshot.manifest.parts for r in e.removed]
    for part, entry in zip(snapshot.parts, snapshot.manifest.parts, strict=True):
        ids = part_files.numbers(part.photos["photo_id"])
        counts = part_files.numbers(part.photos["n_segments"]).astype(np.int64)
        first = dict(zip(ids.tolist(), (np.cumsum(counts) - counts).tolist(), strict=True))
        size = dict(zip(ids.tolist(), counts.tolist(), strict=True))
        for r in entry.removed:
            if (first.get(r.photo_id), size.get(r.photo_id)) != (r.first_row, r.n_rows):
                yield f"{manifests.NAME}: removed photo {r.photo_id} is not where it says"
    live = every[~np.isin(every, [r.photo_id for r in removed])]
    ids, times = np.unique(live, return_counts=True)
    if (times > 1).any():
        yield f"photo {ids[times > 1][0]} is in the store more than once"
    if len(every) and every.max() >= snapshot.manifest.next_photo_id:
        yield f"{manifests.NAME}: next photo id {snapshot.manifest.next_photo_id} is taken"
    photos = snapshot.photos()
    keys = pc.binary_join_element_wise(photos["root"], photos["path"], "\0")
    for item in pc.value_counts(keys).to_pylist():
        if item["counts"] > 1:
            root, name = item["values"].split("\0")
            yield f"{name!r} of {root!r} is in the store {item['counts']} times"


def _check_index(path: Path, manifest: Manifest) -> Iterator[str]:
    index = manifest.index
    if index is None:
        return
    file = path / "index" / index.file
    try:
        found = files.sum_file(file)
    except FileNotFoundError:
        yield f"{file} is missing (derived: `usearch rebuild --store {path}` makes it anew)"
        return
    if found != index.sum:
        yield f"{file} is damaged (derived: `usearch rebuild --store {path}` makes it anew)"
    if index.rows != sum(e.segments for e in manifest.parts[: index.parts]):
        yield f"{file} covers {index.rows:,} rows, its parts have another number"


def _check_previous(path: Path) -> Iterator[str]:
    file = path / manifests.PREVIOUS
    try:
        manifests.from_bytes(files.read_file(file), file)
    except FileNotFoundError:
        return
    except StoreError as error:
        yield f"{error.message} (a copy for emergencies; the next commit writes it anew)"


def _strays(path: Path, manifest: Manifest | None) -> list[str]:
    """Files that belong to no version. The next run of a writer removes its own leftovers."""
    strays = [p for p in path.iterdir() if p.name not in _KNOWN]
    if manifest is not None and not manifest.warnings:
        named = commits.named(path)
        for folder in ("parts", "index"):
            if (path / folder).is_dir():
                strays += [p for p in (path / folder).iterdir() if p.name not in named]
        for entry in manifest.parts:
            if (path / "parts" / entry.id).is_dir():
                inside = (path / "parts" / entry.id).iterdir()
                strays += [p for p in inside if p.name not in entry.files]
    return [f"{p} belongs to no version of the store" for p in sorted(strays)]
