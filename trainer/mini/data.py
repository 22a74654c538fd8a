"""Photos and their segments in memory, and random windows of them as batches.

A window is what the network sees: part of a photo, resized (paper section 4.2: factor
0.5-2, then a crop). Masks are cut by the same window, exactly, through matrices of overlap.
The image teachers look at the very pixels that the tower gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as PillowImage
from torch import Tensor

from trainer.mini.tower import TOKENS
from trainer.pairs import PairImage, PairSegment
from usearch.records import FloatArray, Image

WINDOWS = ((256, 320), (320, 256), (288, 288))
"""(height, width) of the windows; a photo goes to the one whose shape is nearest to its own."""

STRIDES = {name: int(name[1:]) for name in TOKENS}
FINEST = 8
MASK_STRIDE = 4
MIN_VISIBLE = 0.5
"""Share of a segment that a window must show (a smaller rest need not look like its name)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A decoded photo.

    Attributes:
        pixels: uint8 [H, W, 3].
        segments: Its labelled segments.
        cover: uint8 [n, h, w], 255 x the share of a cell that each segment covers.
    """

    pixels: Image
    segments: tuple[PairSegment, ...]
    cover: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one size.

    Attributes:
        pixels: float32 [B, 3, H, W], 0..255.
        photo: int64 [n], the window that a segment lies in.
        weights: float32 [n, h, w] by stage, each row summing to 1.
        segments: The n segments.
        teacher: Maps of the image teachers, float32 [B, C, h, w] by name; empty without one.
    """

    pixels: Tensor
    photo: Tensor
    weights: dict[str, Tensor]
    segments: list[PairSegment]
    teacher: dict[str, Tensor]


def overlap(cells: int, pixels: int, low: float, high: float) -> FloatArray:
    """float32 [cells, pixels]: how much of each pixel lies in each of `cells` equal cells.

    Args:
        cells: Number of cells between `low` and `high`.
        pixels: Number of pixels between 0 and 1.
        low: Where the window begins, as a share of the side.
        high: Where it ends.
    """
    edges = np.linspace(low * pixels, high * pixels, cells + 1)
    start = np.maximum(edges[:-1, None], np.arange(pixels)[None])
    stop = np.minimum(edges[1:, None], np.arange(1, pixels + 1)[None])
    shares: FloatArray = np.clip(stop - start, 0.0, None).astype(np.float32)
    return shares


def load_sample(image: PairImage, max_segments: int = 24) -> Sample:
    """Decode a photo and bring the masks of its segments to a quarter of its size."""
    pixels = image.pixels()
    height, width = pixels.shape[:2]
    grid = max(1, round(height / MASK_STRIDE)), max(1, round(width / MASK_STRIDE))
    rows = overlap(grid[0], height, 0.0, 1.0)
    columns = overlap(grid[1], width, 0.0, 1.0).T
    cell = (height / grid[0]) * (width / grid[1])
    segments = image.segments[:max_segments]
    cover = np.zeros((len(segments), *grid), np.uint8)
    for i, segment in enumerate(segments):
        mask = segment.mask(image.height, image.width).astype(np.float32)
        cover[i] = np.clip(rows @ mask @ columns / cell * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return Sample(pixels, segments, cover)


def window_of(sample: Sample) -> int:
    """Row of `WINDOWS` whose shape is nearest to the photo's."""
    height, width = sample.pixels.shape[:2]
    shapes = [abs(np.log((h / w) / (height / width))) for h, w in WINDOWS]
    return int(np.argmin(shapes))


def make_batch(
    samples: Sequence[Sample],
    size: tuple[int, int],
    rng: np.random.Generator,
    teacher: Callable[[Image], dict[str, FloatArray]] | None = None,
    zoom: tuple[float, float] = (0.75, 1.6),
    segments_per_photo: int = 10,
) -> Batch:
    """Random windows of photos as one batch.

    Args:
        samples: The photos.
        size: (height, width) of the windows, multiples of 32.
        rng: Source of all randomness.
        teacher: Gives maps of a window.
        zoom: Range of the factor on a photo whose longest side is the window's.
        segments_per_photo: More are left out at random.
    """
    height, width = size
    pixels = np.empty((len(samples), height, width, 3), np.uint8)
    fine = height // FINEST, width // FINEST
    kept: list[PairSegment] = []
    photo: list[int] = []
    areas: list[FloatArray] = []
    maps: dict[str, list[FloatArray]] = {}
    for b, sample in enumerate(samples):
        factor = float(np.exp(rng.uniform(np.log(zoom[0]), np.log(zoom[1]))))
        flip = bool(rng.random() < 0.5)
        shown_height, shown_width = sample.pixels.shape[:2]
        scale = factor * max(size) / max(shown_height, shown_width)
        share_y = min(1.0, height / (shown_height * scale))
        share_x = min(1.0, width / (shown_width * scale))
        y0 = rng.uniform(0.0, 1.0 - share_y)
        x0 = rng.uniform(0.0, 1.0 - share_x)
        y1, x1 = y0 + share_y, x0 + share_x
        window = (x0 * shown_width, y0 * shown_height, x1 * shown_width, y1 * shown_height)
        view = np.asarray(
            PillowImage.fromarray(sample.pixels).resize(
                (width, height), PillowImage.Resampling.BILINEAR, box=window, reducing_gap=2.0
            )
        )
        gain = rng.uniform(0.8, 1.2)
        view = np.clip((view[:, ::-1] if flip else view) * gain, 0, 255).astype(np.uint8)
        pixels[b] = view
        if teacher is not None:
            for name, seen_map in teacher(view).items():
                maps.setdefault(name, []).append(seen_map)
        if len(sample.segments) == 0:
            continue
        cover = sample.cover.astype(np.float32)
        rows = overlap(fine[0], cover.shape[1], y0, y1)
        columns = overlap(fine[1], cover.shape[2], x0, x1)
        area = np.einsum("yh,nhw,xw->nyx", rows, cover, columns, optimize=True)
        total = cover.sum((1, 2))
        cell = 255.0 * cover.shape[1] * share_y * cover.shape[2] * share_x / (fine[0] * fine[1])
        seen = area.sum((1, 2))
        usable = np.flatnonzero((seen >= MIN_VISIBLE * total) & (seen >= cell))
        if len(usable) > segments_per_photo:
            usable = rng.permutation(usable)[:segments_per_photo]
        for i in usable:
            kept.append(sample.segments[i])
            photo.append(b)
            areas.append(area[i, :, ::-1] if flip else area[i])
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    grid = torch.from_numpy(
        np.stack(areas) if areas else np.zeros((0, *fine), np.float32)
    ).unsqueeze(1)
    return Batch(
        pixels=batch.contiguous(memory_format=torch.channels_last),
        photo=torch.tensor(photo, dtype=torch.long),
        weights=_nested_weights(grid),
        segments=kept,
        teacher={k: torch.from_numpy(np.stack(v)) for k, v in maps.items()},
    )


def _nested_weights(areas: Tensor) -> dict[str, Tensor]:
    """Weights on the grid of each stage; the coarser grids are sums of the finest one's cells."""
    out = {}
    for stage, stride in STRIDES.items():
        step = stride // FINEST
        cells = areas if step == 1 else torch.nn.functional.avg_pool2d(areas, step)
        out[stage] = (cells / cells.sum((2, 3), keepdim=True).clamp_min(1e-6)).squeeze(1)
    return out


def shuffled_batches(
    samples: Sequence[Sample], size: int, rng: np.random.Generator
) -> Iterable[tuple[tuple[int, int], list[int]]]:
    """One epoch: (window size, rows of `samples`), photos of one shape together, order random."""
    shapes = np.array([window_of(s) for s in samples])
    batches: list[tuple[tuple[int, int], list[int]]] = []
    for shape, window in enumerate(WINDOWS):
        rows = rng.permutation(np.flatnonzero(shapes == shape))
        batches += [
            (window, rows[i : i + size].tolist()) for i in range(0, len(rows) - size + 1, size)
        ]
    for i in rng.permutation(len(batches)):
        yield batches[int(i)]
