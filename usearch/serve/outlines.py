"""Outlines of masks, each made once: a mask never changes, and pages show it again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from usearch.hits import Hit
from usearch.render.outlines import outline_paths

MaskOf: TypeAlias = tuple[bytes, tuple[int, int], float, float]
"""Run lengths, (height, width) of their grid, width and height of the photo."""

_KEPT = 20_000
"""Outlines; about a kilobyte each."""


class Outlines:
    """SVG paths of masks, the latest of them kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[MaskOf, str] = OrderedDict()
        self._lock = threading.Lock()

    def of_hits(self, hits: Iterable[Hit]) -> list[str]:
        """Outlines of hits, in pixels of their photos."""
        return self.of_masks((hit.rle, hit.mask_size, hit.width, hit.height) for hit in hits)

    def of_masks(self, masks: Iterable[MaskOf]) -> list[str]:
        """Outlines of masks, in the order of the masks."""
        wanted = list(masks)
        with self._lock:
            found = {mask: self._kept[mask] for mask in wanted if mask in self._kept}
        new = [mask for mask in dict.fromkeys(wanted) if mask not in found]
        found.update(zip(new, outline_paths(new), strict=True))
        with self._lock:
            for mask in wanted:
                self._kept[mask] = found[mask]
                self._kept.move_to_end(mask)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return [found[mask] for mask in wanted]
