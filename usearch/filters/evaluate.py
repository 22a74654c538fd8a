"""Which segments of a snapshot a filter lets through.

What is asked of photos is answered once a photo, over the whole table; the rest part by part,
and only where the photos leave something to ask. A test on a value that is not there is
false; `not` turns it round. Columns of numbers are compared as they are stored, so the 0.1
of a filter is the float32 nearest to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch.filters.columns import BY_NAME
from usearch.filters.photos import PhotoColumns
from usearch.filters.segments import PartColumns
from usearch.filters.tree import (
    And,
    Between,
    Compare,
    Expression,
    Filter,
    Flag,
    Has,
    Not,
    OneOf,
    Or,
    Test,
    about_photos,
)

if TYPE_CHECKING:
    from usearch.store import Snapshot

BoolArray = npt.NDArray[np.bool_]
RowArray = npt.NDArray[np.int64]

_LARGEST = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class _Known:
    """A subtree that was answered: bool, one for each photo."""

    photos: BoolArray


def matching_rows(snapshot: Snapshot, condition: Filter) -> RowArray:
    """Rows of the segments that a filter lets through.

    Args:
        snapshot: The store.
        condition: From `parse_filter`.

    Returns:
        Rows of photos that are there, int64, ascending: what `Snapshot.search` takes as
        `allowed`.

    Raises:
        StoreError: A file of the store is damaged.
    """
    photos = PhotoColumns(snapshot.photos())
    tree = _answer_photos(condition.expression, photos)
    found = [np.zeros(0, np.int64)]
    for at in range(len(snapshot.parts)):
        place, counts = snapshot.photos_of_part(at)
        possible = _possible(tree, place) & (place >= 0)
        if not possible.any():
            continue
        part = PartColumns(snapshot.parts[at], photos, place, counts, possible)
        inside = part.places(_evaluate(tree, part))
        found.append(inside + snapshot.offsets[at])
    return np.concatenate(found)


def _answer_photos(term: Expression, photos: PhotoColumns) -> Any:
    """The tree with the largest subtrees that are about photos answered."""
    if about_photos(term):
        return _Known(_over_photos(term, photos))
    match term:
        case And(terms) | Or(terms):
            return type(term)(tuple(_answer_photos(t, photos) for t in terms))
        case Not(inner):
            return Not(_answer_photos(inner, photos))
        case _:
            return term


def _over_photos(term: Expression, photos: PhotoColumns) -> BoolArray:
    def test(leaf: Test) -> BoolArray:
        column = BY_NAME[leaf.column]
        if column.kind in ("text", "date"):
            return photos.strings(leaf)
        return _test_numbers(leaf, photos.whole(leaf.column))

    return _logic(term, test)


def _possible(tree: Any, place: RowArray) -> BoolArray:
    """Which photos of a part may have a segment that matches."""
    if isinstance(tree, _Known):
        return tree.photos[place]
    if isinstance(tree, And):
        terms: tuple[Any, ...] = tree.terms
        known = [term.photos[place] for term in terms if isinstance(term, _Known)]
        if known:
            both: BoolArray = np.logical_and.reduce(known)
            return both
    return np.ones(len(place), bool)


def _evaluate(tree: Any, part: PartColumns) -> BoolArray:
    """bool, for each of the part's rows."""

    def test(leaf: Any) -> BoolArray:
        if isinstance(leaf, _Known):
            return part.spread(leaf.photos).astype(bool, copy=False)
        if isinstance(leaf, Flag):
            return part.touches_border()
        if isinstance(leaf, Has):
            return part.whole("depth") > 0  # to have a parent
        values: Any = (
            part.real(leaf.column)
            if BY_NAME[leaf.column].kind == "real"
            else part.whole(leaf.column)
        )
        found = _test_numbers(leaf, values)
        return found & (part.whole("depth") > 0) if leaf.column == "parent" else found

    return _logic(tree, test)


def _logic(term: Any, test: Callable[[Any], BoolArray]) -> BoolArray:
    match term:
        case And(terms):
            found = _logic(terms[0], test)
            for other in terms[1:]:
                found = found & _logic(other, test)
            return found
        case Or(terms):
            found = _logic(terms[0], test)
            for other in terms[1:]:
                found = found | _logic(other, test)
            return found
        case Not(inner):
            return ~_logic(inner, test)
        case _:
            return test(term)


def _test_numbers(leaf: Any, values: npt.NDArray[Any]) -> BoolArray:
    match leaf:
        case Compare(_, op, value):
            return _compare(values, op, value)
        case Between(_, low, high):
            return _compare(values, ">=", low) & _compare(values, "<=", high)
        case OneOf(_, wanted):
            return _among(values, wanted)
    raise TypeError(leaf)


def _compare(values: npt.NDArray[Any], op: str, value: Any) -> BoolArray:
    if op == "!=":
        return ~_compare(values, "=", value)
    if values.dtype.kind == "f":
        number = _nearest(value)
        found: BoolArray = {
            "=": np.equal,
            "<": np.less,
            "<=": np.less_equal,
            ">": np.greater,
            ">=": np.greater_equal,
        }[op](values, number)
        return found
    # Whole numbers have whole bounds: depth < 1.5 is depth <= 1. So ids beyond 2**53 are exact.
    low, high = {
        "=": (math.ceil(value), math.floor(value)),
        "<": (None, math.ceil(value) - 1),
        "<=": (None, math.floor(value)),
        ">": (math.floor(value) + 1, None),
        ">=": (math.ceil(value), None),
    }[op]
    found = np.ones(len(values), bool)
    if low is not None:
        found = values >= low if low <= _LARGEST.max else np.zeros(len(values), bool)
    if high is not None:
        found &= values <= high if high >= _LARGEST.min else False
    return found


def _among(values: npt.NDArray[Any], wanted: tuple[Any, ...]) -> BoolArray:
    if values.dtype.kind == "f":
        return np.isin(values, np.array([_nearest(v) for v in wanted], np.float32))
    whole = [int(v) for v in wanted if v.denominator == 1]
    inside = [v for v in whole if _LARGEST.min <= v <= _LARGEST.max]
    return np.isin(values, np.array(inside, np.int64))


def _nearest(value: Fraction) -> np.float32:
    """The float32 nearest to a number, infinite where that is beyond all of them."""
    with np.errstate(over="ignore"):
        return np.float32(float(value))
