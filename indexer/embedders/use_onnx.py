"""A trained model in its ONNX form: the USE embedder without torch.

Vectors are those of `indexer.embedders.use` to rounding: the same input size, the same pooling
weights, the same folded head. The graphs of transformers pool by themselves, so that no map of
all tokens leaves them; position embeddings are resized here, since ONNX has no resize that is
bicubic and antialiased as torch's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.embedders.input_size import InputSize, resized_pixels
from indexer.embedders.keys import KEY_DIM, key_space, keys_of
from usearch.errors import ModelError
from usearch.masks import pooling_weights
from usearch.models.card import read_card
from usearch.models.onnx_form import HEAD_FILE, OnnxBranch, read_form, session_of
from usearch.models.runs import Run
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments

MAX_STRIDE = 32
"""What the sides of the input of a network of maps are multiples of."""

_EPS = 1e-5
Grid = tuple[int, int]


class OnnxEmbedder:
    """Embeds segments with exported backbones and a folded head.

    Args:
        run: A model with an ONNX form.
        threads: Threads of ONNX Runtime; 0 leaves it to the runtime.

    Raises:
        ModelError: A file is missing or damaged, or only the texts were exported.
    """

    def __init__(self, run: Run, threads: int = 0) -> None:
        assert run.onnx is not None
        card, form = read_card(run.onnx), read_form(run.onnx)
        if not form.branches:
            raise ModelError(
                f"{run.onnx} holds the texts alone: its backbones could not be exported",
                "index photos where torch and the model's own folder are",
            )
        self.space: EmbeddingSpace = run.space
        self._size = InputSize(form.short, form.long)
        self._multiple = math.lcm(*(branch.patch for branch in form.branches))
        self._branches = form.branches
        self._sessions = {b.name: session_of(card.path(b.file), threads) for b in form.branches}
        with np.load(card.path(HEAD_FILE), allow_pickle=False) as head:
            self._matrix: FloatArray = head["matrix"]
            self._offset: FloatArray = head["offset"]
            self._positions = {b.name: head[f"positions.{b.name}"] for b in form.branches
                               if b.positions}  # fmt: skip
        columns = sum(sum(b.widths) + b.cls for b in form.branches)
        if self._matrix.shape != (run.space.dim, columns):
            raise ModelError(
                f"the head of {run.onnx} is {self._matrix.shape}, its parts need "
                f"{(run.space.dim, columns)}",
                "export the model again",
            )

    @property
    def key_space(self) -> EmbeddingSpace:
        """Space of the visual keys: that of `USEEmbedder` with the same model."""
        branch, made_by = self._branches[-1], self.space.made_by
        backbone = {
            "tower": made_by["towers"][branch.name],
            "block": len(branch.widths) - 1,
            "pooling": made_by["pooling"],
            "input": made_by["input"],
        }
        return key_space(f"{self.space.name}, {branch.name}", backbone)

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        """See `indexer.embedders.Embedder.embed`."""
        return self.embed_keyed(image, segments)[0]

    def embed_keyed(self, image: Image, segments: Segments) -> tuple[FloatArray, FloatArray]:
        """See `indexer.embedders.KeyedEmbedder.embed_keyed`."""
        total: FloatArray = np.tile(self._offset, (len(segments), 1))
        last: FloatArray = np.zeros((0, 1), np.float32)
        if not len(segments):
            return total, np.zeros((0, KEY_DIM), np.float32)
        size = self._size.fit(image.shape[0], image.shape[1], self._multiple)
        pixels = resized_pixels(image, size)
        weights: dict[Grid, FloatArray] = {}
        start = 0
        for branch in self._branches:
            grid = pixels.shape[2] // branch.patch, pixels.shape[3] // branch.patch
            if grid not in weights:
                weights[grid] = pooling_weights(segments, grid)
            run = self._tokens if branch.kind == "tokens" else self._maps
            *blocks, cls = run(branch, pixels, grid, weights[grid])
            last = blocks[-1]
            for pooled in blocks:
                stop = start + pooled.shape[1]
                total += pooled @ self._matrix[:, start:stop].T
                start = stop
            if branch.cls:
                total += cls @ self._matrix[:, start : start + branch.cls].T
                start += branch.cls
        unit: FloatArray = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
        return unit, keys_of(last)

    def _tokens(
        self, branch: OnnxBranch, pixels: FloatArray, grid: Grid, weights: FloatArray
    ) -> list[FloatArray]:
        """Pooled tokens of each block [n, width], then the class token [cls]."""
        table, native = self._positions[branch.name], branch.positions
        cells = resize_positions(table[branch.prefix :], (native[0], native[1]), grid)
        feed: dict[str, Any] = {
            "pixels": pixels,
            "positions": np.concatenate([table[: branch.prefix], cells]),
            "weights": weights,
        }
        found: list[FloatArray] = self._sessions[branch.name].run(None, feed)
        return [*found[:-1], found[-1][0]]

    def _maps(
        self, branch: OnnxBranch, pixels: FloatArray, grid: Grid, weights: FloatArray
    ) -> list[FloatArray]:
        """As `_tokens`, of a network of maps; see `indexer.embedders.map_tower`."""
        height, width = pixels.shape[2:]
        padding = ((0, 0), (0, 0), (0, -height % MAX_STRIDE), (0, -width % MAX_STRIDE))
        padded = np.pad(pixels, padding, mode="edge")
        names = list(branch.outputs)
        maps = self._sessions[branch.name].run(names, {"pixels": padded * np.float32(255)})
        strides = [padded.shape[2] // one.shape[2] for one in maps]
        coarsest = strides.index(max(strides))
        pooled: list[FloatArray] = []
        cls: FloatArray = np.zeros(0, np.float32)
        for place, (one, stride) in enumerate(zip(maps, strides, strict=True)):
            cells = one[0, :, : -(-height // stride), : -(-width // stride)]
            tokens = normalise(cells.transpose(1, 2, 0))
            if place == coarsest:
                cls = tokens.mean((0, 1))
            step = stride // branch.patch
            fine = tokens.repeat(step, 0).repeat(step, 1)[: grid[0], : grid[1]]
            pooled.append(weights @ fine.reshape(grid[0] * grid[1], -1))
        return [*pooled, cls]


def normalise(tokens: FloatArray) -> FloatArray:
    """The parameter-free part of a layer norm, over the last axis."""
    centred = tokens - tokens.mean(-1, keepdims=True)
    out: FloatArray = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(_EPS))
    return out


def resize_positions(table: FloatArray, native: Grid, grid: Grid) -> FloatArray:
    """Position embeddings [rows * columns, C] of a native grid for another one.

    As `indexer.embedders.towers.resize_positions`: bicubic and antialiased, by target size.
    """
    if native == grid:
        return table
    image = table.reshape(*native, -1).astype(np.float64)
    down, across = _bicubic(native[0], grid[0]), _bicubic(native[1], grid[1])
    out = np.einsum("ai,ijc,bj->abc", down, image, across, optimize=True)
    resized: FloatArray = out.reshape(grid[0] * grid[1], -1).astype(np.float32)
    return resized


def _bicubic(size: int, target: int) -> npt.NDArray[np.float64]:
    """Weights [target, size] of an antialiased bicubic resize, as torch and Pillow have it."""
    scale = size / target
    spread = max(scale, 1.0)
    weights = np.zeros((target, size))
    for row in range(target):
        centre = scale * (row + 0.5)
        first = max(int(centre - 2 * spread + 0.5), 0)
        last = min(int(centre + 2 * spread + 0.5), size)
        away = np.abs((np.arange(first, last) - centre + 0.5) / spread)
        near = (1.5 * away - 2.5) * away**2 + 1
        far = ((-0.5 * away + 2.5) * away - 4) * away + 2
        some = np.where(away < 1, near, np.where(away < 2, far, 0.0))
        weights[row, first:last] = some / some.sum()
    return weights
