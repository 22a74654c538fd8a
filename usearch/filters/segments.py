"""The columns of one part's segments that filters ask about."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from usearch.records import FloatArray
from usearch.store.part import Part
from usearch.store.parts import SEGMENTS_PER_PHOTO, RowArray

if TYPE_CHECKING:
    from usearch.filters.photos import PhotoColumns

BoolArray = npt.NDArray[np.bool_]

_EDGE = np.float32(0.5)
"""Pixels between a box and the side that it touches: boxes are scaled and rounded."""


class PartColumns:
    """Segments of some photos of a part, one value each, computed when asked for.

    Args:
        part: The part.
        photos: Columns of all photos.
        place: int64, for each photo of the part its place in `photos`, -1 when it is gone.
        counts: int64, for each photo of the part how many segments it has.
        wanted: bool, for each photo of the part whether its segments are asked for.

    """

    def __init__(
        self,
        part: Part,
        photos: PhotoColumns,
        place: RowArray,
        counts: RowArray,
        wanted: BoolArray,
    ) -> None:
        self._part = part
        self._photos = photos
        self._place = place[wanted]
        self._counts = counts[wanted]
        self._first = (np.cumsum(counts) - counts)[wanted]
        self._all = bool(wanted.all())

    @cached_property
    def rows(self) -> RowArray:
        """Rows of the part that are looked at, int64 [n], ascending."""
        ends = np.cumsum(self._counts)
        start = np.repeat(self._first - (ends - self._counts), self._counts)
        return start + np.arange(len(start))

    def places(self, mask: BoolArray) -> RowArray:
        """Rows of the part, int64, where a mask, bool [n], is set."""
        found = np.flatnonzero(mask)
        return found if self._all else self.rows[found]

    def spread(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A value of each photo of the store, for each row that is looked at."""
        return np.repeat(values[self._place], self._counts)

    def stored(self, name: str) -> npt.NDArray[np.generic]:
        """A stored column, [n]; -1 where it is null."""
        values = self._part.column(name, None if self._all else self.rows)
        return values

    def whole(self, name: str) -> RowArray:
        """A column of whole numbers, int64 or int32 [n]; -1 where there is none."""
        if name == "segment":
            index = self.rows - np.repeat(self._first, self._counts)
            ids = self.spread(self._photos.whole("photo")).astype(np.int64)
            return ids * SEGMENTS_PER_PHOTO + index
        return self.stored(name)  # type: ignore[return-value]

    def real(self, name: str) -> FloatArray:
        """A column of real numbers, float32 [n]."""
        match name:
            case "box_width":
                return self._box("x1") - self._box("x0")
            case "box_height":
                return self._box("y1") - self._box("y0")
            case "aspect":
                return self.real("box_width") / self.real("box_height")
            case "left":
                return self._box("x0") / self._side("width")
            case "right":
                return self._box("x1") / self._side("width")
            case "top":
                return self._box("y0") / self._side("height")
            case "bottom":
                return self._box("y1") / self._side("height")
            case "center_x":
                return (self._box("x0") + self._box("x1")) / (2 * self._side("width"))
            case "center_y":
                return (self._box("y0") + self._box("y1")) / (2 * self._side("height"))
            case "segmenter_score":
                return self._box("score")
        return self._box(name)

    def touches_border(self) -> BoolArray:
        """Whether the box reaches a side of the photo, bool [n]."""
        found: BoolArray = (self._box("x0") < _EDGE) | (self._box("y0") < _EDGE)
        found |= self._side("width") - self._box("x1") < _EDGE
        found |= self._side("height") - self._box("y1") < _EDGE
        return found

    def _box(self, name: str) -> FloatArray:
        return self.stored(name)  # type: ignore[return-value]

    def _side(self, name: str) -> FloatArray:
        return self.spread(self._photos.whole(name)).astype(np.float32)
