"""Photos of a store read again, for pictures of its segments: the same content, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usearch.errors import InputError

if TYPE_CHECKING:
    from usearch.hits import ReadPhoto
    from usearch.records import Image
    from usearch.store import Snapshot

_AGAIN = "index it again: usearch index FOLDER"


def photo_reader(snapshot: Snapshot) -> ReadPhoto:
    """A function that reads photos which the snapshot knows.

    A mask belongs to the content that was indexed. A file that holds anything else by now
    is refused by its hash, also where its size and time are the same.

    Returns:
        `read(path, max_side)`: uint8 [H, W, 3] as shown, longest side at most `max_side`. It
        raises InputError, with the path in its message, where the photo is not in the store,
        is gone, has changed, or cannot be decoded any more.
    """

    def read(path: str, max_side: int) -> Image:
        from indexer.photos import PhotoError, decode

        content, pixels = _known(snapshot, path)
        try:
            # Never more pixels than were indexed; a file cut short was indexed cut short.
            photo = decode(path, max_side, pixels, allow_truncated=True)
        except PhotoError as error:
            if error.reason == "vanished":
                raise InputError(f"{path} is gone since it was indexed", _AGAIN) from None
            if error.content_hash not in ("", content):
                raise InputError(f"{path} has changed since it was indexed", _AGAIN) from None
            raise InputError(f"{path}: {error.detail}") from None
        if photo.hash != content:
            raise InputError(f"{path} has changed since it was indexed", _AGAIN)
        return photo.image

    return read


def _known(snapshot: Snapshot, path: str) -> tuple[str, int]:
    """Hash of the content and number of pixels of a photo when it was indexed."""
    import pyarrow.compute as pc

    from usearch.store import stored_name

    photos, name = snapshot.photos(), stored_name(path)
    for root in pc.unique(photos["root"]).to_pylist():
        start = root.rstrip("/") + "/"
        if not name.startswith(start):
            continue
        same = pc.and_(pc.equal(photos["path"], name[len(start) :]), pc.equal(photos["root"], root))
        for row in photos.filter(same).to_pylist():
            return str(row["hash"]), int(row["width"]) * int(row["height"])
    raise InputError(f"{path} is not in this store", _AGAIN)
