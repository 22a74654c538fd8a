"""Label files to label maps, whatever way they hold values."""

from __future__ import annotations

from eval.datasets.index_png import read_labels
from eval.datasets.records import LabelMap, MapPhoto, MapSet


def read_map(labelled: MapSet, photo: MapPhoto) -> LabelMap:
    """Label map of a photo of a set: uint16 [H, W], class rows, `NO_LABEL` = not labelled.

    Raises:
        InputError: The label file cannot be read or is of another form.
    """
    return read_labels(photo, labelled.values)
