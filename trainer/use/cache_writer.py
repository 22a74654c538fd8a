"""Filling a cache of features: backbones run once over the views, shard by shard."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from indexer.embedders.towers import Tower
from trainer.use.cache import (
    INDEX_NAME,
    FeatureCache,
    Layout,
    check_key,
    open_cache,
    read_index,
    resting_order,
)
from trainer.use.distributed import Processes, gather_objects
from trainer.use.features import Precision, segment_features
from trainer.use.photos import Collection, PhotoReader
from trainer.use.recipe import Recipe
from trainer.use.views import View, make_view
from usearch.errors import InputError, ResourceError

PHOTOS_PER_SHARD = 64
"""Photos of a shard; what an interruption costs at most."""

CACHED_AT_A_TIME = 8
"""Views at a time in a backbone unless asked otherwise: of ViT-L/14 at 560 pixels about 3 GB."""

_TYPES = {"float16": torch.float16, "float32": torch.float32}


def write_cache(
    folder: Path,
    key: Mapping[str, Any],
    towers: Mapping[str, Tower],
    collection: Collection,
    recipe: Recipe,
    *,
    micro_batch: int = CACHED_AT_A_TIME,
    processes: Processes | None = None,
    on_photos: Callable[[int, int], None] | None = None,
) -> FeatureCache:
    """Fill a cache, or what is missing of it, and open it.

    Photos to train on are cached in the views 0 .. K - 1 of the key, held-out ones in the one
    view that they are measured in.

    Args:
        folder: The cache; made when it is missing.
        key: `cache_key` of what follows.
        towers: Backbones by branch.
        collection: The photos.
        recipe: What the views are made by.
        micro_batch: Most views at a time in a backbone.
        processes: This process among those that fill the cache together, each its own shards.
        on_photos: Told how many photos of how many are done, those of earlier runs and of
            other processes included.

    Raises:
        InputError: The folder holds a cache of something else; a photo cannot be read; or a
            backbone gives numbers that are not finite.
        ResourceError: The disk refuses.
    """
    processes = processes or Processes()
    written = _begin(folder, key) if processes.first else {}
    written = gather_objects(written, processes)[0]
    layout, dtype = Layout.of(key), _TYPES[key["stored"]]
    reader = PhotoReader(collection)
    places = np.concatenate([collection.train, collection.held])[resting_order(collection)]
    names: list[str] = []
    for number, first in enumerate(range(0, len(places), PHOTOS_PER_SHARD)):
        part = places[first : first + PHOTOS_PER_SHARD]
        path = folder / f"shard-{number:05d}.safetensors"
        size = path.stat().st_size if path.is_file() else -1
        own = number % processes.count == processes.rank
        if own and (size < 0 or size != written.get(path.name, size)):
            photos = [reader.read(place) for place in part]
            seen = [
                (k, view)
                for photo in photos
                for k in ([None] if photo.split == "held" else range(key["views"]))
                if len((view := make_view(photo, recipe, k)).rows)
            ]
            tensors, index = _shard(layout, towers, seen, micro_batch, key["computed"])
            index["photos"] = [photo.id for photo in photos]
            _save(path, {name: t.to(dtype) for name, t in tensors.items()}, index)
        names.append(path.name)
        if on_photos is not None:
            on_photos(first + len(part), len(places))
    gather_objects("shards are written", processes)
    if processes.first:
        sizes = {name: (folder / name).stat().st_size for name in names}
        _write_index(folder, {"key": dict(key), "shards": sizes})
    gather_objects("the cache is finished", processes)
    return open_cache(folder, key)


def _begin(folder: Path, key: Mapping[str, Any]) -> dict[str, int]:
    """Make a cache's folder, or see that the one there is of the same features.

    Returns:
        Sizes of the shards that were once complete.
    """
    if (folder / INDEX_NAME).exists():
        values = read_index(folder)
        check_key(folder, values["key"], key)
        return dict(values["shards"])
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and no cache of features: it has no {INDEX_NAME}",
            "give the name of a new folder to --cache",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror or error}") from error
    _write_index(folder, {"key": dict(key), "shards": {}})
    return {}


def _shard(
    layout: Layout,
    towers: Mapping[str, Tower],
    seen: Sequence[tuple[int | None, View]],
    micro_batch: int,
    computed: Precision,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and index of the views of one shard; there may be none."""
    texts: dict[str, dict[str, list[str]]] = {}
    views: list[dict[str, Any]] = []
    start = 0
    for k, view in seen:
        own = texts.setdefault(view.photo, {})
        own.update((str(row), list(t)) for row, t in zip(view.rows, view.texts, strict=True))
        views.append({"photo": view.photo, "view": k, "start": start, "rows": list(view.rows)})
        start += len(view.rows)
    if not views:
        columns = layout.columns()
        return {"tokens": torch.zeros(0, columns[0]), "cls": torch.zeros(0, columns[1])}, {
            "views": [],
            "texts": {},
        }
    shown = [view for _, view in seen]
    tokens, cls = layout.join(segment_features(towers, shown, micro_batch, computed))
    cls = cls[[one["start"] for one in views]]
    for what, rows in (("tokens", tokens), ("class tokens", cls)):
        if not bool(torch.isfinite(rows.half()).all()):
            raise InputError(
                f"{what} of a photo between {views[0]['photo']} and {views[-1]['photo']} are not "
                "finite in half precision",
                "the weights of a backbone are damaged, or it overflows",
            )
    tensors = {"tokens": tokens.cpu().contiguous(), "cls": cls.cpu().contiguous()}
    return tensors, {"views": views, "texts": texts}


def _save(path: Path, tensors: dict[str, Tensor], index: Mapping[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        # Not `save_file`, which makes files that only their owner reads.
        with partial.open("wb") as file:
            file.write(save(tensors, metadata={"index": json.dumps(index, ensure_ascii=False)}))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ResourceError(
            f"{path} cannot be written: {error.strerror or error}",
            "make room, then run the same command again",
        ) from error


def _write_index(folder: Path, values: Mapping[str, Any]) -> None:
    partial = folder / f"{INDEX_NAME}.partial"
    text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False)
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / INDEX_NAME)
    except OSError as error:
        raise ResourceError(f"{partial} cannot be written: {error.strerror or error}") from error
