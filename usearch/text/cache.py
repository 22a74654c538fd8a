"""Text vectors kept between runs, one small file a key.

The name of a file is a hash of the key (a text, or a name with its templates), the embedding
space and the weights of the encoder. Each file carries its checksum: one that is damaged, cut
short or of another size is ignored and written anew. Files appear by rename, so any number of
processes may share a folder. A folder that cannot be written is no error: the vectors are computed
again next time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np

from usearch.records import FloatArray
from usearch.text import TextEncoder

_MAGIC = b"UTV1"
_SUM = 16


def recall(
    encoder: TextEncoder,
    keys: list[str],
    compute: Callable[[list[str]], FloatArray],
    cache_dir: Path | None,
) -> FloatArray:
    """Vectors by key, from disk where they are known and from `compute` where not.

    Args:
        encoder: What makes the vectors; its space and weights are part of the file names.
        keys: Any strings, repeats allowed.
        compute: Gives float32 [m, D] for the m different keys that are not known.
        cache_dir: A folder, made when absent; None to keep nothing.

    Returns:
        float32 [n, D] in the order of the keys.
    """
    dim = encoder.space.dim
    if not keys:
        return np.zeros((0, dim), np.float32)
    found: dict[str, FloatArray] = {}
    if cache_dir is not None:
        for key in dict.fromkeys(keys):
            kept = _read(_file(cache_dir, key, encoder), dim)
            if kept is not None:
                found[key] = kept
    new = [key for key in dict.fromkeys(keys) if key not in found]
    if new:
        found.update(zip(new, compute(new), strict=True))
    if cache_dir is not None:
        for key in new:
            if not _write(_file(cache_dir, key, encoder), found[key]):
                break  # read-only or full: the others would fail alike
    return np.stack([found[key] for key in keys]).astype(np.float32)


def _file(folder: Path, key: str, encoder: TextEncoder) -> Path:
    # A space may keep its id while its text side is trained anew: weights count as well.
    weights = getattr(encoder, "id", "")
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{encoder.space.id}\0{encoder.space.dim}\0{weights}\0".encode())
    digest.update(key.encode("utf-8", "surrogatepass"))
    name = digest.hexdigest()
    return folder / "text" / name[:2] / f"{name[2:]}.vec"


def _read(path: Path, dim: int) -> FloatArray | None:
    """The vector in a file, or None where there is no sound one."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    head = len(_MAGIC) + _SUM
    if len(data) != head + 4 * dim or not data.startswith(_MAGIC):
        return None
    body = data[head:]
    if hashlib.blake2b(body, digest_size=_SUM).digest() != data[len(_MAGIC) : head]:
        return None
    return np.frombuffer(body, "<f4").astype(np.float32)


def _write(path: Path, vector: FloatArray) -> bool:
    """Writes a file by rename; False where the folder does not take it."""
    body = vector.astype("<f4").tobytes()
    data = _MAGIC + hashlib.blake2b(body, digest_size=_SUM).digest() + body
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError:
        return False
    return True
