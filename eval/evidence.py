"""What a store holds of labelled photos, as evidence for and against each name.

Collections are made of these photos, so a photo must say which names are there and which are
not: things and stuff of data sets that label every one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.datasets import Region, RegionPhoto
from eval.naming import MIN_AREA
from eval.proposals import shared_areas
from eval.stored import StoredPhoto
from usearch import masks
from usearch.records import FloatArray, Segments

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

INSIDE = 0.5
"""A segment is right when at least this share of it lies on regions of the name."""

_NEVER = -2.0
"""Below every cosine: such a segment is never near."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Segments of P photos against C names.

    A photo where a name occurs in small regions only neither shows the name nor lacks it.

    Attributes:
        vectors: float32 [n, D] of the segments, unit length.
        areas: float64 [n], share of the photo that each segment covers.
        cosines: float32 [n, C].
        odds: float64 [n, C], log odds of each name's share against the background.
        right: bool [n, C], the segment shows the name.
        photo: int64 [n], number of the segment's photo, ascending.
        shows: bool [P, C], the name can be seen in the photo.
        lacks: bool [P, C], the name is nowhere in the photo.
    """

    vectors: FloatArray
    areas: Doubles
    cosines: FloatArray
    odds: Doubles
    right: Flags
    photo: Numbers
    shows: Flags
    lacks: Flags

    def of_names(self, columns: slice) -> Evidence:
        """The evidence for some of the names."""
        return Evidence(
            self.vectors,
            self.areas,
            self.cosines[:, columns],
            self.odds[:, columns],
            self.right[:, columns],
            self.photo,
            self.shows[:, columns],
            self.lacks[:, columns],
        )

    def of_photos(self, photos: npt.ArrayLike) -> Evidence:
        """The evidence of some photos, numbered anew in ascending order."""
        chosen = np.unique(photos)
        rows = np.isin(self.photo, chosen)
        return Evidence(
            self.vectors[rows],
            self.areas[rows],
            self.cosines[rows],
            self.odds[rows],
            self.right[rows],
            np.searchsorted(chosen, self.photo[rows]),
            self.shows[chosen],
            self.lacks[chosen],
        )


def evidence_of(
    stored: Sequence[StoredPhoto],
    labelled: Sequence[RegionPhoto],
    names: Sequence[str],
    text_vectors: FloatArray,
    odds: Doubles,
) -> Evidence:
    """Evidence of photos that are labelled and stored.

    Args:
        stored: P photos as a store holds them.
        labelled: The same photos with all their regions.
        names: C names that the labels know.
        text_vectors: float32 [C, D], unit length.
        odds: float64 [n, C], of all segments in the order of the photos.
    """
    vectors = np.concatenate([one.vectors for one in stored])
    areas = np.stack([named_areas(photo.regions, names) for photo in labelled])
    shares = [
        inside_shares(one.segments, photo.regions, names)
        for one, photo in zip(stored, labelled, strict=True)
    ]
    return Evidence(
        vectors=vectors,
        areas=np.concatenate(
            [one.segments.areas / np.prod(one.segments.size, dtype=float) for one in stored]
        ),
        cosines=vectors @ text_vectors.T,
        odds=odds,
        right=np.concatenate(shares) >= INSIDE,
        photo=np.repeat(np.arange(len(stored)), [len(one.vectors) for one in stored]),
        shows=areas >= MIN_AREA,
        lacks=areas == 0,
    )


def named_areas(regions: Sequence[Region], names: Sequence[str]) -> Numbers:
    """Pixels of the largest region of each name, int64 [C]; 0 where there is none."""
    column = {name: i for i, name in enumerate(names)}
    out = np.zeros(len(names), np.int64)
    for region in regions:
        if region.name in column:
            at = column[region.name]
            out[at] = max(out[at], region.area)
    return out


def inside_shares(segments: Segments, regions: Sequence[Region], names: Sequence[str]) -> Doubles:
    """Share of each segment that lies on regions of each name, float64 [n, C].

    Crowds and small regions count: a segment on a crowd shows people.
    """
    column = {name: i for i, name in enumerate(names)}
    truths: dict[int, masks.Mask] = {}
    for region in regions:
        if region.name in column:
            empty = np.zeros(segments.size, bool)
            at = column[region.name]
            truths[at] = truths.get(at, empty) | masks.decode(region.rle, segments.size)
    shared, areas = shared_areas(list(truths.values()), segments.rles, segments.size)
    shares = np.zeros((len(segments), len(names)))
    shares[:, list(truths)] = (shared / np.maximum(areas, 1)).T
    return shares


def as_looks(evidence: Evidence) -> Evidence:
    """The same photos asked for by a segment in place of a name.

    Every photo asks once for each name it shows, with its largest segment that is right. The
    evidence is the cosine of two segments, `odds` and `cosines` alike; a question is never
    answered by its own photo.

    Args:
        evidence: Of photos that all know all names.
    """
    asked, names = [], []
    for photo, c in np.argwhere(evidence.shows).tolist():
        rows = np.flatnonzero((evidence.photo == photo) & evidence.right[:, c])
        if len(rows):
            asked.append(rows[evidence.areas[rows].argmax()])
            names.append(c)
    cosines = evidence.vectors @ evidence.vectors[asked].T
    own = evidence.photo[asked]
    cosines[evidence.photo[:, None] == own] = _NEVER
    shows, lacks = evidence.shows[:, names], evidence.lacks[:, names]
    shows[own, np.arange(len(own))] = False
    return Evidence(
        vectors=evidence.vectors,
        areas=evidence.areas,
        cosines=cosines,
        odds=cosines.astype(np.float64),
        right=evidence.right[:, names],
        photo=evidence.photo,
        shows=shows,
        lacks=lacks,
    )
