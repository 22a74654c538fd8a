"""Features from a cache: what `trainer.use.direct` gives, without photos and backbones.

Epoch e of a run sees view e of each photo. A cache of as many views as the run has epochs
therefore gives the very run that direct training gives, to rounding; with fewer views they come
round again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch

from trainer.use.batches import StepPhotos
from trainer.use.cache import FeatureCache
from trainer.use.distributed import Processes, share_of
from trainer.use.features import SegmentFeatures
from trainer.use.held_out import MAX_SEGMENTS
from trainer.use.photos import Collection


def cached_features(
    cache: FeatureCache,
    collection: Collection,
    steps: Iterable[StepPhotos],
    processes: Processes,
) -> Iterator[SegmentFeatures]:
    """Features of this process's share of each step's photos.

    Args:
        cache: Filled from the collection.
        collection: What the rows of the steps belong to.
        steps: The photos of each step.
        processes: This one among all.
    """
    ids, _ = cache.ids(collection)
    for step in steps:
        own = share_of(step.rows.tolist(), processes)
        number = step.epoch % cache.views
        yield cache.features([(ids[row], number) for row in own], processes.device)


def cached_held_out(
    cache: FeatureCache, collection: Collection, device: str | torch.device = "cpu"
) -> SegmentFeatures | None:
    """Features of held-out photos, seen whole; None where no segment is held out.

    The same segments as `trainer.use.direct.held_out_features` takes.
    """
    _, ids = cache.ids(collection)
    found = cache.features([(photo, None) for photo in ids], device)
    return found.take(range(min(MAX_SEGMENTS, len(found)))) if len(found) else None


def train_parts(
    cache: FeatureCache, collection: Collection, rows: Sequence[int] | None = None, size: int = 256
) -> Iterator[SegmentFeatures]:
    """All segments to train on in all their views, some photos at a time.

    Args:
        cache: Filled from the collection.
        collection: The photos.
        rows: Which rows of `Collection.train`; None for all.
        size: Photos at a time.
    """
    ids, _ = cache.ids(collection)
    chosen = ids if rows is None else [ids[row] for row in rows]
    for number in range(cache.views):
        for start in range(0, len(chosen), size):
            part = cache.features([(photo, number) for photo in chosen[start : start + size]])
            if len(part):
                yield part
