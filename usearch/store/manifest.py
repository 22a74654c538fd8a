"""The manifest: the one mutable file of a store, read whole and replaced whole.

`manifest.json` names every file that belongs to the store, with size and checksum. Its own
checksum is the BLAKE2b hash of the canonical JSON of everything else in it. The manifest
before it is kept as `manifest.previous.json`, with the parts it names, so that a damaged
manifest costs one commit and not the store.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from usearch.errors import StoreError, StoreNotFound
from usearch.records import EmbeddingSpace
from usearch.store import files
from usearch.store.files import FileSum

FORMAT = 1
NAME = "manifest.json"
PREVIOUS = "manifest.previous.json"


class NewerStore(StoreError):
    """The store was written by a newer usearch: nothing in it is touched."""


@dataclass(frozen=True, slots=True)
class RemovedPhoto:
    """A photo of a part that is gone: its rows are skipped until the part is rewritten."""

    photo_id: int
    first_row: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class PartEntry:
    """One part: its folder's name, what it holds, its files.

    Attributes:
        id: Name of the folder under `parts/`.
        photos: Rows of photos.parquet, removed ones included.
        segments: Rows of segments.parquet and vectors.f16, removed ones included.
        moves: Rows of moves.parquet.
        files: Size and checksum by file name.
        removed: Photos of this part that are gone.
        keys: Space of the visual keys of its segments; None when it has none.
    """

    id: str
    photos: int
    segments: int
    moves: int
    files: dict[str, FileSum]
    removed: tuple[RemovedPhoto, ...] = ()
    keys: EmbeddingSpace | None = None

    @property
    def dead_rows(self) -> int:
        """Segment rows of removed photos."""
        return sum(r.n_rows for r in self.removed)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """The derived FAISS index: it covers the first `parts` parts, `rows` rows in all.

    Attributes:
        file: Its name under `index/`.
        sum: Size and checksum of the file.
        kind: As FAISS names it.
        parts: Parts covered.
        rows: Rows covered.
        nprobe: Lists that a search looks into.
        recall: Share of the true first ten that it then found, when it was built.
        lists_at: Where the inverted lists begin in the file; they end at the block checksums.
        blocks: Size and checksum of the end of the file: checksums of the blocks before it.
    """

    file: str
    sum: FileSum
    kind: str
    parts: int
    rows: int
    nprobe: int
    recall: float
    lists_at: int
    blocks: FileSum


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one version of a store is made of."""

    store_id: str
    version: int
    created_at: str
    changed_at: str
    space: EmbeddingSpace
    preset: str
    segmenter: str
    segmenter_settings: dict[str, Any]
    next_photo_id: int = 0
    parts: tuple[PartEntry, ...] = ()
    index: IndexEntry | None = None
    written_by: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What reading found wrong and lived with; never written."""


def to_bytes(manifest: Manifest) -> bytes:
    """The file that `from_bytes` reads."""
    body = {"format": FORMAT, **asdict(replace(manifest, warnings=()))}
    del body["warnings"]
    for part in body["parts"]:
        part["removed"] = [[r["photo_id"], r["first_row"], r["n_rows"]] for r in part["removed"]]
        if part["keys"] is None:
            del part["keys"]
    body["checksum"] = _digest(body)
    return json.dumps(body, indent=1).encode()


def from_bytes(data: bytes, path: Path) -> Manifest:
    """A manifest, checked.

    Raises:
        StoreError: Not a manifest, damaged, or written by a newer usearch.
    """
    damaged = StoreError(f"{path} is damaged", f"run `usearch rebuild --store {path.parent}`")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged from error
    if not isinstance(body, dict) or not isinstance(body.get("format"), int):
        raise damaged
    if body["format"] > FORMAT:
        raise NewerStore(
            f"{path.parent} has store format {body['format']}, this usearch reads up to {FORMAT}",
            f"use the usearch that wrote it ({body.get('written_by', 'a newer one')}) or newer",
        )
    checksum = body.pop("checksum", None)
    if checksum != _digest(body):
        raise damaged
    del body["format"]
    try:
        return _build(body)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged from error


def read(store: Path) -> Manifest:
    """The newest valid manifest of a store.

    Raises:
        StoreNotFound: The folder holds no manifest.
        StoreError: Damaged, and the one before it as well; or of a newer format.
    """
    path, previous = store / NAME, store / PREVIOUS
    if store.is_file():
        raise StoreError(f"{store} is a file, not a store", "name a folder with --store")
    try:
        return from_bytes(files.read_file(path), path)
    except FileNotFoundError as error:
        if not previous.exists():
            raise StoreNotFound(
                f"no store at {store}", "make one with `usearch index FOLDER`, or use --store"
            ) from error
        wrong = StoreError(f"{path} is missing", f"run `usearch rebuild --store {store}`")
    except NewerStore:
        raise
    except StoreError as error:
        wrong = error
    try:
        older = from_bytes(files.read_file(previous), previous)
    except (FileNotFoundError, StoreError):
        raise wrong from None
    said = f"{wrong.message}; using version {older.version} from {PREVIOUS}; {wrong.hint}"
    return replace(older, warnings=(said,))


def write(store: Path, manifest: Manifest, previous: Manifest | None) -> None:
    """Commit: after a crash the store is `previous` or `manifest`.

    Args:
        store: The store's folder.
        manifest: The new version.
        previous: The version that it replaces; None for the first.
    """
    if previous is not None:
        files.replace_file(store / PREVIOUS, to_bytes(previous))
    files.replace_file(store / NAME, to_bytes(manifest))


def _digest(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _build(body: dict[str, Any]) -> Manifest:
    parts = tuple(
        PartEntry(
            id=_file_name(p["id"]),
            photos=int(p["photos"]),
            segments=int(p["segments"]),
            moves=int(p["moves"]),
            files={_file_name(name): FileSum(**s) for name, s in p["files"].items()},
            removed=tuple(RemovedPhoto(*map(int, r)) for r in p["removed"]),
            keys=EmbeddingSpace(**p["keys"]) if p.get("keys") is not None else None,
        )
        for p in body.pop("parts")
    )
    index = body.pop("index")
    if index is not None:
        sums = {name: FileSum(**index[name]) for name in ("sum", "blocks")}
        index = IndexEntry(**{**index, "file": _file_name(index["file"]), **sums})
    space = EmbeddingSpace(**body.pop("space"))
    return Manifest(space=space, parts=parts, index=index, **body)


def _file_name(name: Any) -> str:
    """A name that stays inside its folder: a manifest from elsewhere leads nowhere else."""
    if not isinstance(name, str) or not name or name[0] == "." or set(name) & set("/\\\0"):
        raise ValueError(f"not a file name: {name!r}")
    return name
