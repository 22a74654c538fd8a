"""One file to one row: read, cut, embed. What goes wrong with a file becomes its row."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from indexer.embedders import KeyedEmbedder, key_space_of
from indexer.photos import MAX_PIXELS, MAX_SIDE, PhotoError, SameContent, decode
from indexer.planning import Task
from indexer.segmenters import cut_photo
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments
from usearch.store import IndexedPhoto, PhotoRow

if TYPE_CHECKING:
    from indexer.embedders import Embedder
    from indexer.segmenters import Segmenter


class Load(Protocol):
    """Makes the segmenter and the embedder.

    It is called in each worker process, so it must be importable by name: a function of a
    module, or a `functools.partial` of one, such as of `indexer.presets.load_indexer`.
    """

    def __call__(self, *, threads: int) -> tuple[Segmenter, Embedder]:
        """Loads models that use at most so many threads each."""
        ...


DECODE_SECONDS = 300
"""A decoder that takes longer hangs: the system ends its process."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read; see `indexer.photos.decode`.

    With `keys`, segments get visual keys where the embedder makes them.
    """

    max_side: int = MAX_SIDE
    max_pixels: int = MAX_PIXELS
    allow_truncated: bool = False
    keys: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a worker has loaded: what makes the vectors, and what cuts the photos."""

    space: EmbeddingSpace
    segmenter: str
    segmenter_settings: dict[str, object]
    keys: EmbeddingSpace | None = None


def what_is_loaded(segmenter: Segmenter, embedder: Embedder) -> Loaded:
    """The identity of a segmenter and an embedder."""
    keys = key_space_of(embedder)
    return Loaded(embedder.space, segmenter.name, segmenter.settings, keys)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Attributes:
        task: The file.
        indexed: Its row, segments and vectors; None when the content is the known one.
        n_bytes: Size of the file as read.
        mtime_ns: Time of its last change as read.
        seconds: Time spent on reading and decoding, cutting, embedding.
    """

    task: Task
    indexed: IndexedPhoto | None
    n_bytes: int
    mtime_ns: int
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)


def index_one(task: Task, segmenter: Segmenter, embedder: Embedder, reading: Reading) -> Outcome:
    """Decodes, cuts and embeds one file. A file that cannot be read gives a row that says why."""
    photo = task.photo
    start = time.perf_counter()
    try:
        if photo.problem:
            raise PhotoError("not_a_file", f"{photo.problem}, not a file")
        with _time_limit(DECODE_SECONDS):
            decoded = decode(
                photo.full_path,
                reading.max_side,
                reading.max_pixels,
                allow_truncated=reading.allow_truncated,
                known_hash=task.known_hash,
            )
        after_decoding = time.perf_counter()
        segments = cut_photo(segmenter, decoded.image, photo.full_path)
        after_cutting = time.perf_counter()
        vectors, keys = _embedded(embedder, decoded.image, segments, keyed=reading.keys)
    except SameContent as same:
        return Outcome(task, None, same.n_bytes, same.mtime_ns)
    except PhotoError as error:
        return failure(task, error)
    except MemoryError:
        return failure(task, PhotoError("no_memory", "no memory to cut and embed this photo"))
    if vectors.shape != (len(segments), embedder.space.dim):
        raise RuntimeError(
            f"the embedder gave vectors of shape {vectors.shape} for {len(segments)} segments "
            f"in a space of {embedder.space.dim} dimensions"
        )
    row = PhotoRow(
        path=photo.path,
        root=photo.root,
        bytes=decoded.bytes,
        mtime_ns=decoded.mtime_ns,
        hash=decoded.hash,
        width=decoded.width,
        height=decoded.height,
        taken_at=decoded.taken_at,
        camera=decoded.camera,
        status="ok",
        detail=decoded.note,
        n_segments=len(segments),
    )
    seconds = (
        after_decoding - start,
        after_cutting - after_decoding,
        time.perf_counter() - after_cutting,
    )
    indexed = IndexedPhoto(row, segments, vectors, keys)
    return Outcome(task, indexed, decoded.bytes, decoded.mtime_ns, seconds)


def _embedded(
    embedder: Embedder, image: Image, segments: Segments, *, keyed: bool
) -> tuple[FloatArray, FloatArray | None]:
    """Vectors, and visual keys where they are wanted and the embedder makes them."""
    if keyed and isinstance(embedder, KeyedEmbedder) and embedder.key_space is not None:
        return embedder.embed_keyed(image, segments)
    return embedder.embed(image, segments), None


def failure(task: Task, error: PhotoError) -> Outcome:
    """The outcome of a file that cannot be indexed, with the reason as its row."""
    photo = task.photo
    row = PhotoRow(
        path=photo.path,
        root=photo.root,
        bytes=photo.bytes,
        mtime_ns=photo.mtime_ns,
        hash=error.content_hash,
        width=error.size[0],
        height=error.size[1],
        taken_at=None,
        camera=None,
        status=error.reason,
        detail=error.detail,
    )
    return Outcome(task, IndexedPhoto(row, None, None), photo.bytes, photo.mtime_ns)


@contextlib.contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Ends this process when the body hangs; native code can be stopped no other way.

    Only in a worker, whose parent takes note; elsewhere the alarm is not ours to set.
    """
    if multiprocessing.parent_process() is None:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
