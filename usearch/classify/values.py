"""What the values of a class map mean: classes from 0, and three that are no class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.errors import UsageError

ClassMap = npt.NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16 [H, W], index of the class from 0; see `MapValues` for the rest."""


@dataclass(frozen=True, slots=True)
class MapValues:
    """Values of a map that are no class, and the type that holds them all.

    Attributes:
        none: Nothing is known of the pixel: no segment covers it.
        unknown: No class explains the pixel well enough.
        background: A contrast class won the pixel.
        dtype: Of the map.
    """

    none: int
    unknown: int
    background: int
    dtype: type[np.unsignedinteger[Any]]

    @property
    def titles(self) -> dict[int, str]:
        """Names for people, of the values that are no class."""
        return {self.none: "no class", self.unknown: "unknown", self.background: "background"}


def map_values(n_classes: int) -> MapValues:
    """The values of a map of so many classes: 8 bits for at most 253, else 16.

    Raises:
        UsageError: More classes than a 16-bit picture can number.
    """
    if n_classes <= 253:
        return MapValues(255, 254, 253, np.uint8)
    if n_classes <= 65533:
        return MapValues(65535, 65534, 65533, np.uint16)
    raise UsageError(
        f"{n_classes} classes; a class map can number 65533 of them", "split the class list"
    )


def no_class_value(n_classes: int) -> int:
    """What a map of this many classes holds where nothing is known: 255, or 65535."""
    return map_values(n_classes).none
