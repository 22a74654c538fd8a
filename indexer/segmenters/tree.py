"""The built-in segmenter: nested segments from hierarchies over a boundary map.

photo -> working grid -> boundary strengths -> watershed regions (`regions`) -> several
hierarchies (`merging`) -> candidates, described and chosen (`selection`) -> run lengths on
the photo's own grid (`runs`).
"""

from __future__ import annotations

import math

from indexer.segmenters import boundaries, selection
from indexer.segmenters.merging import MIXES, members, merge
from indexer.segmenters.regions import Regions, describe, partition
from indexer.segmenters.runs import counts_of_nodes, upscale
from usearch.errors import UsageError
from usearch.masks import segments_from_counts
from usearch.records import FloatArray, Image, Segments

_COARSE, _FINE = 100, 900
"""Regions of the finest partition at granularity 0 and 1."""


class TreeSegmenter:
    """Nested, class-agnostic segments of a photo, best first.

    Args:
        boundary: Gives a learned boundary map of a photo, float32 [h, w] in 0..1 on any grid,
            or None; without it boundaries come from colour alone.
        max_segments: At most this many segments a photo; at least 1.
        granularity: 0 = few large segments, 1 = down to small parts; 0.5 fits most photos.
        working_size: Longest side, in pixels, of the grid that segments are found on.

    Raises:
        UsageError: A setting is outside its range.
    """

    name = "tree"

    def __init__(
        self,
        boundary: boundaries.Boundary | None = None,
        *,
        max_segments: int = 100,
        granularity: float = 0.5,
        working_size: int = 320,
    ) -> None:
        if not 1 <= max_segments <= 1000:
            raise UsageError(f"max_segments is {max_segments}", "give a number from 1 to 1000")
        if not (math.isfinite(granularity) and 0 <= granularity <= 1):
            raise UsageError(f"granularity is {granularity}", "give a number from 0 to 1")
        if not 16 <= working_size <= 1024:
            raise UsageError(f"working_size is {working_size}", "give a number from 16 to 1024")
        self._boundary = boundary
        self.max_segments = max_segments
        self.granularity = granularity
        self.working_size = working_size

    @property
    def settings(self) -> dict[str, object]:
        """What shapes the segments, as plain JSON values."""
        return {
            "boundary": "colour" if self._boundary is None else "learned",
            "max_segments": self.max_segments,
            "granularity": self.granularity,
            "working_size": self.working_size,
        }

    def segment(self, image: Image) -> Segments:
        """Segments of a photo on its own pixel grid; at least one, the whole photo if need be.

        Args:
            image: uint8 [H, W, 3], RGB, upright; at least 1 x 1.
        """
        learned = None if self._boundary is None else self._boundary(image)
        regions = self.regions(image, learned)
        hierarchies = [merge(regions, mix) for mix in MIXES]
        nodes = [members(parents, len(regions)) for parents, _ in hierarchies]
        chosen, scores = selection.choose(
            regions, hierarchies, nodes, self.granularity, self.max_segments
        )
        # Counts after upscaling can only grow: a working pixel covers at least one pixel.
        labels = upscale(regions.labels, (image.shape[0], image.shape[1]))
        return segments_from_counts(
            counts_of_nodes(labels, chosen),
            (image.shape[0], image.shape[1]),
            scores,
            selection.parents_of(chosen, regions.areas),
        )

    def regions(self, image: Image, learned: FloatArray | None = None) -> Regions:
        """The finest partition of a photo on the working grid, and what is known of it."""
        lab = boundaries.to_lab(boundaries.shrink(image, self.working_size))
        size = lab.shape[0], lab.shape[1]
        if learned is not None:
            learned = boundaries.resize_map(learned, size)
        across, down = boundaries.edge_strengths(lab, learned)
        count = round(_COARSE * (_FINE / _COARSE) ** self.granularity)
        return describe(lab, partition(across, down, max(2, count)), across, down)
