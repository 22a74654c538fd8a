"""Human labels of the training photos as segment-text pairs.

The photo shards hold, for each photo, whole-photo names, captions and named regions
(columns id, source, jpeg, width, height, names, captions, regions, boundary, licence).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from trainer.pairs import Box, Kind, PairImage, PairSegment
from usearch import masks
from usearch.errors import InputError

COLUMNS = (
    "id",
    "source",
    "jpeg",
    "width",
    "height",
    "names",
    "captions",
    "regions",
    "boundary",
    "licence",
)

WEIGHTS: dict[str, float] = {
    "object": 1.0,
    "stuff": 1.0,
    "box": 0.8,
    "image": 0.5,
    "scene": 0.3,
    "caption": 0.3,
}
"""Trust in a human label, by kind: a whole-photo name says less about each pixel."""

PLACES = frozenset(
    {
        "airport",
        "art gallery",
        "auditorium",
        "baseball field",
        "bamboo forest",
        "bakery",
        "beach",
        "bed",
        "bedroom",
        "bookshelf",
        "building",
        "campus",
        "christmas",
        "cloud",
        "computer",
        "computer room",
        "desert",
        "football field",
        "football stadium",
        "forest",
        "garden",
        "glacier",
        "grass",
        "highway",
        "holiday",
        "ice skating rink",
        "kitchen",
        "landscape",
        "laundromat",
        "library",
        "mountain",
        "ocean",
        "party",
        "rainforest",
        "restaurant",
        "road",
        "sea",
        "sky",
        "snow",
        "street",
        "summer",
        "table",
        "tennis court",
        "tree",
        "washing machine",
        "waterfall",
        "windmill",
        "wood",
    }
)
"""Whole-photo names that stand for the place, or for one part of it, not for all that is seen."""

VAGUE = frozenset(
    {
        "accessories",
        "amenity",
        "auto part",
        "dish",
        "eat",
        "fashion accessory",
        "foodporn",
        "furniture",
        "human body",
        "label",
        "land vehicle",
        "mammal",
        "metal part",
        "others",
        "plastic part",
        "street infrastructure",
        "structural",
        "textile",
        "traffic infrastructure",
        "weapon",
    }
)
"""Names that many unlike things share, or that leave most of their things unnamed."""

_VAGUE_FACTOR = 0.4
_IMAGENET_SHARD = "imagenet"
_NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)


def is_commercial(licence: str) -> bool:
    """Whether the stated terms do not ask for non-commercial use."""
    return _NON_COMMERCIAL.search(licence) is None


def photo_shards(folder: Path, with_non_commercial: bool = False) -> list[Path]:
    """Photo shards of a folder by name, without those under ImageNet's terms.

    Raises:
        InputError: There are none.
    """
    files = [
        f
        for f in sorted(folder.glob("*.parquet"))
        if with_non_commercial or _IMAGENET_SHARD not in f.name
    ]
    if not files:
        raise InputError(f"no photo shards (*.parquet) in {folder}")
    return files


def read_photos(file: Path, with_non_commercial: bool = False) -> Iterator[Mapping[str, Any]]:
    """Rows of one photo shard; rows whose terms ask for non-commercial use are left out.

    Raises:
        InputError: The file is no photo shard.
    """
    with pq.ParquetFile(file) as reader:
        missing = [c for c in COLUMNS if c not in reader.schema_arrow.names]
        if missing:
            raise InputError(f"{file} is no photo shard: it lacks the column {missing[0]!r}")
        for batch in reader.iter_batches(batch_size=64, columns=list(COLUMNS)):
            for row in batch.to_pylist():
                if with_non_commercial or is_commercial(row["licence"] or ""):
                    yield row


def to_pairs(row: Mapping[str, Any]) -> PairImage:
    """A photo with its human labels, plain names only (no synonyms yet)."""
    width, height = row["width"], row["height"]
    segments = [
        s for region in row["regions"] or [] if (s := _region(region, width, height)) is not None
    ]
    in_regions = {r["name"] for r in row["regions"] or []}
    whole = [n for n in row["names"] or [] if n not in in_regions]
    full = (0.0, 0.0, float(width), float(height))
    segments += _whole("image", [n for n in whole if n not in PLACES], full)
    segments += _whole("scene", [n for n in whole if n in PLACES], full)
    segments += _whole("caption", [c for c in row["captions"] or [] if c.strip()], full)
    return PairImage(
        id=row["id"],
        source=row["source"],
        licence=row["licence"] or "",
        jpeg=row["jpeg"],
        width=width,
        height=height,
        segments=tuple(segments),
        boundary=row["boundary"],
    )


def _whole(kind: Kind, texts: Sequence[str], box: Box) -> list[PairSegment]:
    if not texts:
        return []
    weights = tuple(_VAGUE_FACTOR if t in VAGUE else 1.0 for t in texts)
    return [
        PairSegment(
            kind=kind,
            origin="human",
            box=box,
            texts=tuple(texts),
            text_weights=weights,
            weight=WEIGHTS[kind] * max(weights),
        )
    ]


def _region(region: Mapping[str, Any], width: int, height: int) -> PairSegment | None:
    name = " ".join(str(region["name"]).replace("-", " ").split()).lower()
    name = _RENAMED.get(name, name)
    if not name or name in _NO_NAME:
        return None
    rle: bytes | None = None
    kind: Kind = "box"
    fx0, fy0, fx1, fy1 = region["box"]
    box: Box = (fx0 * width, fy0 * height, fx1 * width, fy1 * height)
    if region["rle"]:
        rle = region["rle"].encode("ascii")
        counts = masks.rle_to_counts(rle, (height, width))
        if masks.area(counts) < 1:
            return None
        x0, y0, x1, y1 = masks.box_of(counts, height)
        box = (float(x0), float(y0), float(x1), float(y1))
        kind = "stuff" if region["kind"] == "semantic" else "object"
    box = (
        max(0.0, box[0]),
        max(0.0, box[1]),
        min(float(width), box[2]),
        min(float(height), box[3]),
    )
    if box[2] - box[0] < 1 or box[3] - box[1] < 1:
        return None
    vague = _VAGUE_FACTOR if name in VAGUE else 1.0
    return PairSegment(
        kind=kind,
        origin="human",
        box=tuple(np.float32(v).item() for v in box),  # type: ignore[arg-type]
        rle=rle,
        texts=(name,),
        text_weights=(1.0,),
        weight=WEIGHTS[kind] * vague,
    )


_NO_NAME = frozenset({"other", "others", "things", "null", "structural"})
_RENAMED = {
    "wall concrete": "concrete wall",
    "wall panel": "panelled wall",
    "grapes and apple": "grapes",
    "playing field": "sports field",
    "tv monitor": "television",
    "cabinetry": "cabinet",
    "countertop": "counter",
    "three wheeler auto rickshaw": "auto rickshaw",
    "light commercial vehicle": "van",
    "vehicle registration plate": "license plate",
}
