"""The columns of photos that filters ask about."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch.filters.dates import bounds
from usearch.filters.globs import glob_regex
from usearch.filters.tree import Between, Compare, Date, Has, Like, OneOf, Test
from usearch.store.names import stored_name
from usearch.store.parts import numbers

if TYPE_CHECKING:
    import pyarrow as pa

BoolArray = npt.NDArray[np.bool_]


class PhotoColumns:
    """Photos that are there, one value each, computed when asked for.

    Args:
        table: `Snapshot.photos()`.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._whole: dict[str, npt.NDArray[np.int64]] = {}

    def whole(self, name: str) -> npt.NDArray[np.int64]:
        """A column of whole numbers, int64 [photos]."""
        if name == "pixels":
            return self.whole("width") * self.whole("height")
        if name not in self._whole:
            column = self._table["photo_id" if name == "photo" else name]
            self._whole[name] = numbers(column).astype(np.int64, copy=False)
        return self._whole[name]

    def strings(self, leaf: Test) -> BoolArray:
        """A test on a text or a date, bool [photos]; false where there is none."""
        import pyarrow.compute as pc

        match leaf:
            case Has(name):
                found = pc.is_valid(self._table[name])
            case Like(name, glob):
                found = self._like(name, glob)
            case Compare(name, op, Date(date)):
                found = _in_time(self._table[name], op, *bounds(date))
            case Between(name, Date(low), Date(high)):
                after = pc.greater_equal(self._table[name], bounds(low)[0])
                found = pc.and_(after, pc.less(self._table[name], bounds(high)[1]))
            case OneOf(_, values):
                if not isinstance(values[0], Date):
                    return self._one_of(leaf.column, [str(value) for value in values])
                found = np.zeros(len(self._table), bool)
                for value in values:
                    found |= self.strings(Compare(leaf.column, "=", value))
                return found
            case Compare(name, op, value):
                equal = self._one_of(name, [str(value)])
                return equal if op == "=" else ~equal & _bools(pc.is_valid(self._table[name]))
            case _:
                raise TypeError(leaf)
        return _bools(found)

    def _one_of(self, name: str, values: list[str]) -> BoolArray:
        """Equal to one of the texts; a path that begins with / is a whole one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        stored = [stored_name(value) for value in values]
        whole = [value for value in stored if name == "path" and value.startswith("/")]
        found = _bools(pc.is_in(self._table[name], value_set=pa.array(stored, pa.string())))
        if whole:
            found |= _bools(pc.is_in(self._full_paths, value_set=pa.array(whole, pa.string())))
        return found

    def _like(self, name: str, glob: str) -> Any:
        import pyarrow.compute as pc

        regex = glob_regex(stored_name(glob))
        if name != "path":
            return pc.match_substring_regex(self._table[name], regex)
        if glob.startswith("/"):
            return pc.match_substring_regex(self._full_paths, regex)
        return pc.or_(
            pc.match_substring_regex(self._table[name], regex),
            pc.match_substring_regex(self._names, regex),
        )

    @cached_property
    def _names(self) -> Any:
        """Names of the files, without folders."""
        import pyarrow.compute as pc

        return pc.replace_substring_regex(self._table["path"], "(?s)^.*/", "")

    @cached_property
    def _full_paths(self) -> Any:
        import pyarrow.compute as pc

        roots = pc.utf8_rtrim(self._table["root"], "/")
        return pc.binary_join_element_wise(roots, self._table["path"], "/")


def _in_time(column: Any, op: str, start: str, end: str) -> Any:
    """A time compared with all of a year, month, day, minute or second."""
    import pyarrow.compute as pc

    match op:
        case "<":
            return pc.less(column, start)
        case "<=":
            return pc.less(column, end)
        case ">":
            return pc.greater_equal(column, end)
        case ">=":
            return pc.greater_equal(column, start)
    inside = pc.and_(pc.greater_equal(column, start), pc.less(column, end))
    return inside if op == "=" else pc.invert(inside)


def _bools(found: Any) -> BoolArray:
    """Arrow's answers as NumPy's; unknown is false."""
    import pyarrow.compute as pc

    values: BoolArray = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return np.array(values, bool)
