"""A labelled set answered from stored segments: maps, their tally, and where the error comes from.

Nothing here opens a photo or runs a network on pixels: label files are read, the rest is stored
vectors times text vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from eval.aggregate import PAPERS_WAY, MapOptions, predicted_map
from eval.collection import Collected, stored
from eval.datasets import LabelMap, MapPhoto, MapSet, read_map
from eval.metrics import MapTally
from eval.oracles import MIN_AREA, labelled_regions, proposal_oracle
from eval.systems import TextSide
from usearch.classify import (
    ClassMap,
    ClassTexts,
    StoredPhoto,
    embed_classes,
    map_values,
    segment_probabilities,
)
from usearch.classify.ensemble import combine_probabilities
from usearch.errors import SpaceMismatch
from usearch.records import FloatArray
from usearch.text.class_lists import ClassList
from usearch.text.templates import get_templates

Mix = Callable[[StoredPhoto, FloatArray], FloatArray]
"""A photo and its segments' own probabilities, float32 [n, C], to others of the same shape."""


@dataclass(frozen=True, slots=True)
class Second:
    """A second model over the same segments.

    Attributes:
        collected: Its vectors of the same photos.
        texts: The same classes in its space.
        weight: Of its probabilities in the geometric mean, 0..1.
    """

    collected: Collected
    texts: ClassTexts
    weight: float


@dataclass(frozen=True, slots=True)
class Answers:
    """What makes maps of a set's photos.

    Attributes:
        labelled: The set.
        collected: Its photos in a store.
        texts: Its classes in the store's space.
        options: How probabilities become maps.
        second: A second model; None = one model.
        mix: What else changes probabilities, such as neighbours in a bank; None = nothing.
    """

    labelled: MapSet
    collected: Collected
    texts: ClassTexts
    options: MapOptions = PAPERS_WAY
    second: Second | None = None
    mix: Mix | None = None

    def probabilities(
        self, photo: StoredPhoto, second: StoredPhoto | None, *, mixed: bool = True
    ) -> FloatArray:
        """Class probabilities of a photo's segments, float32 [n, C].

        Args:
            photo: What the store holds of it.
            second: What the second model's store holds of it.
            mixed: Whether `mix` is applied.
        """
        own = segment_probabilities(photo.vectors, self.texts.vectors, self.texts.logit_scale)
        if self.second is not None and second is not None:
            texts = self.second.texts
            other = segment_probabilities(second.vectors, texts.vectors, texts.logit_scale)
            own = combine_probabilities(own, other, self.second.weight)
        return self.mix(photo, own) if mixed and self.mix is not None else own

    def each(
        self, photos: Sequence[MapPhoto]
    ) -> Iterator[tuple[MapPhoto, StoredPhoto | None, StoredPhoto | None]]:
        """Photos with what the stores hold of them: the first model's and the second's."""
        paths = [photo.path for photo in photos]
        first = stored(self.collected, paths)
        other = stored(self.second.collected, paths) if self.second is not None else iter(())
        for photo in photos:
            one = next(first) if photo.path in self.collected.ids else None
            two = None
            if self.second is not None and photo.path in self.second.collected.ids:
                two = next(other)
                if one is not None and two.segments.rles != one.segments.rles:
                    raise SpaceMismatch(
                        f"the second model's store has other segments of {photo.path}",
                        "remove that store, so that it is made anew",
                    )
            yield photo, one, two

    def show(self, photo: MapPhoto) -> tuple[LabelMap, ClassMap]:
        """Labels and prediction of one photo, without `mix`, for a page."""
        _, one, two = next(self.each([photo]))
        truth = read_map(self.labelled, photo)
        return truth, self._predicted(one, two, truth.shape, mixed=False)

    def _predicted(
        self,
        one: StoredPhoto | None,
        two: StoredPhoto | None,
        size: tuple[int, int],
        *,
        mixed: bool = True,
    ) -> ClassMap:
        if one is None:  # a photo that cannot be read has no class anywhere, which is wrong
            values = map_values(len(self.texts))
            return np.full(size, values.none, values.dtype)
        shares = self.probabilities(one, two, mixed=mixed)
        return predicted_map(one.segments, shares, size, self.options)

    def measure(
        self, *, oracle: bool = False, progress: Callable[[int], None] | None = None
    ) -> MapRun:
        """Answer every photo of the set and count.

        Args:
            oracle: Also make the maps of the proposal oracle.
            progress: Is told how many photos are done.
        """
        n_classes = len(self.texts)
        run = MapRun(MapTally(n_classes))
        if oracle:
            run.oracle = MapTally(n_classes)
        if self.mix is not None:
            run.mixed = MapTally(n_classes)
        for done, (photo, one, two) in enumerate(self.each(self.labelled.photos), 1):
            truth = read_map(self.labelled, photo)
            run.tally.add(truth, self._predicted(one, two, truth.shape, mixed=False))
            if run.mixed is not None:
                run.mixed.add(truth, self._predicted(one, two, truth.shape))
            if one is not None:
                run.most_segments = max(run.most_segments, len(one.segments))
            if run.oracle is not None:
                self._add_oracle(run, photo, truth, one)
            if progress is not None:
                progress(done)
        return run

    def _add_oracle(
        self, run: MapRun, photo: MapPhoto, truth: LabelMap, one: StoredPhoto | None
    ) -> None:
        assert run.oracle is not None
        if one is None:
            values = map_values(len(self.texts))
            run.oracle.add(truth, np.full(truth.shape, values.none, values.dtype))
            best = np.zeros(int((labelled_regions(truth).areas >= MIN_AREA).sum()))
        else:
            perfect, best = proposal_oracle(truth, one.segments, len(self.texts))
            run.oracle.add(truth, perfect)
        run.best += best.tolist()
        run.best_photos += [photo.path] * len(best)


@dataclass(slots=True)
class MapRun:
    """What a run counted.

    Attributes:
        tally: Maps against labels.
        mixed: Maps after `Answers.mix`; None where there is none.
        oracle: Maps of the proposal oracle; None when not asked for.
        best: Best IoU of each labelled region of at least `MIN_AREA` pixels.
        best_photos: The photo of each.
        most_segments: Of one photo.
    """

    tally: MapTally
    mixed: MapTally | None = None
    oracle: MapTally | None = None
    best: list[float] = field(default_factory=list)
    best_photos: list[Path] = field(default_factory=list)
    most_segments: int = 0


def class_texts(
    labelled: MapSet,
    side: TextSide,
    *,
    templates: str = "",
    scale: float = 0.0,
    cache_dir: Path | None = None,
) -> ClassTexts:
    """The classes of a set in the space of a system.

    Args:
        labelled: The set; two of its classes may share a name.
        side: The system's text side.
        templates: Template set; empty = the model's own.
        scale: What cosines are multiplied by before the softmax; 0 = the model's own.
        cache_dir: Where text vectors are kept.

    Raises:
        UsageError: No template set has this name.
    """
    listed = ClassList([list(names) for names in labelled.names], labelled.name)
    calibration = replace(side.calibration, logit_scale=scale or side.calibration.logit_scale)
    return embed_classes(
        listed,
        side.encoder,
        get_templates(templates or side.templates),
        calibration,
        scored=False,
        cache_dir=cache_dir,
    )
