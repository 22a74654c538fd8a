"""Features of views on disk, so that a head trains without running its backbones.

    <folder>/cache.json                what the features are of: backbones, views, pairs
    <folder>/shard-00000.safetensors   features of some photos, all their views

A shard holds, for each segment of each view, one row of pooled normalised tokens ("tokens", all
blocks of all branches side by side) and, for each view, one row of class tokens ("cls"). Which
row belongs to what, and the texts, stand in its metadata. A shard appears whole or not at all,
so writing goes on where it stopped (`trainer.use.cache_writer`).

Rows are float16 unless asked otherwise: pooled normalised tokens stay below the square root of
their width, far inside its range, and its rounding moves the loss by less than a thousandth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from indexer.embedders.towers import Tower
from indexer.embedders.use import POOLING
from trainer.use.features import Precision, SegmentFeatures
from trainer.use.photos import Collection
from trainer.use.recipe import Recipe
from trainer.use.run_state import first_difference
from usearch.errors import InputError
from usearch.models.files import file_sha256
from usearch.records import IntArray

FORMAT = 1
INDEX_NAME = "cache.json"

Stored = Literal["float16", "float32"]
"""Type of the numbers on disk."""

_RECIPE_FIELDS = ("crop", "scale", "min_pixels", "min_kept", "max_segments", "seed")
"""What of a recipe shapes a view. The rest (rates, batch, loss) may differ from run to run."""


def cache_key(
    towers: Mapping[str, Tower],
    recipe: Recipe,
    collection: Collection,
    views: int,
    computed: Precision = "fp32",
    stored: Stored = "float16",
) -> dict[str, Any]:
    """What features are of, as plain JSON values; caches with one key hold the same features.

    Args:
        towers: Backbones by branch.
        recipe: Of it, what shapes the views.
        collection: The photos; of their files, the checksums.
        views: Views of each photo that is trained on.
        computed: What the backbones compute in.
        stored: What the numbers are on disk.
    """
    values = recipe.to_json()
    key = {
        "format": FORMAT,
        "backbones": {
            name: {**tower.identity, "widths": tower.widths, "cls": tower.cls_width}
            for name, tower in towers.items()
        },
        "recipe": {field: values[field] for field in _RECIPE_FIELDS},
        "pairs": {
            "train": len(collection.train),
            "held": len(collection.held),
            "texts": collection.fingerprint,
            "files": [file_sha256(file) for file in collection.files],
        },
        "views": views,
        "pooling": POOLING,
        "computed": computed,
        "stored": stored,
    }
    plain: dict[str, Any] = json.loads(json.dumps(key))  # As it will be read: tuples are lists.
    return plain


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the blocks and class tokens of each branch stand in a row.

    Attributes:
        widths: For each branch the channels of its blocks.
        cls: For each branch the channels of its class token.
    """

    widths: dict[str, tuple[int, ...]]
    cls: dict[str, int]

    @staticmethod
    def of(key: Mapping[str, Any]) -> Layout:
        """The layout of a cache with this key."""
        towers = key["backbones"]
        return Layout(
            {name: tuple(t["widths"]) for name, t in towers.items()},
            {name: int(t["cls"]) for name, t in towers.items()},
        )

    def columns(self) -> tuple[int, int]:
        """Numbers in a row of tokens, and in one of class tokens."""
        return sum(map(sum, self.widths.values())), sum(self.cls.values())

    def join(self, features: SegmentFeatures) -> tuple[Tensor, Tensor]:
        """Tokens [n, all blocks] and class tokens [n, all branches] as rows."""
        tokens = [x for name in self.widths for x in features.pooled[name]]
        return torch.cat(tokens, 1), torch.cat([features.cls[name] for name in self.cls], 1)

    def split(
        self, tokens: Tensor, cls: Tensor
    ) -> tuple[dict[str, list[Tensor]], dict[str, Tensor]]:
        """The way back, by views of the rows."""
        sizes = [w for widths in self.widths.values() for w in widths]
        blocks = iter(torch.split(tokens, sizes, 1))
        pooled = {name: list(islice(blocks, len(widths))) for name, widths in self.widths.items()}
        return pooled, dict(
            zip(self.cls, torch.split(cls, list(self.cls.values()), 1), strict=True)
        )


def resting_order(collection: Collection) -> IntArray:
    """The order in which photos rest in the files, int32 [train + held]: rows of both parts.

    Shards follow it, so that filling them reads each row group once.
    """
    places = np.concatenate([collection.train, collection.held])
    order: IntArray = np.lexsort(places.T[::-1]).astype(np.int32)
    return order


def open_cache(folder: Path, key: Mapping[str, Any] | None = None) -> FeatureCache:
    """A finished cache.

    Args:
        folder: Where it is.
        key: What its features must be of; None takes any.

    Raises:
        InputError: It is missing, unfinished, damaged, or of other features (then both values
            of the first difference are named).
    """
    values = read_index(folder)
    if key is not None:
        check_key(folder, values["key"], key)
    if not values["shards"]:
        raise InputError(
            f"the cache {folder} is not finished", "run the command that fills it once more"
        )
    for name, size in values["shards"].items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else 0
        if found != size:
            raise InputError(f"{path} has {found} bytes, {size} were written", _AGAIN)
    return FeatureCache(folder, values["key"], list(values["shards"]))


_AGAIN = "remove this file and run the command that fills the cache: it makes what is missing"


def read_index(folder: Path) -> dict[str, Any]:
    """What `cache.json` says: "key" and "shards", the size in bytes of each.

    Raises:
        InputError: There is none, or it is damaged.
    """
    path = folder / INDEX_NAME
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        Layout.of(values["key"])
        dict(values["shards"])
    except FileNotFoundError as error:
        raise InputError(f"{folder} is no cache of features: it has no {INDEX_NAME}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged: {error!r}", "remove the folder; the next run fills it again"
        ) from error
    return values


def check_key(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a cache of other features, naming the first difference with both values.

    Raises:
        InputError: The keys differ.
    """
    difference = first_difference(found, wanted)
    if difference is not None:
        where, theirs, ours = difference
        raise InputError(
            f"the cache {folder} is of other features: {where} is {theirs} there, {ours} here",
            "give another folder to --cache, or remove this one to fill it again",
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a view's features are: shard, row of its class tokens, first row of its tokens."""

    shard: int
    view: int
    start: int
    rows: tuple[int, ...]


class FeatureCache:
    """Features of views, read as they are asked for; shards are mapped, not loaded.

    Attributes:
        key: What the features are of.
        photos: Ids of all photos, in the order in which they rest in the files of pairs.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], shards: Sequence[str]) -> None:
        self.key = key
        self._layout = Layout.of(key)
        self._shards: list[tuple[Any, Any]] = []
        self._places: dict[tuple[str, int | None], _Place] = {}
        self._texts: dict[str, dict[int, tuple[str, ...]]] = {}
        self.photos: list[str] = []
        for name in shards:
            self._add(folder / name)

    def _add(self, path: Path) -> None:
        try:
            file: Any = safe_open(path, "pt")
            index = json.loads(file.metadata()["index"])
            for number, view in enumerate(index["views"]):
                place = _Place(len(self._shards), number, view["start"], tuple(view["rows"]))
                self._places[view["photo"], view["view"]] = place
            for photo, texts in index["texts"].items():
                self._texts[photo] = {int(row): tuple(t) for row, t in texts.items()}
            self.photos += index["photos"]
            self._shards.append((file.get_slice("tokens"), file.get_slice("cls")))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is no shard of features, or is damaged: {error}", _AGAIN
            ) from error

    @property
    def views(self) -> int:
        """Views of each photo that is trained on."""
        return int(self.key["views"])

    def ids(self, collection: Collection) -> tuple[list[str], list[str]]:
        """Ids of the photos of `collection.train` and of `.held`, row by row, without reading them.

        Args:
            collection: The one that the cache was filled from.
        """
        rows = resting_order(collection)
        by_row = dict(zip(rows.tolist(), self.photos, strict=True))
        ids = [by_row[row] for row in range(len(by_row))]
        return ids[: len(collection.train)], ids[len(collection.train) :]

    def features(
        self, wanted: Sequence[tuple[str, int | None]], device: str | torch.device = "cpu"
    ) -> SegmentFeatures:
        """Features of views, one after the other, as `segment_features` gives them.

        Args:
            wanted: Photo and number of each view, None for that of a held-out photo. A view
                that shows no segment adds none.
            device: Where the tensors go.
        """
        columns = self._layout.columns()
        dtype = torch.float16 if self.key["stored"] == "float16" else torch.float32
        tokens, cls = ([torch.zeros(0, n, dtype=dtype)] for n in columns)
        texts: list[tuple[str, ...]] = []
        photos: list[str] = []
        rows: list[int] = []
        for photo, number in wanted:
            place = self._places.get((photo, number))
            if place is None:
                continue
            n = len(place.rows)
            all_tokens, all_cls = self._shards[place.shard]
            tokens.append(all_tokens[place.start : place.start + n])
            cls.append(all_cls[place.view : place.view + 1].expand(n, -1))
            texts += [self._texts[photo][row] for row in place.rows]
            photos += [photo] * n
            rows += place.rows
        pooled, class_tokens = self._layout.split(
            torch.cat(tokens).to(device).float(), torch.cat(cls).to(device).float()
        )
        return SegmentFeatures(pooled, class_tokens, tuple(texts), tuple(photos), tuple(rows))
