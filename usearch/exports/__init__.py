"""Segments as files of other tools. docs/formats.md describes each format."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from usearch.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from usearch.exports.sources import Source
    from usearch.store import Snapshot

Format: TypeAlias = Literal["coco", "parquet", "cvat", "labelme", "labelstudio"]

FORMATS: tuple[Format, ...] = ("coco", "parquet", "cvat", "labelme", "labelstudio")


def export_segments(
    snapshot: Snapshot,
    rows: npt.NDArray[np.int64],
    path: str | PathLike[str],
    format: Format,  # noqa: A002
    *,
    force: bool = False,
    polygons: bool = False,
    vectors: bool = True,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write segments of a store in the format of another tool.

    The memory needed does not grow with the number of segments. A file is there whole at the
    end, or not at all.

    Args:
        snapshot: The store.
        rows: int64, rows of live segments (`Snapshot.live_rows`, `matching_rows`).
        path: The file, or the folder for "labelme".
        format: One of `FORMATS`.
        force: Replace files that are there.
        polygons: Outlines with filled holes instead of masks ("coco", "cvat", "labelme").
        vectors: With the vectors ("parquet").
        progress: Told, now and then, how many segments are written.

    Returns:
        How many segments were written.

    Raises:
        UsageError: There is no such format, or a row is not one of a live segment.
        InputError: The file exists, or cannot be written.
    """
    from usearch.exports.sources import StoredSegments

    source = StoredSegments(snapshot, rows)
    if format == "parquet":
        from usearch.exports.parquet import write_parquet
        from usearch.result_files import new_file

        with new_file(Path(path), force=force) as out:
            return write_parquet(out, source, vectors=vectors, progress=progress)
    return export_source(source, path, format, force=force, polygons=polygons, progress=progress)


def export_source(
    source: Source,
    path: str | PathLike[str],
    format: Format,  # noqa: A002
    *,
    force: bool = False,
    polygons: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """As `export_segments`, for a source that may be hits; not for "parquet"."""
    from usearch.result_files import new_file

    if format == "labelme":
        from usearch.exports.labelme import write_labelme

        return write_labelme(Path(path), source, force=force, polygons=polygons, progress=progress)
    if format not in ("coco", "cvat", "labelstudio"):
        raise UsageError(f"no format {format!r}", "formats: " + ", ".join(FORMATS))
    if polygons and format == "labelstudio":
        raise UsageError("labelstudio takes masks, not polygons", "leave polygons out")
    with new_file(Path(path), force=force) as out:
        if format == "labelstudio":
            from usearch.exports.labelstudio import write_labelstudio

            return write_labelstudio(out, source, progress=progress)
        if format == "coco":
            from usearch.exports.coco import write_coco

            return write_coco(out, source, polygons=polygons, progress=progress)
        from usearch.exports.cvat import write_cvat

        return write_cvat(out, source, polygons=polygons, progress=progress)
