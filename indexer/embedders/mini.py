"""The bundled `mini` model on ONNX Runtime: one pass of the tower serves segmenter and embedder.

The tower gives a boundary map and, for each stage, tokens that are already normalised (the
parameter-free part of USE's LayerNorm). A segment's vector is the folded head applied to its
area-pooled tokens, joined with the share of its pixels that has each basic colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image as PillowImage

from indexer.embedders.keys import key_space, keys_of
from usearch.errors import ModelError
from usearch.masks import pooling_weights
from usearch.models.card import ModelCard
from usearch.records import EmbeddingSpace, FloatArray, Image, Segments
from usearch.text.colours import pixel_colours

STRIDE = 32
_FINEST = 8
GLOBAL = "s32"
"""Stage whose mean over the photo goes into every segment's row where a head wants it (USE's
class token)."""


@dataclass(frozen=True, slots=True)
class Features:
    """What one pass of the tower gives.

    Attributes:
        boundary: float32 [h, w] in 0..1, a quarter of the network's input.
        tokens: By stage, float32 [C, h, w], normalised.
        colours: float32 [h, w, 11], shares of the basic colours on the finest token grid.
    """

    boundary: FloatArray
    tokens: dict[str, FloatArray]
    colours: FloatArray


class MiniModel:
    """Tower and head of `mini`, as `Embedder` and as source of boundary maps.

    The features of the last image are kept, so that the segmenter's boundary map and the
    embedder's tokens come from one pass.

    Args:
        card: Card of the model; names and checks the files.
        threads: Threads of ONNX Runtime; 0 leaves it to the runtime.

    Raises:
        ModelError: A file is missing, damaged, or not what the card says.
    """

    def __init__(self, card: ModelCard, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        path = card.path("tower.onnx")
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own errors share no base but Exception
            raise ModelError(f"{path} cannot be loaded: {error}") from error
        self.space: EmbeddingSpace = card.space
        made_by = card.space.made_by
        self._sides: tuple[int, ...] = tuple(made_by["sides"])
        self._stages: tuple[str, ...] = tuple(made_by["stages"])
        self._colour_weight = float(made_by["colour_weight"])
        self._cls = bool(made_by["cls"])
        with np.load(card.path("head.npz"), allow_pickle=False) as head:
            self._matrix: FloatArray = head["matrix"].astype(np.float32)
            self._offset: FloatArray = head["offset"].astype(np.float32)
        self._last: tuple[Image, tuple[Features, ...]] | None = None

    def features(self, image: Image) -> tuple[Features, ...]:
        """Features of an image at each of the model's input sizes, the smallest first.

        Args:
            image: uint8 [H, W, 3], RGB, upright.
        """
        if self._last is not None and self._last[0] is image:
            return self._last[1]
        found = tuple(self._run(image, side) for side in self._sides)
        self._last = image, found
        return found

    def boundary(self, image: Image) -> FloatArray:
        """Probability of a boundary, float32 [h, w] in 0..1, on a grid coarser than the image."""
        return self.features(image)[-1].boundary

    def embed(self, image: Image, segments: Segments) -> FloatArray:
        """Vectors of the segments, float32 [n, D], unit length; see `Embedder.embed`."""
        return self.embed_keyed(image, segments)[0]

    @property
    def key_space(self) -> EmbeddingSpace:
        """Space of the visual keys: tower, stages and sizes shape them, head and texts do not."""
        made_by = self.space.made_by
        tower = made_by["files"]["tower.onnx"]
        backbone = {
            "tower": tower,
            "stages": self._stages,
            "side": self._sides[-1],
            "cls": self._cls,
        }
        return key_space(self.space.name, backbone)

    def embed_keyed(self, image: Image, segments: Segments) -> tuple[FloatArray, FloatArray]:
        """Vectors and visual keys; see `KeyedEmbedder.embed_keyed`.

        The keys are made of what the head gets, at the largest input size.
        """
        parts = []
        for features in self.features(image):
            fine = self._weights(features, segments)
            rows = self._rows(features, fine, self._cls)
            parts.append(self._vectors(features, fine, rows))
        return _unit(np.sum(parts, axis=0)), keys_of(rows)

    def _run(self, image: Image, side: int) -> Features:
        height, width = input_size(image.shape[0], image.shape[1], side)
        small = PillowImage.fromarray(image).resize(
            (width, height), PillowImage.Resampling.BILINEAR, reducing_gap=2.0
        )
        pixels = np.asarray(small)
        feed = {"pixels": pixels.transpose(2, 0, 1)[None].astype(np.float32)}
        outputs: list[Any] = self._session.run(["boundary", *self._stages], feed)
        colours = pixel_colours(pixels)
        grid = height // _FINEST, width // _FINEST
        colours = colours.reshape(grid[0], _FINEST, grid[1], _FINEST, -1).mean((1, 3))
        return Features(
            boundary=outputs[0][0, 0],
            tokens={k: v[0] for k, v in zip(self._stages, outputs[1:], strict=True)},
            colours=colours.astype(np.float32),
        )

    def pooled(self, features: Features, segments: Segments, *, cls: bool) -> FloatArray:
        """What a head gets: pooled tokens of all stages, with `cls` the photo's mean behind them.

        Returns:
            float32 [n, inputs of the head].
        """
        return self._rows(features, self._weights(features, segments), cls)

    def _weights(self, features: Features, segments: Segments) -> FloatArray:
        rows, columns = features.colours.shape[:2]
        return pooling_weights(segments, (rows, columns)).reshape(-1, rows, columns)

    def _rows(self, features: Features, fine: FloatArray, cls: bool) -> FloatArray:
        by_grid: dict[tuple[int, int], FloatArray] = {}
        rows: list[FloatArray] = []
        for stage in self._stages:
            tokens = features.tokens[stage]
            cells = tokens.shape[1], tokens.shape[2]
            if cells not in by_grid:
                by_grid[cells] = _coarser(fine, cells)
            rows.append(by_grid[cells] @ tokens.reshape(tokens.shape[0], -1).T)
        if cls:
            whole = features.tokens[GLOBAL].mean((1, 2))
            rows.append(np.broadcast_to(whole, (len(fine), len(whole))))
        return np.concatenate(rows, axis=1)

    def _vectors(self, features: Features, fine: FloatArray, rows: FloatArray) -> FloatArray:
        names = _unit(rows @ self._matrix.T + self._offset)
        colours = _unit(fine.reshape(len(fine), -1) @ features.colours.reshape(-1, 11))
        weight = self._colour_weight
        vectors: FloatArray = np.concatenate(
            [names * np.float32(np.sqrt(1.0 - weight**2)), colours * np.float32(weight)], axis=1
        )
        return vectors


def input_size(height: int, width: int, side: int) -> tuple[int, int]:
    """(height, width) of the network's input: longest side `side`, both multiples of 32."""
    scale = side / max(height, width)
    rows = max(STRIDE, round(height * scale / STRIDE) * STRIDE)
    columns = max(STRIDE, round(width * scale / STRIDE) * STRIDE)
    return rows, columns


def _coarser(weights: FloatArray, cells: tuple[int, int]) -> FloatArray:
    """Weights [n, cells] on a grid that divides the finest one."""
    n, rows, columns = weights.shape
    step = rows // cells[0]
    if step == 1:
        return weights.reshape(n, -1)
    summed = weights.reshape(n, cells[0], step, cells[1], columns // cells[1]).sum((2, 4))
    out: FloatArray = summed.reshape(n, -1)
    return out


def _unit(vectors: FloatArray) -> FloatArray:
    out: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return out
