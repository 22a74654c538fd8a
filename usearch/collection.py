"""What kind of photos a store holds: when, with what, from where, how many segments each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from usearch.store.names import real_name

if TYPE_CHECKING:
    from usearch.store import Snapshot


def describe_photos(snapshot: Snapshot) -> dict[str, Any]:
    """Counts over the photos of a snapshot, as plain JSON values, most frequent first.

    Returns:
        `photos_by_folder` (the folders that were indexed), `photos_by_ending`,
        `photos_by_year` and `photos_by_camera` (of photos that say so), `first_taken` and
        `last_taken` (ISO times or None), `photo_bytes` (of the files), `segments_per_photo`
        (`least`, `mean`, `most`, of photos that could be read), and `bytes_on_disk` (of the
        store's folder).
    """
    photos = snapshot.photos()
    endings = pc.struct_field(pc.extract_regex(photos["path"], r"(?P<ending>\.[^./]+)$"), 0)
    taken = photos["taken_at"]
    span = pc.min_max(taken.drop_null()).as_py() if taken.null_count < len(taken) else {}
    n_segments = photos.filter(pc.equal(photos["status"], "ok"))["n_segments"]
    per_photo = pc.min_max(n_segments).as_py()
    return {
        "photos_by_folder": {real_name(k): n for k, n in _counts(photos["root"]).items()},
        "photos_by_ending": _counts(pc.utf8_lower(endings)),
        "photos_by_year": dict(sorted(_counts(pc.utf8_slice_codeunits(taken, 0, 4)).items())),
        "photos_by_camera": _counts(photos["camera"]),
        "first_taken": span.get("min"),
        "last_taken": span.get("max"),
        "photo_bytes": pc.sum(photos["bytes"]).as_py() or 0,
        "segments_per_photo": {
            "least": per_photo["min"] or 0,
            "mean": round(pc.mean(n_segments).as_py() or 0.0, 1),
            "most": per_photo["max"] or 0,
        },
        "bytes_on_disk": bytes_below(snapshot.path),
    }


def skipped_photos(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """Photos that could not be indexed: full path, reason code, one line; by path."""
    photos = snapshot.photos()
    rows = photos.filter(pc.not_equal(photos["status"], "ok"))
    columns = (rows[name].to_pylist() for name in ("root", "path", "status", "detail"))
    return sorted(
        (f"{real_name(root).rstrip('/')}/{real_name(path)}", status, detail)
        for root, path, status, detail in zip(*columns, strict=True)
    )


def bytes_below(folder: Path) -> int:
    """Bytes of all files in a folder and below."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:
            continue  # removed by a writer since it was listed
    return total


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value occurs, nulls and empty ones left out."""
    pairs = [(item["values"], item["counts"]) for item in pc.value_counts(column).to_pylist()]
    return dict(sorted(((v, n) for v, n in pairs if v), key=lambda pair: (-pair[1], pair[0])))
