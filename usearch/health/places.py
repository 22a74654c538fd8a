"""Settings, folders of this user, and the store that commands would take here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from usearch.errors import ModelError, StoreNotFound, UsageError, UsearchError
from usearch.health.finding import Finding

_LITTLE = 1_000_000_000
"""Free bytes on a disk below which it is worth a word."""


def check_settings() -> Iterator[Finding]:
    """Files and variables that set something."""
    from usearch import settings

    for file in settings.candidate_files():
        state = "read" if file.is_file() else "not there"
        yield Finding("settings", "ok", f"{file}: {state}")
    try:
        found = [f for f in settings.all_settings() if f.origin != "default"]
    except UsageError as error:
        yield Finding("settings", "problem", error.message, error.hint)
    else:
        if found:
            named = ", ".join(f"{f.setting.name} = {f.value} ({f.origin})" for f in found)
            yield Finding("settings", "ok", f"set: {named}")
    for name in settings.unknown_variables():
        yield Finding("settings", "note", f"{name} is set, but is no setting", "usearch config")


def check_cache() -> Iterator[Finding]:
    """The folder of caches, and the room on its disk."""
    from usearch.models.files import cache_dir

    folder = cache_dir()
    there = next(p for p in (folder, *folder.parents) if p.is_dir())
    free = shutil.disk_usage(there).free
    said = f"{folder}, {free / 1e9:.1f} GB free"
    if not os.access(there, os.W_OK):
        yield Finding(
            "cache", "note", f"{folder} cannot be written: checksums are not remembered",
            "set XDG_CACHE_HOME to a folder of yours",
        )  # fmt: skip
    elif free < _LITTLE:
        yield Finding("cache", "note", said, "free some space before models are fetched")
    else:
        yield Finding("cache", "ok", said)


def check_store() -> Iterator[Finding]:
    """The store that commands would take here: that it opens, and that its model is here.

    Sizes of files are compared, contents are not: `usearch check` does that.
    """
    from usearch.opened import named_store
    from usearch.settings import setting
    from usearch.store import find_store, open_snapshot

    try:
        named = setting("store")
    except UsageError:
        return  # said with the settings
    try:
        snapshot = open_snapshot(find_store() if named is None else named_store(named))
    except StoreNotFound as error:
        yield Finding("store", "note", error.message, "usearch index FOLDER makes one")
        return
    except UsearchError as error:
        yield Finding("store", "problem", error.message, error.hint)
        return
    for warning in snapshot.warnings:
        yield Finding("store", "problem", warning, f"usearch rebuild --store {snapshot.path}")
    yield Finding(
        "store",
        "ok",
        f"{snapshot.path}: {snapshot.n_photos:,} photos, {snapshot.n_segments:,} segments, "
        f"preset {snapshot.preset}; `usearch check` reads every file of it",
    )
    try:
        yield from _check_space(snapshot.preset, snapshot.space.id)
    except (UsageError, ModelError) as error:
        yield Finding("store", "problem", error.message, error.hint)
    yield from _check_disk(snapshot.path)


def _check_space(preset: str, space_id: str) -> Iterator[Finding]:
    """Whether questions can be asked: the store's space is that of its preset, here."""
    from usearch.models.presets import DEFAULT_PRESET, mini_card, model_of_store, run_of

    run = run_of(model_of_store(preset, space_id))
    here = run.space.id if run is not None else space_id
    if preset == DEFAULT_PRESET:
        here = mini_card().space.id
    if here != space_id:
        yield Finding(
            "store",
            "problem",
            f"it was made with another version of the model {preset}: questions are refused",
            "index the photos into a new store, or install the usearch that made it",
        )


def _check_disk(store: Path) -> Iterator[Finding]:
    if not os.access(store, os.W_OK):
        yield Finding("store", "note", "it is read-only: questions work, `usearch index` does not")
    elif (free := shutil.disk_usage(store).free) < _LITTLE:
        yield Finding("store", "note", f"its disk has {free / 1e9:.1f} GB free")
