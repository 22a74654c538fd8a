"""`--second`: a second model whose class probabilities count beside those of the first.

For new photos it embeds along. For stored photos its vectors are not in the store: the photos are
opened once, and the vectors of their segments kept in the store's cache, which can be deleted.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from indexer.embedders import Embedder
    from usearch.classify import ClassTexts, Second, SecondModel, StoredPhoto
    from usearch.opened import OpenStore
    from usearch.records import FloatArray
    from usearch.text.class_lists import ClassList

DEFAULT_SECOND_WEIGHT = 0.5
"""That of `usearch.classify.ensemble`, which would import NumPy for `--help`."""

SecondOption = Annotated[
    str | None,
    typer.Option(
        "--second",
        metavar="RUN",
        help="A second model, by its folder: its class probabilities count too.",
        show_default=False,
    ),
]
SecondWeightOption = Annotated[
    float,
    typer.Option(
        "--second-weight",
        metavar="W",
        help="Weight of --second in the geometric mean, 0..1; 0 = it does not count.",
    ),
]

_MAGIC = b"USV1"
_SUM = 16


def asked_second(second: str | None, weight: float) -> str | None:
    """The second model that the options name; None where there is none, or it counts nothing.

    Raises:
        UsageError: The weight is none, or there is no such model.
        ModelError: The folder holds no trained model.
    """
    from usearch.classify.ensemble import check_weight
    from usearch.cli.options import asked_model

    check_weight(weight)
    named = asked_model(second)
    return named if weight > 0.0 else None


def second_for_photos(
    second: str | None,
    weight: float,
    device: str,
    listed: ClassList,
    background: ClassList | None,
) -> SecondModel | None:
    """A second model for pictures that are cut now.

    Args:
        second: As `asked_second` gives it.
        weight: Of it, 0..1.
        device: Where torch models run.
        listed: The classes.
        background: Contrast classes.
    """
    from usearch.classify import SecondModel

    if second is None:
        return None
    texts = _texts(second, listed, background, None)
    return SecondModel(_embedder(second, device).embed, texts, weight)


def second_for_store(
    second: str | None,
    weight: float,
    device: str,
    opened: OpenStore,
    listed: ClassList,
    background: ClassList | None,
) -> Callable[[StoredPhoto], Second] | None:
    """A second model for stored photos; arguments as for `second_for_photos`."""
    if second is None:
        return None
    texts = _texts(second, listed, background, opened.cache_dir)
    return StoredSecond(second, weight, device, opened, texts)


class StoredSecond:
    """What a second model says of stored segments: from the cache, or from the photo.

    Args:
        name: A preset, or the folder of a trained model.
        weight: Of it, 0..1.
        device: Where torch models run.
        opened: The store.
        texts: The classes in the second model's space.
    """

    def __init__(
        self, name: str, weight: float, device: str, opened: OpenStore, texts: ClassTexts
    ) -> None:
        from usearch.models.presets import load_text_encoder
        from usearch.stored_photos import photo_reader

        self._name, self._weight, self._device, self._texts = name, weight, device, texts
        self._snapshot = opened.snapshot
        self._space = load_text_encoder(name).space
        self._folder = opened.cache_dir / "second" / self._space.id
        self._read = photo_reader(opened.snapshot)

    @cached_property
    def _model(self) -> Embedder:
        """Loaded when a photo must be looked at, and not before."""
        return _embedder(self._name, self._device)

    def __call__(self, photo: StoredPhoto) -> Second:
        """What it says of a photo's segments, or of those of them that were asked for.

        Raises:
            InputError: The photo must be opened, and is gone or has changed.
        """
        import numpy as np

        from usearch.classify import Second, stored_photos

        n = len(self._snapshot.rows_of_photo(photo.photo))
        whole = photo
        if len(photo.segment_ids) < n:
            [whole] = stored_photos(self._snapshot, [photo.photo])
        vectors = self._vectors(whole)
        if whole is not photo:
            vectors = vectors[np.isin(whole.segment_ids, photo.segment_ids)]
        return Second(self._texts, self._weight, vectors)

    def _vectors(self, photo: StoredPhoto) -> FloatArray:
        from indexer.photos import MAX_SIDE

        n, dim = len(photo.segments), self._space.dim
        file = self._folder / f"{photo.photo % 1000:03d}" / f"{photo.photo}.vec"
        kept = _read_vectors(file, photo.hash, n, dim)
        if kept is not None:
            return kept
        vectors = self._model.embed(self._read(photo.image, MAX_SIDE), photo.segments)
        _write_vectors(file, photo.hash, vectors)
        return vectors


def _texts(
    name: str, listed: ClassList, background: ClassList | None, cache_dir: Path | None
) -> ClassTexts:
    from usearch.classify import embed_classes
    from usearch.models import presets
    from usearch.text.templates import get_templates

    return embed_classes(
        listed,
        presets.load_text_encoder(name),
        get_templates(presets.preset_templates(name)),
        presets.preset_calibration(name),
        background=background,
        scored=False,
        cache_dir=cache_dir,
    )


def _embedder(name: str, device: str) -> Embedder:
    import indexer.presets

    # What cuts does not matter: the segments are those of the first model.
    _, embedder = indexer.presets.load_indexer(name, "tree", device, threads=os.cpu_count() or 1)
    return embedder


def _sum_of(content: str, body: bytes) -> bytes:
    """Of a photo's content and its vectors: another photo's are never taken for these."""
    return hashlib.blake2b(content.encode() + b"\0" + body, digest_size=_SUM).digest()


def _read_vectors(file: Path, content: str, n: int, dim: int) -> FloatArray | None:
    """float32 [n, dim]; None where there is no sound file."""
    import numpy as np

    try:
        data = file.read_bytes()
    except OSError:
        return None
    head = len(_MAGIC) + _SUM
    body = data[head:]
    if not data.startswith(_MAGIC) or len(body) != 2 * n * dim:
        return None
    if data[len(_MAGIC) : head] != _sum_of(content, body):
        return None
    return np.frombuffer(body, "<f2").reshape(n, dim).astype(np.float32)


def _write_vectors(file: Path, content: str, vectors: FloatArray) -> None:
    """By rename; a folder that takes no files costs time, not the answer."""
    body = vectors.astype("<f2").tobytes()
    partial = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(_MAGIC + _sum_of(content, body) + body)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    except OSError:
        return
