"""What an index run says while it works and when it is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from indexer.discovery import Survey


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        stage: "looking", "loading", "timing", "indexing", "stopping" or "finishing".
        done: Photos done in this run, failed ones included.
        total: Photos to do in this run.
        segments: Segments made so far.
        failed: Photos of this run that could not be indexed.
    """

    stage: str
    done: int = 0
    total: int = 0
    segments: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class SkippedPhoto:
    """A photo that this run could not index: its full path, a reason code and one line."""

    path: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would make and take, from the headers of its photos and a few timed ones.

    Attributes:
        looked_at: Photos whose header was read; fewer than `of` when there was no time for all.
        of: Photos that the run would read.
        unusable: Those of `looked_at` that cannot be indexed.
        timed: Photos that were cut and embedded to measure.
        failed: Those of `timed` that could not be, although their header was fine.
        workers: Processes that the time holds for.
        segments: Expected.
        bytes: Expected size of what is stored.
        seconds: Expected, loading the models included.
    """

    looked_at: int
    of: int
    unusable: list[SkippedPhoto]
    timed: int = 0
    failed: int = 0
    workers: int = 1
    segments: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class IndexReport:
    """What a run did.

    Attributes:
        found: Photos found below the roots.
        endings: How many of them have which ending, in lower case.
        to_do: Photos that this run had to read.
        new: Those of `to_do` that the store does not know.
        left: Those of `to_do` that a run which was stopped did not come to.
        unchanged: Photos that needed nothing.
        indexed: Photos cut and embedded in this run, those that changed included.
        changed: Photos of `indexed` that took the place of an older row.
        touched: Photos whose content was the known one although size or time was not.
        moved: Photos met at a new place with known content; nothing was embedded.
        removed: Photos taken out of the store.
        gone: Photos whose file is gone and that are still in the store.
        postponed: Photos left for another run by `limit`.
        segments: Segments added in this run.
        rejected: Segments not stored because their vector was not finite or zero.
        skipped: Photos that could not be indexed in this run.
        failed_before: Reasons of photos that an earlier run could not index; not tried again.
        survey: What the discovery passed over.
        seconds: The whole run, by the clock.
        stage_seconds: Work on decoding, cutting and embedding, summed over the workers, and
            on storing.
        forecast: Of a dry run that was asked for one.
        stopped_by: Signal that ended the run early, or None.
    """

    found: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    to_do: int = 0
    new: int = 0
    left: int = 0
    unchanged: int = 0
    indexed: int = 0
    changed: int = 0
    touched: int = 0
    moved: int = 0
    removed: int = 0
    gone: int = 0
    postponed: int = 0
    segments: int = 0
    rejected: int = 0
    skipped: list[SkippedPhoto] = field(default_factory=list)
    failed_before: Counter[str] = field(default_factory=Counter)
    survey: Survey = field(default_factory=Survey)
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "segment": 0.0, "embed": 0.0, "store": 0.0}
    )
    forecast: Forecast | None = None
    stopped_by: int | None = None
