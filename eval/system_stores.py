"""Where the stores of systems lie, and how a set's photos come into them.

    <folder>/tree+mini-<space>/                     segments and vectors of one system
    <folder>/tree+mini-crop-<space>-of-<space>/     the same segments, embedded otherwise
    <folder>/given+mini-<space>-<masks>/            labelled masks, embedded
    <folder>/masks/<set>-<hash>.json                labelled masks as the segmenter reads them

A store is named after the embedding space, so a new version of a model never meets vectors of
the old one. Photos of all sets go into one store a system: class lists over the same photos,
and sets that share photos, share what was computed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eval.collection import Collected, collect
from eval.datasets import MapSet
from eval.given_masks import write_given_masks
from eval.systems import System, TextSide, load_system
from usearch.errors import SpaceMismatch
from usearch.models.files import cache_dir

if TYPE_CHECKING:
    from indexer.reports import Progress


@dataclass(frozen=True, slots=True)
class Base:
    """The store of the system that cut the photos, for systems that share its segments."""

    path: Path
    space_id: str
    collected: Collected


def default_folder() -> Path:
    """Where stores of evaluations lie when no place is named: the user's cache."""
    return cache_dir() / "eval"


def collect_system(
    labelled: MapSet,
    system: System,
    side: TextSide,
    folder: Path,
    *,
    store: Path | None = None,
    base: Base | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Path, Collected]:
    """Brings a set's photos into the store of a system.

    Args:
        labelled: The set.
        system: What cuts and embeds.
        side: The system's text side, which knows the space.
        folder: Where stores lie.
        store: The store itself, when somebody named it.
        base: The store whose segments are embedded; None = the system cuts for itself.
        device: Where torch models run.
        workers: As for `indexer.pipeline.index_photos`.
        progress: As there.

    Returns:
        The store's folder and what is in it of the set.

    Raises:
        SpaceMismatch: The store holds vectors of another space.
        InputError, StoreError, ModelError: As `eval.collection.collect`.
    """
    masks, ids, cut_by = None, None, None
    name = f"{system.title}-{side.space_id[:12]}"
    if system.segmenter == "given":
        masks = write_given_masks(labelled, folder / "masks")
        name += "-" + masks.stem.rpartition("-")[2]
    elif base is not None:
        name += f"-of-{base.space_id[:12]}"
        cut_by = base.path
        ids = {os.path.realpath(photo): n for photo, n in base.collected.ids.items()}
    load = partial(load_system, system, device, masks=masks, cut_by=cut_by, photo_ids=ids)
    place = store or folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    preset = f"{system.model}-crop" if system.crops else system.model
    photos = [photo.path for photo in labelled.photos]
    found = collect(photos, place, load, preset, workers=workers, progress=progress)
    if found.snapshot.space.id != side.space_id:
        raise SpaceMismatch(
            f"{place} holds vectors of {found.snapshot.space.name} "
            f"({found.snapshot.space.id}), the texts are of {side.space_id}",
            "name another store, or remove this one",
        )
    return place, found
