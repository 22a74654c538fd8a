"""What is exported: photos with their segments, one photo at a time, from a store or from hits.

A source is walked twice by most formats: once for the photos, which come first in the file,
and once for their segments. Neither walk holds more than a few thousand segments, so a store
of millions is exported in the memory of a small one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from usearch.errors import UsageError
from usearch.store import real_name

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.hits import Hit
    from usearch.store import Snapshot

ALL_ALIKE = "segment"
"""The label of segments that nothing was asked about."""

_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class ExportedPhoto:
    """A photo of an export.

    Attributes:
        photo: Its id in the store.
        file: Absolute path, as Python's file functions take it.
        name: Path relative to the folder that all exported photos share, with "/".
        width: Pixels as shown (after EXIF orientation).
        height: As `width`.
        taken_at: ISO time without zone, or None.
    """

    photo: int
    file: str
    name: str
    width: int
    height: int
    taken_at: str | None


@dataclass(frozen=True, slots=True)
class ExportedSegment:
    """A segment of an export.

    Attributes:
        segment: Its id in the store.
        label: Which of the source's labels it has, from 0.
        score: How sure the label is, 0..1: a hit's score, else the segmenter's.
        segmenter_score: How sure the segmenter was, 0..1.
        cosine: Of the question and the segment; None where nothing was asked.
        parent: Id of the segment that it is part of, or None.
        depth: 0 without a parent, else one more than the parent's.
        mask_size: (height, width) of the mask grid, which covers the whole photo.
        rle: COCO compressed run lengths on that grid.
    """

    segment: int
    label: int
    score: float
    segmenter_score: float
    cosine: float | None
    parent: int | None
    depth: int
    mask_size: tuple[int, int]
    rle: bytes


class Source(Protocol):
    """What a format writes. Both walks give the photos in the same order."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of the labels."""
        ...

    def photos(self) -> Iterator[ExportedPhoto]:
        """The photos that have exported segments, each once."""
        ...

    def segments(self) -> Iterator[tuple[ExportedPhoto, list[ExportedSegment]]]:
        """The photos again, each with its segments."""
        ...


class StoredSegments:
    """Segments of a store, as a source. They have one label.

    Args:
        snapshot: The store.
        rows: int64, rows of live segments; each is exported once, in the order of the store.
        label: Of all of them.

    Raises:
        UsageError: A row is not one of a live segment.
    """

    def __init__(
        self, snapshot: Snapshot, rows: npt.NDArray[np.int64], label: str = ALL_ALIKE
    ) -> None:
        self.rows = np.unique(np.asarray(rows, np.int64))
        total = len(snapshot.alive)
        if len(self.rows) and (self.rows[0] < 0 or self.rows[-1] >= total):
            raise UsageError(f"rows outside this version of {snapshot.path}")
        if not snapshot.alive[self.rows].all():
            raise UsageError(f"rows of removed photos of {snapshot.path}")
        self.snapshot = snapshot
        self.labels = (label,)

    def photos(self) -> Iterator[ExportedPhoto]:
        """The photos that have exported segments, in the order of the store."""
        for part, offset in zip(self.snapshot.parts, self.snapshot.offsets, strict=False):
            rows = self._between(int(offset), int(offset) + part.entry.segments) - offset
            ends = np.cumsum(part.photos["n_segments"].to_numpy().astype(np.int64))
            owners = np.searchsorted(ends, rows, side="right")
            # np.unique would sort what is sorted.
            first = np.flatnonzero(np.diff(owners, prepend=-1))
            for photo_id in part.photos["photo_id"].to_numpy()[owners[first]].tolist():
                yield self._photo(photo_id)

    def segments(self) -> Iterator[tuple[ExportedPhoto, list[ExportedSegment]]]:
        """The photos again, each with its segments."""
        for photo_id, group in groupby(self._stored(), key=lambda row: row["photo_id"]):
            yield self._photo(photo_id), [_stored_segment(row) for row in group]

    @cached_property
    def base(self) -> str:
        """Folder that all photos of the store lie in; names of photos are relative to it."""
        roots = self.snapshot.photos()["root"].unique().to_pylist()
        return common_folder([real_name(root) for root in roots])

    def _stored(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self.rows), _AT_ONCE):
            rows = self.rows[start : start + _AT_ONCE]
            yield from self.snapshot.stored_segments(rows).to_pylist()

    def _between(self, first: int, end: int) -> npt.NDArray[np.int64]:
        low, high = np.searchsorted(self.rows, [first, end])
        return self.rows[low:high]

    def _photo(self, photo_id: int) -> ExportedPhoto:
        table = self.snapshot.photos()
        at = int(np.searchsorted(self._ids, photo_id))
        row = table.slice(at, 1).select(_PHOTO_COLUMNS).to_pylist()[0]
        file = os.path.join(real_name(row["root"]), real_name(row["path"]))  # noqa: PTH118
        return ExportedPhoto(
            photo=photo_id,
            file=file,
            name=relative_name(file, self.base),
            width=row["width"],
            height=row["height"],
            taken_at=row["taken_at"],
        )

    @cached_property
    def _ids(self) -> npt.NDArray[np.int64]:
        ids: npt.NDArray[np.int64] = self.snapshot.photos()["photo_id"].to_numpy()
        return ids


class FoundSegments:
    """Hits of answers, as a source. The label of a hit is the question that it matches.

    A segment that answers two questions is exported twice, with both labels. Photos are in
    the order of their best hits.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        asked = [(hit.matched or answer.question, hit) for answer in answers for hit in answer.hits]
        # A question without a hit stays a label: that nothing was found is an answer too.
        names = dict.fromkeys([answer.question for answer in answers if not _several(answer)])
        names |= dict.fromkeys(question for question, _ in asked)
        self.labels = tuple(names)
        label = {question: i for i, question in enumerate(self.labels)}
        self.base = common_folder([hit.root for _, hit in asked])
        self._photos: dict[int, list[tuple[int, Hit]]] = {}
        for question, hit in asked:
            self._photos.setdefault(hit.photo, []).append((label[question], hit))

    def photos(self) -> Iterator[ExportedPhoto]:
        """The photos of the hits, best first."""
        for found in self._photos.values():
            yield self._photo(found[0][1])

    def segments(self) -> Iterator[tuple[ExportedPhoto, list[ExportedSegment]]]:
        """The photos again, each with its hits."""
        for found in self._photos.values():
            yield (
                self._photo(found[0][1]),
                [_found_segment(hit, label) for label, hit in found],
            )

    def _photo(self, hit: Hit) -> ExportedPhoto:
        name = relative_name(hit.image, self.base)
        return ExportedPhoto(hit.photo, hit.image, name, hit.width, hit.height, hit.taken_at)


def common_folder(roots: Sequence[str]) -> str:
    """The deepest folder that holds all of these absolute folders; "/" for none."""
    return os.path.commonpath(roots) if roots else "/"


def relative_name(file: str, base: str) -> str:
    """A path below a folder, relative to it."""
    return str(PurePosixPath(file).relative_to(base))


_PHOTO_COLUMNS = ["root", "path", "width", "height", "taken_at"]


def _several(answer: Answer) -> bool:
    return any(hit.matched for hit in answer.hits)


def _stored_segment(row: dict[str, Any]) -> ExportedSegment:
    return ExportedSegment(
        segment=row["segment_id"],
        label=0,
        score=row["score"],
        segmenter_score=row["score"],
        cosine=None,
        parent=row["parent"],
        depth=row["depth"],
        mask_size=(row["mask_h"], row["mask_w"]),
        rle=row["rle"],
    )


def _found_segment(hit: Hit, label: int) -> ExportedSegment:
    return ExportedSegment(
        segment=hit.segment,
        label=label,
        score=hit.score,
        segmenter_score=hit.segmenter_score,
        cosine=hit.cosine,
        parent=hit.parent,
        depth=hit.depth,
        mask_size=hit.mask_size,
        rle=hit.rle,
    )


Progress = Callable[[int], None]
"""Is told, now and then, how many segments have been written."""
