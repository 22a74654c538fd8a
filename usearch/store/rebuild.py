"""Repair: make anew what can be derived, leave out what is damaged and say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from usearch.errors import StoreError
from usearch.store import commits, files
from usearch.store import manifest as manifests
from usearch.store.ivf import ensure_index
from usearch.store.lock import WriteLock
from usearch.store.manifest import PartEntry
from usearch.store.part import Part
from usearch.store.parts import KEYS
from usearch.store.snapshot import Snapshot


def rebuild_store(path: Path) -> list[str]:
    """Repair a store: manifest, damaged parts, derived index.

    A damaged manifest is replaced by the one before it. A part with a damaged file is left
    out and removed, so that the next `usearch index` does its photos again. The index is
    built anew where one pays.

    Returns:
        What was done, one line each; empty when there was nothing to do.

    Raises:
        StoreNotFound: There is no store.
        StoreError: Of a newer format, or both manifests are damaged.
        StoreBusy: Somebody is writing it.
    """
    path = Path(path).absolute()
    manifests.read(path)
    lock = WriteLock(path)
    try:
        manifest = manifests.read(path)
        done = [f"went back to version {manifest.version}: {w}" for w in manifest.warnings]
        kept: list[PartEntry] = []
        held: list[Part] = []
        for entry in manifest.parts:
            try:
                sound, why = _with_sound_keys(path, entry)
                if why:
                    done.append(why)
                part = Part(path, sound, manifest.space.dim)
                for name in sound.files:
                    part.verify(name)
            except (StoreError, FileNotFoundError) as error:
                why = (
                    error.message
                    if isinstance(error, StoreError)
                    else f"{error.filename} is missing"
                )
                done.append(
                    f"left out part {entry.id} with {entry.photos:,} photos ({why}); "
                    "index them again"
                )
                continue
            kept.append(sound)
            held.append(part)
        new = replace(manifest, parts=tuple(kept), index=manifest.index, warnings=())
        if len(kept) < len(manifest.parts):
            new = replace(new, index=None)
        snapshot = Snapshot(path, new, known=held)
        if done:
            snapshot = commits.commit(snapshot, new)
        indexed = ensure_index(snapshot)
        if indexed is not snapshot:
            done.append(f"built the index anew: {indexed.manifest.index}")
        if done:
            commits.collect(path)
        return done
    finally:
        lock.release()


def _with_sound_keys(store: Path, entry: PartEntry) -> tuple[PartEntry, str]:
    """A part without its visual keys where they are damaged, and what was done; photos stay."""
    if KEYS not in entry.files:
        return entry, ""
    file = store / "parts" / entry.id / KEYS
    try:
        if files.sum_file(file) == entry.files[KEYS]:
            return entry, ""
    except FileNotFoundError:
        pass
    files.remove(file)
    left = {name: found for name, found in entry.files.items() if name != KEYS}
    said = (
        f"left out the visual keys of part {entry.id} (damaged or missing); "
        "`usearch index FOLDER --keys` makes them anew"
    )
    return replace(entry, files=left, keys=None), said
