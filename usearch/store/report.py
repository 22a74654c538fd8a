"""What a store holds, in plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from usearch.store import manifest as manifests
from usearch.store.keys import keyed_rows, newest_space

if TYPE_CHECKING:
    from usearch.store.snapshot import Snapshot


def describe(snapshot: Snapshot) -> dict[str, object]:
    """Facts about a snapshot, as plain JSON values; sizes in bytes."""
    manifest = snapshot.manifest
    counts = pc.value_counts(snapshot.photos()["status"]).to_pylist()
    by_file: dict[str, int] = {}
    for entry in manifest.parts:
        for name, file in entry.files.items():
            by_file[name] = by_file.get(name, 0) + file.size
    index = manifest.index
    keys = newest_space(snapshot.parts)
    return {
        "path": str(snapshot.path),
        "store_id": manifest.store_id,
        "format": manifests.FORMAT,
        "version": manifest.version,
        "created_at": manifest.created_at,
        "changed_at": manifest.changed_at,
        "written_by": manifest.written_by,
        "preset": manifest.preset,
        "space": {"id": manifest.space.id, "dim": manifest.space.dim, "name": manifest.space.name},
        "keys": None
        if keys is None
        else {
            "id": keys.id,
            "dim": keys.dim,
            "name": keys.name,
            "segments": int(keyed_rows(snapshot, keys).sum()),
        },
        "segmenter": manifest.segmenter,
        "segmenter_settings": manifest.segmenter_settings,
        "photos": snapshot.n_photos,
        "photos_by_status": {c["values"]: c["counts"] for c in counts},
        "segments": snapshot.n_segments,
        "removed_segments": sum(e.dead_rows for e in manifest.parts),
        "parts": len(manifest.parts),
        "bytes": {**by_file, "index": index.sum.size if index else 0},
        "search": "flat, exact"
        if index is None
        else f"{index.kind}, nprobe {index.nprobe}, covers {index.rows:,} rows, "
        f"recall@10 {index.recall:.3f} when built",
        "warnings": list(snapshot.warnings),
    }
