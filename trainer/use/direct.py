"""Features straight from the photos: what each step runs the backbones over."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from indexer.embedders.towers import Tower
from trainer.use.batches import StepPhotos
from trainer.use.distributed import Processes, share_of
from trainer.use.features import Precision, SegmentFeatures, join_features, segment_features
from trainer.use.held_out import MAX_SEGMENTS
from trainer.use.photos import Collection, PhotoReader
from trainer.use.recipe import Recipe
from trainer.use.views import View, make_view

_AHEAD = 2
"""Steps whose views are made while the backbones work."""


def direct_features(
    collection: Collection,
    towers: Mapping[str, Tower],
    recipe: Recipe,
    steps: Iterable[StepPhotos],
    processes: Processes,
    *,
    micro_batch: int = 0,
    precision: Precision = "fp32",
    workers: int = 1,
) -> Iterator[SegmentFeatures]:
    """Features of this process's share of each step's photos.

    Args:
        collection: Where the photos are.
        towers: Frozen backbones by branch.
        recipe: How views are made.
        steps: The photos of each step.
        processes: This one among all.
        micro_batch: As `segment_features`.
        precision: As `segment_features`.
        workers: Threads that decode, resize and cut while the backbones work.

    Raises:
        InputError: A photo cannot be used; names it.
    """
    reader = PhotoReader(collection)
    with ThreadPoolExecutor(workers) as pool:

        def begin(step: StepPhotos) -> list[Future[View]]:
            own = share_of(step.rows.tolist(), processes)
            photos = [reader.read(collection.train[row]) for row in own]
            return [pool.submit(make_view, photo, recipe, step.epoch) for photo in photos]

        def finish(views: list[Future[View]]) -> SegmentFeatures:
            made = [view.result() for view in views]
            return segment_features(towers, made, micro_batch, precision, processes.device)

        waiting: deque[list[Future[View]]] = deque()
        try:
            for step in steps:
                waiting.append(begin(step))
                if len(waiting) > _AHEAD:
                    yield finish(waiting.popleft())
            while waiting:
                yield finish(waiting.popleft())
        finally:
            for views in waiting:
                for view in views:
                    view.cancel()


def held_out_features(
    collection: Collection,
    towers: Mapping[str, Tower],
    recipe: Recipe,
    *,
    precision: Precision = "fp32",
    device: str = "cpu",
) -> SegmentFeatures | None:
    """Features of held-out photos, seen whole; None where no segment is held out.

    At most `MAX_SEGMENTS` segments, of photos in the order of the files.
    """
    reader = PhotoReader(collection)
    parts: list[SegmentFeatures] = []
    left = MAX_SEGMENTS
    for place in collection.held:
        view = make_view(reader.read(place), recipe, None)
        if len(view.segments) and left > 0:
            part = segment_features(towers, [view], precision=precision, device=device)
            parts.append(part.take(range(min(left, len(part)))))
            left -= len(parts[-1])
    return join_features(parts) if parts else None
