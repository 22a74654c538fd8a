"""Photos of a labelled set in a store, and a bank beside it, for `usearch eval` commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from usearch.cli.output import note

if TYPE_CHECKING:
    from eval.collection import Collected
    from eval.datasets import MapSet, RegionSet
    from eval.map_runs import Mix
    from eval.systems import System, TextSide
    from usearch.classify import ClassTexts, StoredPhoto
    from usearch.store import Snapshot


Labelled = TypeVar("Labelled", bound="MapSet | RegionSet")


def limited(labelled: Labelled, limit: int | None) -> tuple[Labelled, bool]:
    """Photos evenly spread over a set; and whether they are only a part of it."""
    n, found = len(labelled.photos), labelled.found
    if limit is not None and limit < n:
        kept = tuple(labelled.photos[i * n // limit] for i in range(limit))
        return replace(labelled, photos=kept), True  # type: ignore[arg-type]  # of its own kind
    return labelled, found is not None and found.expected > 0 and not found.complete


def collected_photos(
    photos: Sequence[Path],
    system: System,
    side: TextSide,
    store: Path | None,
    device: str,
    workers: int | None,
) -> tuple[Collected, Iterator[StoredPhoto]]:
    """Bring photos into the store of a system, and read them from it.

    Args:
        photos: The set's photos.
        system: What cuts and embeds.
        side: Its text side.
        store: The store; None = the system's in the cache folder, which all sets share.
        device: Where torch models run.
        workers: Processes that index.

    Raises:
        SpaceMismatch: The store holds vectors of another space.
        typer.Exit: Indexing was interrupted; what is done is kept.
    """
    from functools import partial

    from eval.collection import collect, stored
    from eval.system_stores import default_folder
    from eval.systems import load_system
    from usearch.cli.progress import index_progress
    from usearch.errors import SpaceMismatch
    from usearch.settings import setting

    place = store or default_folder() / f"{system.title}-{side.space_id[:12]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with index_progress() as progress:
        collected = collect(
            photos,
            place,
            partial(load_system, system, device),
            system.model,
            workers=setting("workers", workers),
            progress=progress,
        )
    if collected.snapshot.space.id != side.space_id:
        raise SpaceMismatch(
            f"{place} holds vectors of {collected.snapshot.space.name} "
            f"({collected.snapshot.space.id}), the texts are of {side.space_id}",
            "name another store, or remove this one",
        )
    note(
        f"{system.title}: {collected.indexed:,} photos indexed, {collected.known:,} were in the "
        f"store {place}"
    )
    if collected.failed:
        path, why = next(iter(collected.failed.items()))
        note(f"{len(collected.failed):,} photos cannot be used, such as {path.name}: {why}")
    if collected.stopped_by is not None:
        note("what is indexed is kept: the same command goes on")
        raise typer.Exit(128 + collected.stopped_by)
    return collected, stored(collected, photos)


def bank_for(
    bank: str, weight: float, neighbours: int, own: Snapshot, texts: ClassTexts
) -> Mix | None:
    """The votes of the bank that `--bank` names, over the photos of a store; None without one.

    Args:
        bank: A store's folder, "self" for the store of the photos, or "".
        weight: Share of the votes.
        neighbours: How many vote.
        own: The store of the photos.
        texts: The classes.

    Raises:
        StoreError: One of the stores has no visual keys.
        SpaceMismatch: Another model made the bank.
    """
    if not bank:
        return None
    from eval.memory import bank_mix
    from usearch.classify import open_bank
    from usearch.opened import named_store
    from usearch.store import open_snapshot

    snapshot = own if bank == "self" else open_snapshot(named_store(Path(bank)))
    return bank_mix(open_bank(snapshot, weight, neighbours), own, texts)
