"""A store opened for questions: its snapshot, with the text side of its preset."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.models import presets
from usearch.search import Contrast, Hit, load_contrast, query_text, require_same_space
from usearch.store import find_store, open_snapshot
from usearch.text.templates import TEMPLATES

if TYPE_CHECKING:
    from usearch.models.presets import Calibration
    from usearch.store import Snapshot
    from usearch.text import TextEncoder


class OpenStore:
    """A snapshot of a store that answers questions.

    What was committed when it was opened is what it sees; open again to see more. Models
    are loaded when the first question needs them.

    Attributes:
        snapshot: The store as it was when opened.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def query(self, text: str, k: int = 10, *, min_score: float = 0.0) -> list[Hit]:
        """The at most `k` segments that a text describes best, best first.

        Args:
            text: What to look for, in plain words.
            k: Hits wanted, at least 1.
            min_score: Leave out hits that score less; `calibration.cutoff` is where the
                preset draws the line between a match and the least bad rest.

        Raises:
            UsageError: The text or a number makes no sense.
            SpaceMismatch: The store was made by another version of its preset.
            ModelError: The preset's text encoder cannot be loaded.
        """
        return query_text(
            self.snapshot,
            self.encoder,
            text,
            k,
            contrast=self.contrast,
            templates=self.templates,
            min_score=min_score,
            cache_dir=self.cache_dir,
        )

    @property
    def cache_dir(self) -> Path:
        """Where vectors of texts are kept between processes."""
        return self.snapshot.path / "cache"

    @cached_property
    def encoder(self) -> TextEncoder:
        """Text encoder of the store's preset."""
        encoder = presets.load_text_encoder(self.snapshot.preset)
        require_same_space(self.snapshot, encoder)
        return encoder

    @cached_property
    def calibration(self) -> Calibration:
        """Score calibration of the store's preset."""
        return presets.preset_calibration(self.snapshot.preset)

    @cached_property
    def templates(self) -> tuple[str, ...]:
        """Sentences that a question is put into."""
        return TEMPLATES[presets.preset_templates(self.snapshot.preset)]

    @cached_property
    def contrast(self) -> Contrast:
        """What scores are measured against."""
        return load_contrast(self.encoder, self.calibration, self.templates, self.cache_dir)


def open_store(path: str | PathLike[str] | None = None) -> OpenStore:
    """Open a store for questions.

    Args:
        path: The store's folder, or a folder at or below the one that holds `.usearch`; the
            nearest store from the current folder upwards when None.

    Raises:
        StoreNotFound: There is no store.
        StoreError: The store is damaged, or a newer version wrote it.
    """
    if path is None:
        return OpenStore(open_snapshot(find_store()))
    folder = Path(path)
    return OpenStore(open_snapshot(folder if is_store(folder) else find_store(folder)))


def is_store(folder: Path) -> bool:
    """Whether the folder is a store itself, and not one that holds a store."""
    return folder.name == ".usearch" or (folder / "manifest.json").is_file()
