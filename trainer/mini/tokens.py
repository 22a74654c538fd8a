"""Pooled tokens of labelled segments: python -m trainer.mini.tokens MODEL --pairs F... -o DIR.

Only pooled normalised tokens enter the head, so a finished tower needs to look at each photo once
a size; after that an epoch over all segments takes seconds. The rows come from the exported
tower, by the very code that indexes photos.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.embedders.mini import MiniModel
from trainer.pairs import PairImage, read_pairs
from usearch import masks
from usearch.models.card import read_card

MAX_SEGMENTS = 24
_PHOTOS_A_FILE = 500


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Segments with their pooled tokens.

    Attributes:
        rows: float16 [n, inputs of the head].
        photo: The photo of each.
        segment: Row of each among the segments of its photo.
    """

    rows: npt.NDArray[np.float16]
    photo: list[str]
    segment: list[int]


def named_rows(image: PairImage) -> list[int]:
    """Rows of the segments that have a name or a guess, at most `MAX_SEGMENTS`."""
    return [i for i, s in enumerate(image.segments) if s.texts or s.soft][:MAX_SEGMENTS]


def token_rows(model: MiniModel, images: Iterable[PairImage], flip: bool) -> Iterator[TokenRows]:
    """Rows of each photo that has named segments; with `flip` the photos are mirrored."""
    for image in images:
        rows = named_rows(image)
        if not rows:
            continue
        pixels = image.pixels()
        shown = [image.segments[i].mask(image.height, image.width) for i in rows]
        if flip:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            shown = [m[:, ::-1] for m in shown]
        segments = masks.segments_from_masks(shown, [1.0] * len(shown))
        pooled = model.pooled(model.features(pixels)[0], segments, cls=True).astype(np.float16)
        yield TokenRows(pooled, [image.id] * len(rows), rows)


def write_tokens(
    model: MiniModel, pairs: Iterable[Path], folder: Path, share: tuple[int, int], flip: bool
) -> None:
    """Write the rows of a share of the photos as numbered npz files; what is there is kept."""
    part, parts = share
    images: dict[str, PairImage] = {}
    for path in pairs:
        for image in read_pairs(path):
            images.setdefault(image.id, image)
    ids = sorted(images)[part::parts]
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(ids), _PHOTOS_A_FILE):
        file = folder / f"tokens-{part}-{start:06d}.npz"
        if file.exists():
            continue
        chosen = [images[k] for k in ids[start : start + _PHOTOS_A_FILE]]
        found = list(token_rows(model, chosen, flip))
        partial = file.with_suffix(".partial.npz")
        np.savez(
            partial,
            rows=np.concatenate([f.rows for f in found]),
            photo=np.array([p for f in found for p in f.photo]),
            segment=np.array([s for f in found for s in f.segment]),
        )
        partial.replace(file)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of the exported model")
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1), help="part and parts")
    parser.add_argument("--flip", action="store_true", help="mirror the photos")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model = MiniModel(read_card(options.model), 1)
    part, parts = options.share
    write_tokens(model, options.pairs, options.output, (part, parts), options.flip)


if __name__ == "__main__":
    main()
