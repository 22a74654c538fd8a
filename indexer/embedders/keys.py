"""Visual keys: what the backbone saw of a segment, reduced to a small fixed width.

A key is the segment's pooled tokens of the backbone, before the head that was trained on texts,
times a matrix of random signs (Achlioptas 2003), scaled to unit length: inner products survive to
about 1 / sqrt(width). The signs are bits of SHAKE-256, so that every machine and every release
makes the same matrix, and no model has to bring one along. docs/memory.md says what a fitted
projection (PCA) would gain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from usearch.records import EmbeddingSpace, FloatArray

KEY_DIM = 256
_SEED = b"usearch visual keys 1"


@cache
def sign_projection(width: int, dim: int = KEY_DIM) -> FloatArray:
    """Random signs over sqrt(dim), float32 [width, dim]; the same everywhere and always."""
    bits = np.frombuffer(hashlib.shake_256(_SEED).digest(-(-width * dim // 8)), np.uint8)
    signs = np.unpackbits(bits)[: width * dim].reshape(width, dim).astype(np.float32)
    matrix: FloatArray = (2.0 * signs - 1.0) / np.float32(np.sqrt(dim))
    return matrix


def keys_of(pooled: FloatArray) -> FloatArray:
    """Keys of segments, float32 [n, KEY_DIM], unit length.

    Args:
        pooled: float32 [n, width], pooled tokens of the backbone.
    """
    keys = pooled @ sign_projection(pooled.shape[1])
    unit: FloatArray = keys / np.maximum(np.linalg.norm(keys, axis=1, keepdims=True), 1e-12)
    return unit.astype(np.float32, copy=False)


def key_space(name: str, backbone: Mapping[str, Any]) -> EmbeddingSpace:
    """The space of a backbone's keys.

    Args:
        name: Of the model, for people.
        backbone: All that shapes the pooled tokens, as plain JSON values.
    """
    made_by = {"keys": _SEED.decode(), "dim": KEY_DIM, "backbone": dict(backbone)}
    text = json.dumps(made_by, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return EmbeddingSpace(id=digest, dim=KEY_DIM, name=f"keys of {name}", made_by=made_by)
