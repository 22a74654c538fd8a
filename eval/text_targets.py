"""Stored photos met with their labels, and stores as galleries, for `eval.text_retrieval`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from eval.datasets import MapPhoto, MapSet, RegionPhoto, RegionSet, read_map
from eval.metrics import Doubles
from eval.oracles import labelled_regions, region_ious
from eval.proposals import iou_matrix
from eval.text_retrieval import Block, LabelledPhoto, photo_blocks
from usearch import masks
from usearch.classify import StoredPhoto
from usearch.scaling import scaled_rle
from usearch.store import Snapshot


def labelled_photos(
    labelled: RegionSet | MapSet,
    names: Sequence[Sequence[str]],
    ids: Mapping[Path, int],
    stored: Iterable[StoredPhoto],
    min_area: int,
    progress: Callable[[int], None] | None = None,
) -> Iterator[LabelledPhoto]:
    """Photos of a set with what the store holds of them; those that it lacks have no segments.

    Args:
        labelled: Regions, or label maps, of which touching pixels of a class are a region.
        names: For each class its names, the usual one first.
        ids: Id of each photo that the store has.
        stored: These photos, in the order of the set.
        min_area: Smaller regions, in pixels of the labels, need not be found.
        progress: Is told how many photos are done.
    """
    number = {one[0]: i for i, one in enumerate(names)}
    there = iter(stored)
    photos: Sequence[MapPhoto | RegionPhoto] = labelled.photos
    for done, photo in enumerate(photos, 1):
        held = next(there) if photo.path in ids else None
        if isinstance(labelled, MapSet):
            assert isinstance(photo, MapPhoto)
            yield _of_map(labelled, photo, held, min_area)
        else:
            assert isinstance(photo, RegionPhoto)
            yield _of_regions(photo, held, number, min_area)
        if progress is not None:
            progress(done)


def store_blocks(snapshot: Snapshot, photos: Collection[int]) -> Iterator[Block]:
    """The vectors of some photos of a store, in blocks; nothing else of them is read."""

    def each() -> Iterator[Block]:
        for photo in sorted(photos):
            rows = snapshot.rows_of_photo(photo)
            yield snapshot.vectors(rows), np.zeros(1, np.int64)

    return photo_blocks(each())


def _of_regions(
    photo: RegionPhoto, held: StoredPhoto | None, number: Mapping[str, int], min_area: int
) -> LabelledPhoto:
    wanted = [not one.crowd and one.area >= min_area for one in photo.regions]
    ious: Doubles = np.zeros((len(photo.regions), 0))
    if held is not None:
        grid = held.segments.size
        rles = [masks.counts_to_rle(scaled_rle(one.rle, photo.size, grid)) for one in photo.regions]
        ious = iou_matrix(rles, held.segments.rles, grid)
    return LabelledPhoto(
        vectors=_vectors(held),
        names=np.array([number[one.name] for one in photo.regions], np.int64),
        wanted=np.array(wanted, bool),
        ious=ious,
    )


def _of_map(
    labelled: MapSet, photo: MapPhoto, held: StoredPhoto | None, min_area: int
) -> LabelledPhoto:
    regions = labelled_regions(read_map(labelled, photo))
    ious: Doubles = np.zeros((len(regions.classes), 0))
    if held is not None:
        ious = region_ious(regions, held.segments)
    return LabelledPhoto(_vectors(held), regions.classes, regions.areas >= min_area, ious)


def _vectors(held: StoredPhoto | None) -> np.ndarray:
    return np.zeros((0, 1), np.float32) if held is None else held.vectors
