"""Commits: making a manifest the next version, and removing what no version names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from usearch import __version__
from usearch.errors import StoreError
from usearch.store import files
from usearch.store import manifest as manifests
from usearch.store.manifest import Manifest
from usearch.store.snapshot import Snapshot


def commit(snapshot: Snapshot, manifest: Manifest) -> Snapshot:
    """Make a manifest the next version of a store; the caller holds the write lock.

    Returns:
        The new version, which shares the parts that stayed.
    """
    changed = replace(
        manifest,
        version=snapshot.version + 1,
        changed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        written_by=__version__,
        warnings=(),
    )
    manifests.write(snapshot.path, changed, snapshot.manifest)
    return Snapshot(snapshot.path, changed, known=snapshot.parts)


def collect(store: Path) -> int:
    """Remove parts and indexes that neither the manifest nor the one before it names.

    The caller holds the write lock. Only names that this program makes are touched.

    Returns:
        Bytes freed.
    """
    kept = named(store)
    freed = 0
    for folder in ("parts", "index"):
        try:
            found = sorted((store / folder).iterdir())
        except FileNotFoundError:
            continue
        for path in found:
            if path.name in kept or not is_ours(path.name):
                continue
            freed += files.remove_folder(path) if path.is_dir() else files.remove(path)
    for leftover in (manifests.NAME, manifests.PREVIOUS):
        freed += files.remove(store / f"{leftover}.tmp")
    return freed


def is_ours(name: str) -> bool:
    """Whether a name is one that this program gives to parts and index files."""
    number, _, rest = name.partition("-")
    return len(number) == 8 and number.isdigit() and len(rest.partition(".")[0]) == 8


def named(store: Path) -> set[str]:
    """Parts and index files that the manifest or the one before it names."""
    found_names: set[str] = set()
    for name in (manifests.NAME, manifests.PREVIOUS):
        path = store / name
        try:
            found = manifests.from_bytes(files.read_file(path), path)
        except (FileNotFoundError, StoreError):
            continue  # a manifest that cannot be read keeps nothing
        found_names |= {entry.id for entry in found.parts}
        if found.index is not None:
            found_names.add(found.index.file)
    return found_names
