"""Opening a benchmark as people have it on disk."""

from __future__ import annotations

from pathlib import Path

from eval.datasets import ade
from eval.datasets.records import MapSet, RegionSet
from usearch.errors import UsageError

DATASETS = ("ade150",)


def open_dataset(
    name: str, root: Path, split: str = "val", layout: str = "", names: str = ""
) -> MapSet | RegionSet:
    """A benchmark found below a folder; `found` of what comes back says what was read and how.

    Args:
        name: One of `DATASETS`.
        root: The data set's folder, or one that holds it at most two levels deeper.
        split: `val` (what published figures are on) or `train`.
        layout: Name of a layout to take; empty = the first that is there.
        names: Which names the classes have, one of `lists.KINDS`; empty = the usual list.

    Returns:
        A `MapSet` whose maps `read_map` reads; for `partimagenet` a `RegionSet`, except for its
        form that has index pictures only.

    Raises:
        UsageError: Data set, split, layout or list is unknown.
        InputError: Nothing of the data set is there, or its labels are of no known form; the
            message says which folders were looked for and the hint where the set comes from.
    """
    if name not in DATASETS:
        raise UsageError(f"no data set '{name}'", f"one of {', '.join(DATASETS)}")
    return ade.open_ade150(root, split, layout, names)
