"""What pairs hold, as numbers that a person reads before training on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainer.human import is_commercial
from trainer.pairs import PairImage, read_pairs

COLUMNS = ("id", "source", "licence", "split", "width", "height", "segments")
"""Columns that are counted: photos themselves need not be read."""

_NONE = "none stated"
_ADDRESS = re.compile(r",? *https?://\S+")


@dataclass
class SourceCounts:
    """Counts of the photos of one source under one licence."""

    photos: int = 0
    held: int = 0
    segments: int = 0
    texts: int = 0


@dataclass
class PairCounts:
    """Counts over photos.

    Attributes:
        photos: How many.
        held: Those that are held out from training.
        segments: Their segments.
        texts: Texts of these segments, repeats counted.
        non_commercial: Photos whose terms ask for non-commercial use.
        no_terms: Photos for which no terms are stated.
        sources: By source and terms, without addresses ("" where none are stated).
        kinds: Segments by kind.
        names: How often each text is the plain name of a segment.
    """

    photos: int = 0
    held: int = 0
    segments: int = 0
    texts: int = 0
    non_commercial: int = 0
    no_terms: int = 0
    sources: dict[tuple[str, str], SourceCounts] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    _seen: set[int] = field(default_factory=set, repr=False)

    @property
    def different(self) -> int:
        """How many different texts there are, without case."""
        return len(self._seen)

    def add(self, photo: PairImage) -> None:
        """Count a photo."""
        held, texts = photo.split == "held", sum(len(s.texts) for s in photo.segments)
        terms = terms_of(photo)
        row = self.sources.setdefault((photo.source, terms), SourceCounts())
        for total in (self, row):
            total.photos += 1
            total.held += held
            total.segments += len(photo.segments)
            total.texts += texts
        self.no_terms += not terms or terms.casefold().startswith(_NONE)
        self.non_commercial += not is_commercial(photo.licence)
        for segment in photo.segments:
            self.kinds[segment.kind] += 1
            if segment.texts:
                self.names[segment.texts[0]] += 1
            # Hashes: millions of different phrases need no second copy.
            self._seen.update(hash(text.casefold()) for text in segment.texts)


def terms_of(photo: PairImage) -> str:
    """The stated terms of a photo without addresses; "" where none are stated."""
    text = _ADDRESS.sub("", photo.licence).strip()
    return "" if text.casefold() == _NONE else text


def counted(photos: Iterable[PairImage], counts: PairCounts) -> Iterator[PairImage]:
    """The photos, counted as they pass."""
    for photo in photos:
        counts.add(photo)
        yield photo


def count_pairs(path: Path) -> PairCounts:
    """Counts of a file of pairs, or of a folder of them; photos are not read.

    Raises:
        InputError: As `trainer.pairs.read_pairs`.
    """
    counts = PairCounts()
    for _ in counted(read_pairs(path, COLUMNS), counts):
        pass
    return counts
