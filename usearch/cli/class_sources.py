"""Photos with their classes for `usearch segment`: new ones are cut, stored ones are not opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.cli.output import note
from usearch.errors import InputError, SpaceMismatch, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from indexer.embedders import Embedder
    from indexer.segmenters import Segmenter
    from usearch.classify import (
        Bank,
        Classified,
        ClassTexts,
        Explained,
        Rule,
        Second,
        SecondModel,
        StoredPhoto,
        Voters,
    )
    from usearch.opened import OpenStore
    from usearch.records import FloatArray, Image, Segments
    from usearch.text.class_lists import ClassList

EXPLAINED = 10
"""Segments of a photo that `--explain` tells of, the largest first."""


@dataclass(frozen=True, slots=True)
class ClassedPhoto:
    """A photo and its classes.

    Attributes:
        path: Of the photo, as it is shown to people.
        size: (height, width) of the photo as shown, in pixels.
        segments: n segments on the mask grid.
        found: Their classes and those of the pixels.
        image: uint8 [h, w, 3], as it was cut; None for a stored photo, which is not opened.
        photo: Its id in the store; None for a new photo.
        explained: Why its largest segments have their classes; None where it was not asked.
    """

    path: Path
    size: tuple[int, int]
    segments: Segments
    found: Classified
    image: Image | None
    photo: int | None
    explained: list[Explained] | None = None


@dataclass(frozen=True, slots=True)
class SkippedPhoto:
    """A photo that could not be used, with a reason code and a line for people."""

    path: Path
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Memory:
    """A bank that votes along, and whether its votes are told."""

    bank: Bank
    explain: bool


@dataclass(frozen=True, slots=True)
class Models:
    """What turns a photo into segments with vectors, and a class list into vectors."""

    segmenter: Segmenter
    embedder: Embedder
    texts: ClassTexts


def load_models(
    preset: str,
    segmenter: str | None,
    device: str,
    masks: Path | None,
    listed: ClassList,
    background: ClassList | None,
) -> Models:
    """Both sides of a preset.

    Raises:
        UsageError: There is no such preset or segmenter.
        InputError: The masks cannot be used.
        ModelError: Weights or packages are missing.
        SpaceMismatch: The two sides do not belong together.
    """
    import indexer.presets
    from usearch.classify import embed_classes
    from usearch.models import presets
    from usearch.text.templates import get_templates

    cutter, embedder = indexer.presets.load_indexer(
        preset, segmenter, device, masks=masks, threads=os.cpu_count() or 1
    )
    encoder = presets.load_text_encoder(preset)
    if encoder.space.id != embedder.space.id:
        raise SpaceMismatch(
            f"the image side of {preset} makes vectors of {embedder.space.id}, "
            f"the text side of {encoder.space.id}",
            "install the preset's files again",
        )
    texts = embed_classes(
        listed,
        encoder,
        get_templates(presets.preset_templates(preset)),
        presets.preset_calibration(preset),
        background=background,
    )
    return Models(cutter, embedder, texts)


def new_photos(
    photos: Sequence[Path],
    models: Models,
    rule: Rule,
    max_side: int,
    *,
    fill: bool,
    memory: Memory | None = None,
    second: SecondModel | None = None,
) -> Iterator[ClassedPhoto | SkippedPhoto]:
    """Photos cut, embedded and classified, one after the other.

    Args:
        photos: Their paths.
        models: What cuts and embeds.
        rule: What of the rule is chosen.
        max_side: Longest side, in pixels, at which they are cut.
        fill: Whether what no segment covers is embedded in pieces.
        memory: Whose segments vote along; `check_bank` has seen it.
        second: A second model, whose probabilities count too.
    """
    from indexer.embedders import KeyedEmbedder
    from indexer.photos import PhotoError, decode
    from indexer.segmenters import cut_photo
    from usearch.classify import classify_picture, voters_of

    for photo in photos:
        try:
            decoded = decode(photo, max_side)
            segments = cut_photo(models.segmenter, decoded.image, str(photo.absolute()))
        except PhotoError as problem:
            yield SkippedPhoto(photo, problem.reason, problem.detail)
            continue
        vectors = voters = None
        if memory is not None:
            assert isinstance(models.embedder, KeyedEmbedder), "check_bank"
            vectors, keys = models.embedder.embed_keyed(decoded.image, segments)
            voters = voters_of(memory.bank, keys, decoded.hash)
        found = classify_picture(
            decoded.image,
            segments,
            models.embedder.embed,
            models.texts,
            rule,
            fill=fill,
            vectors=vectors,
            voters=voters,
            second=second,
        )
        size = decoded.height, decoded.width
        told = _explained(memory, voters, models.texts, segments, vectors, size)
        yield ClassedPhoto(photo, size, segments, found, decoded.image, None, told)


def _explained(
    memory: Memory | None,
    voters: Voters | None,
    texts: ClassTexts,
    segments: Segments,
    vectors: FloatArray | None,
    size: tuple[int, int],
) -> list[Explained] | None:
    from usearch.classify import explain_segments

    if memory is None or not memory.explain or voters is None or vectors is None:
        return None
    return explain_segments(memory.bank, voters, texts, segments, vectors, size, EXPLAINED)


def check_bank(bank: Bank, embedder: Embedder, preset: str) -> None:
    """Refuse a bank that the models of new photos cannot be compared with.

    Raises:
        UsageError: The models make no visual keys.
        SpaceMismatch: Another model made the bank.
    """
    from indexer.embedders import key_space_of
    from usearch.classify.neighbours import require_same_keys

    space = key_space_of(embedder)
    if space is None:
        raise UsageError(
            f"the model {preset} makes no visual keys, so no bank can vote", "leave --bank out"
        )
    require_same_keys(bank, space, embedder.space, preset)


def stored_texts(opened: OpenStore, listed: ClassList, background: ClassList | None) -> ClassTexts:
    """A class list in the space of a store; its vectors are kept in the store's cache."""
    from usearch.classify import embed_classes

    return embed_classes(
        listed,
        opened.encoder,
        opened.templates,
        opened.calibration,
        background=background,
        cache_dir=opened.cache_dir,
    )


def stored_choice(
    opened: OpenStore, named: Sequence[Path], rows: npt.NDArray[np.int64] | None
) -> dict[int, Path]:
    """Stored photos that paths name: photos, folders, or paths below the indexed folder.

    Args:
        opened: The store.
        named: What was named; nothing means all photos.
        rows: Only photos with one of these segments; None for all.

    Returns:
        Path of each photo by its id, in the order of the ids.

    Raises:
        InputError: A path names no photo of the store.
    """
    wanted = [
        (path, place)
        for path in named
        for place in {os.path.normpath(path.absolute()), str(path.resolve())}
    ]
    used: set[Path] = set()
    chosen: dict[int, Path] = {}
    for record in opened.snapshot.photo_records():
        full = os.path.normpath(f"{record.root}/{record.path}")
        hits = [
            path
            for path, place in wanted
            if full == place
            or full.startswith(place.rstrip("/") + "/")
            or record.path == os.fspath(path)
        ]
        used.update(hits)
        if (
            (hits or not named)
            and record.status == "ok"
            and _has_one(opened, record.photo_id, rows)
        ):
            chosen[record.photo_id] = Path(full)
    for path in named:
        if path not in used:
            raise InputError(
                f"{path} is not in the store {opened.snapshot.path}",
                "index it first, or leave --from-store out",
            )
    return chosen


def _has_one(opened: OpenStore, photo: int, rows: npt.NDArray[np.int64] | None) -> bool:
    """Whether a photo has one of these segments; rows are ascending."""
    if rows is None:
        return True
    own = opened.snapshot.rows_of_photo(photo)
    return bool(len(own) and rows.searchsorted(own[0]) < rows.searchsorted(own[-1] + 1))


def stored_photos(
    opened: OpenStore,
    chosen: dict[int, Path],
    texts: ClassTexts,
    rule: Rule,
    rows: npt.NDArray[np.int64] | None,
    memory: Memory | None = None,
    second: Callable[[StoredPhoto], Second] | None = None,
) -> Iterator[ClassedPhoto]:
    """Stored photos classified from what the store holds of them."""
    from usearch.classify import classify_segments
    from usearch.classify import stored_photos as read_photos
    from usearch.classify.stored import photo_voters

    bank = None if memory is None else memory.bank
    space = None if bank is None else bank.space
    for stored in read_photos(opened.snapshot, chosen, rows, space):
        voters = photo_voters(bank, stored)
        seen = None if second is None else second(stored)
        found = classify_segments(
            stored.segments, stored.vectors, texts, rule, voters=voters, second=seen
        )
        size = stored.height, stored.width
        told = _explained(memory, voters, texts, stored.segments, stored.vectors, size)
        yield ClassedPhoto(
            chosen[stored.photo], size, stored.segments, found, None, stored.photo, told
        )


def check_stored_bank(bank: Bank, opened: OpenStore) -> None:
    """Refuse a bank whose keys a store's segments cannot be compared with.

    Segments that have no key keep their own scores; how many is said on stderr.

    Raises:
        StoreError: No segment of the store has a visual key.
        SpaceMismatch: Another model made the bank.
    """
    from usearch.classify.neighbours import require_same_keys, without_keys
    from usearch.store.keys import keyed_rows, newest_space

    snapshot = opened.snapshot
    space = newest_space(snapshot.parts)
    if space is None:
        raise without_keys(snapshot)
    require_same_keys(bank, space, snapshot.space, f"the store {snapshot.path}")
    without = snapshot.n_segments - int(keyed_rows(snapshot, space).sum())
    if without:
        note(
            f"{without:,} of {snapshot.n_segments:,} segments have no visual key and keep their "
            "own scores; `usearch index FOLDER --keys` gives them one"
        )
