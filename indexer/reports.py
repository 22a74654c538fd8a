"""What an index run says while it works and when it is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from indexer.discovery import Survey


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        stage: "looking", "loading", "indexing" or "finishing".
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


@dataclass(slots=True)
class IndexReport:
    """What a run did.

    Attributes:
        found: Photos found below the roots.
        to_do: Photos that this run had to read.
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
        stopped_by: Signal that ended the run early, or None.
    """

    found: int = 0
    to_do: int = 0
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
    stopped_by: int | None = None
