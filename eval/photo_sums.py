"""What each photo adds to the sums that a metric is a function of, kept sparse.

A photo shows a few dozen of 847 classes, so its sums are a few dozen numbers: thousands of
photos take megabytes, and resampling them takes as much memory as a hundred photos do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

_BLOCK = 256
"""Photos made dense at once."""


@dataclass(frozen=True, slots=True)
class PhotoSums:
    """A sparse matrix [photos, columns], row by row.

    Attributes:
        starts: int64 [photos + 1], where each photo's entries begin; the last is their number.
        columns: int32 [entries], rising within a photo.
        values: float64 [entries], none of them 0.
        n_columns: Columns.
    """

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    values: Doubles
    n_columns: int

    def __len__(self) -> int:
        """Photos."""
        return len(self.starts) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """(photos, columns)."""
        return len(self), self.n_columns

    def total(self) -> Doubles:
        """Sums over all photos, float64 [columns]."""
        return np.bincount(self.columns, self.values, self.n_columns).astype(np.float64)

    def row(self, photo: int) -> Doubles:
        """What one photo adds, float64 [columns]."""
        row: Doubles = self.dense(photo, photo + 1)[0]
        return row

    def dense(self, first: int, last: int) -> Doubles:
        """The rows `first` to `last` (left out) as float64 [rows, columns]."""
        last = min(last, len(self))
        entries = slice(self.starts[first], self.starts[last])
        out = np.zeros((last - first, self.n_columns))
        rows = np.repeat(np.arange(last - first), np.diff(self.starts[first : last + 1]))
        out[rows, self.columns[entries]] = self.values[entries]
        return out

    def __rmatmul__(self, weights: Doubles) -> Doubles:
        """`weights @ sums`: float64 [rounds, photos] to [rounds, columns], block by block."""
        out = np.zeros((len(weights), self.n_columns))
        for first in range(0, len(self), _BLOCK):
            out += weights[:, first : first + _BLOCK] @ self.dense(first, first + _BLOCK)
        return out

    # NumPy would otherwise make an object array of the right operand of `@`.
    __array_ufunc__ = None

    def rows(self) -> Iterator[tuple[npt.NDArray[np.int32], Doubles]]:
        """Columns and values of each photo."""
        for first, last in zip(self.starts[:-1], self.starts[1:], strict=True):
            yield self.columns[first:last], self.values[first:last]


def sparse_sums(rows: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]], n_columns: int) -> PhotoSums:
    """Sums of photos from the columns that each of them adds to, and what.

    Args:
        rows: For each photo its columns, rising, and as many values.
        n_columns: Columns in all.

    Raises:
        ValueError: Columns and values differ in number, or a column is not in the matrix, not
            a whole number or not above the one before; a value is not finite.
    """
    columns: list[npt.NDArray[np.int32]] = []
    values: list[Doubles] = []
    for row, (where, what) in enumerate(rows):
        at, added = np.asarray(where), np.asarray(what, float)
        if at.size == 0:
            at = at.astype(np.int32)
        if at.ndim != 1 or at.shape != added.shape:
            raise ValueError(f"row {row}: {at.shape} columns and {added.shape} values")
        if at.dtype.kind not in "iu" or (at.size and not 0 <= at.min() <= at.max() < n_columns):
            raise ValueError(f"row {row}: a column is none of the {n_columns}")
        if (np.diff(at.astype(np.int64)) <= 0).any() or not np.isfinite(added).all():
            raise ValueError(f"row {row}: columns must rise and values be finite")
        kept = added != 0
        columns.append(at[kept].astype(np.int32))
        values.append(added[kept])
    return PhotoSums(
        starts=np.cumsum([0, *map(len, columns)], dtype=np.int64),
        columns=np.concatenate([np.zeros(0, np.int32), *columns]),
        values=np.concatenate([np.zeros(0), *values]),
        n_columns=n_columns,
    )


def sparse_of(dense: Doubles | Sequence[Doubles]) -> PhotoSums:
    """Sparse form of float64 [photos, columns]."""
    table = np.asarray(dense, float)
    return sparse_sums(((np.flatnonzero(row), row[row != 0]) for row in table), table.shape[1])
