"""The network of the `mini` text encoder, in NumPy.

A text is cut into pieces of words; a table gives each piece a vector, to which the hashed pair
with the piece before is added; a window of three pieces mixes neighbours; eight attention heads
pool; a small MLP gives the name part of the vector. Tables are int8 with one scale a row and are
mapped, not read: a query touches a few rows of them.
"""

from __future__ import annotations

import json
import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.errors import ModelError, UsageError
from usearch.records import FloatArray
from usearch.text.wordpiece import WordPiece

MAX_PIECES = 77
"""Pieces that are read of one text; CLIP reads as many."""
PAIR_HASH = 1_000_003

_MAX_CHARACTERS = 20_000  # far beyond MAX_PIECES; keeps a pasted file from costing seconds
_BATCH = 256
_log = logging.getLogger("usearch.text")
_TYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8}
_REINSTALL = "install usearch again, or give the folder of a complete model"


def read_safetensors(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Maps the tensors of a safetensors file without reading them, and its metadata.

    Raises:
        ModelError: The file is missing or not a safetensors file.
    """
    try:
        data = np.memmap(path, np.uint8, "r")
        size = int.from_bytes(data[:8].tobytes(), "little")
        header = json.loads(data[8 : 8 + size].tobytes())
        body = data[8 + size :]
        metadata = header.pop("__metadata__", {})
        tensors = {}
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            if end > len(body):
                raise ValueError(f"{name} ends past the end of the file")
            flat = body[start:end].view(_TYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the text encoder {path} cannot be read: {error}",
            _REINSTALL,
        ) from error
    return tensors, metadata


def _gelu(x: FloatArray) -> FloatArray:
    y: FloatArray = 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))
    return y


class TextNetwork:
    """Texts to name parts.

    Args:
        weights: `text.safetensors`, as `trainer.text.export` writes it.
        vocabulary: `text.vocab.txt`, one piece a line, padding first.

    Raises:
        ModelError: A file is missing or damaged, or they do not belong together.
    """

    def __init__(self, weights: Path, vocabulary: Path) -> None:
        self._tensors, metadata = read_safetensors(weights)
        try:
            pieces = vocabulary.read_text(encoding="utf-8").split("\n")
            self._pieces = WordPiece(pieces)
            self.id = metadata["id"]
            self.dim = int(self._tensors["out.weight"].shape[0])
            if len(self._tensors["pieces"]) != len(pieces):
                raise ValueError(f"{len(pieces)} pieces, {len(self._tensors['pieces'])} rows")
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"{weights} and {vocabulary.name} do not fit together: {error}", _REINSTALL
            ) from error

    def __call__(self, texts: list[str]) -> FloatArray:
        """Name parts of texts as typed; any script and length is taken.

        A text of more than `MAX_PIECES` pieces is cut there, which is logged as a warning, as is
        a text none of whose words is known.

        Returns:
            float32 [n, 437], unit length.

        Raises:
            UsageError: A text is empty or has no visible character.
        """
        rows = [self._cut(text) for text in texts]
        names = np.zeros((len(texts), self.dim), np.float32)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            ids = np.zeros((len(batch), len(rows[batch[-1]])), np.int64)
            for at, i in enumerate(batch):
                ids[at, : len(rows[i])] = rows[i]
            names[batch] = self._network(ids)
        return names

    def _cut(self, text: str) -> list[int]:
        pieces = self._pieces(text[:_MAX_CHARACTERS])
        if not pieces:
            raise UsageError(
                "the text is empty" if not text.strip() else f"no letters in {text!r}",
                'say what to look for, such as "red car"',
            )
        if all(piece == self._pieces.unknown for piece in pieces):
            _log.warning("no word of %r is known to this model (it reads English)", text)
        if len(pieces) > MAX_PIECES:
            _log.warning(
                "the text %r... is longer than %d pieces of words: the rest is not read",
                text[:40],
                MAX_PIECES,
            )
        return pieces[:MAX_PIECES]

    @cached_property
    def _layers(self) -> dict[str, FloatArray]:
        tables = ("pieces", "pairs")
        return {
            k: np.asarray(v, np.float32)
            for k, v in self._tensors.items()
            if not k.startswith(tables)
        }

    def _rows(self, table: str, ids: npt.NDArray[np.int64]) -> FloatArray:
        """Rows of an int8 table with one scale a row."""
        scale = self._tensors[f"{table}.scale"][ids].astype(np.float32)
        rows: FloatArray = self._tensors[table][ids].astype(np.float32) * scale[..., None]
        return rows

    def _linear(self, name: str, x: FloatArray) -> FloatArray:
        y: FloatArray = x @ self._layers[f"{name}.weight"].T + self._layers[f"{name}.bias"]
        return y

    def _network(self, ids: npt.NDArray[np.int64]) -> FloatArray:
        """Name parts [n, 437], unit length, of ids [n, L], 0 = padding at the end."""
        mask = (ids > 0)[..., None]
        x = self._rows("pieces", ids)
        pairs = (ids[:, :-1] * PAIR_HASH + ids[:, 1:]) % len(self._tensors["pairs"])
        x[:, 1:] += self._rows("pairs", pairs)
        x *= mask
        edge = np.zeros_like(x[:, :1])
        before = np.concatenate([edge, x[:, :-1]], 1)
        after = np.concatenate([x[:, 1:], edge], 1)
        x = x + self._linear(
            "near_out", _gelu(self._linear("near", np.concatenate([before, x, after], -1)))
        )
        logits = np.where(mask, self._linear("gate", x), -1e4)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        n, length, heads = weights.shape
        z = (x.reshape(n, length, heads, -1) * weights[..., None]).sum(1).reshape(n, -1)
        z = z - z.mean(1, keepdims=True)
        z = z / np.sqrt((z**2).mean(1, keepdims=True) + 1e-5)
        z = z * self._layers["norm.weight"] + self._layers["norm.bias"]
        z = z + self._linear("hidden_out", _gelu(self._linear("hidden", z)))
        y = self._linear("out", z)
        y /= np.linalg.norm(y, axis=1, keepdims=True)
        return y.astype(np.float32)
