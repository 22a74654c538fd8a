"""A filter as a tree, and the tree as text again."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from usearch.filters.columns import BY_NAME


@dataclass(frozen=True, slots=True)
class Date:
    """A year, month, day, minute or second, as `2024`, `2024-05`, ..., `2024-05-06T07:08:09`."""

    text: str


Value = Fraction | str | Date
"""A number (units applied), a text, or a date."""


@dataclass(frozen=True, slots=True)
class Compare:
    """`column op value`; op is one of = != < <= > >=."""

    column: str
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class Between:
    """`column between low and high`, both included."""

    column: str
    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """`column in (value, ...)`."""

    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """`column ~ "glob"`."""

    column: str
    glob: str


@dataclass(frozen=True, slots=True)
class Has:
    """`has column`."""

    column: str


@dataclass(frozen=True, slots=True)
class Flag:
    """`column`, which is yes or no."""

    column: str


@dataclass(frozen=True, slots=True)
class Not:
    """`not term`."""

    term: Expression


@dataclass(frozen=True, slots=True)
class And:
    """`term and term ...`."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """`term or term ...`."""

    terms: tuple[Expression, ...]


Test = Compare | Between | OneOf | Like | Has | Flag
Expression = Test | Not | And | Or


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on segments. `str` gives a text that parses to an equal filter.

    Attributes:
        expression: The condition as a tree.
        text: As it was typed.
    """

    expression: Expression
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return write(self.expression)


def write(term: Expression) -> str:
    """An expression as text; parentheses wherever and, or and not meet."""
    match term:
        case And(terms):
            return " and ".join(map(_inner, terms))
        case Or(terms):
            return " or ".join(map(_inner, terms))
        case Not(inner):
            return f"not {_inner(inner)}"
        case Compare(column, op, value):
            return f"{column} {op} {_value(value)}"
        case Between(column, low, high):
            return f"{column} between {_value(low)} and {_value(high)}"
        case OneOf(column, values):
            return f"{column} in ({', '.join(map(_value, values))})"
        case Like(column, glob):
            return f"{column} ~ {_value(glob)}"
        case Has(column):
            return f"has {column}"
        case Flag(column):
            return column


def _inner(term: Expression) -> str:
    return f"({write(term)})" if isinstance(term, And | Or) else write(term)


def _value(value: Value) -> str:
    if isinstance(value, Date):
        return value.text
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    places = 0
    while (value * 10**places).denominator != 1:  # units are products of 2 and 5: it ends
        places += 1
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    whole = digits[: len(digits) - places]
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{digits[-places:]}" if places else f"{sign}{whole}"


def columns_of(term: Expression) -> set[str]:
    """Names of the columns that an expression asks about."""
    match term:
        case And(terms) | Or(terms):
            return set().union(*map(columns_of, terms))
        case Not(inner):
            return columns_of(inner)
        case _:
            return {term.column}


def about_photos(term: Expression) -> bool:
    """Whether all that an expression asks about belongs to photos, not to segments."""
    return all(BY_NAME[name].of == "photo" for name in columns_of(term))
