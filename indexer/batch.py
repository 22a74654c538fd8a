"""Outcomes that wait for the next commit, and when that is due."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from indexer.one_photo import Outcome
from indexer.reports import IndexReport, SkippedPhoto
from usearch.store import IndexedPhoto, PhotoRow, Writer

_COMMIT_PHOTOS = 200
_COMMIT_BYTES = 64_000_000
_COMMIT_SECONDS = (2.0, 60.0)
"""A commit is due after 2 s at first, later after a tenth of the run so far, at most 60 s: the
first photos can be searched at once, and a long run does not leave thousands of parts."""


@dataclass(slots=True)
class Batch:
    """Outcomes that wait for the next commit."""

    writer: Writer
    report: IndexReport
    photos: list[IndexedPhoto] = field(default_factory=list)
    replaces: list[int] = field(default_factory=list)
    touched: dict[int, PhotoRow] = field(default_factory=dict)
    n_bytes: int = 0
    began: float = field(default_factory=time.monotonic)
    committed: float = field(default_factory=time.monotonic)

    def take(self, outcome: Outcome) -> None:
        """Adds an outcome and counts it in the report."""
        task, indexed, report = outcome.task, outcome.indexed, self.report
        for stage, seconds in zip(("decode", "segment", "embed"), outcome.seconds, strict=True):
            report.stage_seconds[stage] += seconds
        if indexed is None:
            self._touch(outcome)
            return
        row = indexed.photo
        if row.status != "ok":
            report.skipped.append(SkippedPhoto(task.photo.full_path, row.status, row.detail))
            if row.status == "vanished":
                return  # nothing to remember: the next discovery does not find it
        else:
            report.indexed += 1
            report.changed += task.known is not None
            report.segments += row.n_segments
        self.photos.append(indexed)
        if task.known is not None:
            self.replaces.append(task.known.photo_id)
        if indexed.segments is not None and indexed.vectors is not None:
            self.n_bytes += indexed.vectors.nbytes + sum(map(len, indexed.segments.rles))
            self.n_bytes += 0 if indexed.keys is None else indexed.keys.nbytes

    def _touch(self, outcome: Outcome) -> None:
        """The content is the known one: its row gets the new time, its vectors stay."""
        known = outcome.task.known
        assert known is not None, "only known content is the same"
        row = replace(known, bytes=outcome.n_bytes, mtime_ns=outcome.mtime_ns)
        if row == known:
            self.report.unchanged += 1
        else:
            self.report.touched += 1
            self.touched[known.photo_id] = row

    def is_due(self) -> bool:
        """Whether it is time to commit."""
        now = time.monotonic()
        low, high = _COMMIT_SECONDS
        patience = min(max(low, (now - self.began) / 10), high)
        return (
            len(self.photos) + len(self.touched) >= _COMMIT_PHOTOS
            or self.n_bytes >= _COMMIT_BYTES
            or now - self.committed >= patience
        )

    def commit(self) -> None:
        """Makes the batch durable and begins a new one."""
        start = time.monotonic()
        if self.photos:
            self.writer.add(self.photos, self.replaces)
        if self.touched:
            self.writer.rename(self.touched)
        self.photos, self.replaces, self.touched, self.n_bytes = [], [], {}, 0
        self.committed = time.monotonic()
        self.report.stage_seconds["store"] += self.committed - start
