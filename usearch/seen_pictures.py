"""Pictures of questions: those that the store knows, and those that are cut and embedded now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usearch.errors import InputError
from usearch.picture_terms import Place, ShownPhoto, embedded_vector, known_photo, stored_vector
from usearch.render.safe_text import printable

if TYPE_CHECKING:
    from indexer.photos import PhotoError
    from usearch.records import FloatArray
    from usearch.store import Snapshot


def place_vector(
    snapshot: Snapshot, place: Place, image_side: Callable[[], tuple[Any, Any]]
) -> FloatArray:
    """The vector of a picture or a place in it, float32 [D], unit length.

    Args:
        snapshot: The store; what it knows of the picture is used before any network.
        place: What is meant.
        image_side: Gives segmenter and embedder, when they are needed.

    Raises:
        InputError: The picture cannot be used.
        UsageError: The place lies outside the picture, or on no segment.
    """
    seen = photo_at(snapshot, place.path)
    if isinstance(seen, int):
        stored = stored_vector(snapshot, seen, place, printable(str(place.path)))
        if stored is not None:
            return stored
        seen = _decoded(place.path)
    return embedded_vector(seen, place, *image_side())


def photo_at(snapshot: Snapshot, path: Path) -> int | ShownPhoto:
    """The stored photo with a file's content, by its id, or else the picture itself.

    Raises:
        InputError: The file cannot be used, and the store does not know it.
    """
    from indexer.photos import PhotoError, hash_file

    try:
        known = known_photo(snapshot, path, hash_file(path))
    except PhotoError as error:
        known = known_photo(snapshot, path, "")
        if known is None:
            missing = "there is no such file" if error.reason == "vanished" else _told(error)
            raise InputError(
                f"{printable(str(path))}: {missing}",
                "give a picture; words that look like a path get a backslash in front",
            ) from error
    return _decoded(path) if known is None else known


def _decoded(path: Path) -> ShownPhoto:
    from indexer.photos import PhotoError, decode

    name = printable(str(path))
    try:
        decoded = decode(path)
    except PhotoError as error:
        raise InputError(f"{name}: {_told(error)}") from error
    return ShownPhoto(name, decoded.image, decoded.width, decoded.height)


def _told(error: PhotoError) -> str:
    """What is wrong with a picture, without the options that `usearch index` has for it."""
    return error.detail.split(" (--")[0]
