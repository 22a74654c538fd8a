"""Tokens to a tree, by recursive descent.

filter   = any
any      = all { "or" all }
all      = negation { "and" negation }
negation = "not" negation | "(" any ")" | "has" column | test
test     = column | column operator value
         | column ["not"] "between" value "and" value
         | column ["not"] "in" ( "(" value { "," value } ")" | date )
         | column "is" ["not"] "null"
operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from usearch.errors import UsageError
from usearch.filters.columns import COLUMNS, UNIT_NAMES, Column, find_column
from usearch.filters.dates import bounds, normal_date
from usearch.filters.globs import LONGEST_GLOB
from usearch.filters.tokens import Token, mistake, tokenize
from usearch.filters.tree import (
    And,
    Between,
    Compare,
    Date,
    Expression,
    Filter,
    Flag,
    Has,
    Like,
    Not,
    OneOf,
    Or,
    Value,
)

DEEPEST = 100
"""Parentheses and `not` inside each other. People write three."""

_DIGITS = 40
_SAME = {"==": "=", "<>": "!="}
_OPERATORS = {"=", "!=", "<", "<=", ">", ">=", "~", "!~"}
_KEYWORDS = {"and", "or", "not", "has", "in", "between", "is", "null"}
_EXAMPLE = "for example: --where 'area > 10% and path ~ \"2024/*\"'"


def parse_filter(text: str) -> Filter:
    """A filter from its text.

    Args:
        text: `docs/filters.md` describes the language.

    Raises:
        UsageError: It is not a filter; `excerpt` points at the place.
    """
    parser = _Parser(text)
    if parser.ended():
        raise UsageError("--where is empty", _EXAMPLE)
    expression = parser.any(0)
    if not parser.ended():
        raise parser.wrong("here a filter could end, but more follows", "join with and / or")
    return Filter(expression, text)


class _Parser:
    """A place in the tokens of a filter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.at]

    def ended(self) -> bool:
        """Whether no token is left."""
        return self.tokens[self.at].kind == "end"

    def wrong(self, message: str, hint: str = "", token: Token | None = None) -> UsageError:
        """The error for the next token, or for another."""
        return mistake(self.text, (token or self.token).start, message, hint)

    def take(self) -> Token:
        """The next token, and step over it."""
        token = self.token
        self.at += not self.ended()
        return token

    def is_word(self, word: str) -> bool:
        """Whether the next token is this keyword, whatever its case."""
        return self.token.kind == "word" and self.token.text.lower() == word

    def accept_word(self, word: str) -> bool:
        """Step over a keyword if it comes next."""
        found = self.is_word(word)
        self.at += found
        return found

    def accept_sign(self, sign: str) -> bool:
        """Step over a sign if it comes next."""
        found = self.token.kind == "sign" and self.token.text == sign
        self.at += found
        return found

    def any(self, depth: int) -> Expression:
        """Terms joined by or."""
        return self._joined("or", self.all, Or, depth)

    def all(self, depth: int) -> Expression:
        """Terms joined by and."""
        return self._joined("and", self.negation, And, depth)

    def _joined(
        self, word: str, inner: Callable[[int], Expression], kind: type[And] | type[Or], depth: int
    ) -> Expression:
        terms = [inner(depth)]
        while self.accept_word(word):
            terms.append(inner(depth))
        return kind(tuple(terms)) if len(terms) > 1 else terms[0]

    def negation(self, depth: int) -> Expression:
        """A term that may be negated or in parentheses."""
        if depth > DEEPEST:
            raise self.wrong(
                f"nested deeper than {DEEPEST} levels", "write it with fewer ( and not"
            )
        if self.accept_word("not"):
            return Not(self.negation(depth + 1))
        opened = self.token
        if self.accept_sign("("):
            found = self.any(depth + 1)
            if not self.accept_sign(")"):
                if self.ended():
                    raise self.wrong("this ( is never closed", "add a )", opened)
                raise self.wrong("a ) is missing here", "join with and / or, or close with )")
            return found
        if self.is_word("has"):
            self.take()
            return Has(self.nullable())
        return self.test()

    def column(self) -> Column:
        """The column that the next token names."""
        token = self.token
        if self.ended():
            raise self.wrong("a column is missing at the end", _EXAMPLE)
        if token.kind != "word" or token.text.lower() in _KEYWORDS:
            hint = "a column comes first: area > 10%, not 10% < area"
            raise self.wrong("a column is missing here", hint)
        try:
            found = find_column(token.text)
        except UsageError as error:
            raise self.wrong(error.message, error.hint) from None
        self.take()
        return found

    def nullable(self) -> str:
        """A column that photos or segments may lack."""
        token = self.token
        column = self.column()
        if not column.nullable:
            names = ", ".join(c.name for c in COLUMNS if c.nullable)
            raise self.wrong(f"every segment has {column.name}", f"has asks for {names}", token)
        return column.name

    def test(self) -> Expression:
        """One condition on one column."""
        token = self.token
        column = self.column()
        if column.kind == "flag":
            if self.token.kind == "sign" and self.token.text not in "()":
                hint = f"it is yes or no: {column.name}, or not {column.name}"
                raise self.wrong(f"{column.name} takes no comparison", hint)
            return Flag(column.name)
        if self.is_word("is"):
            self.at -= 1
            self.nullable()
            self.take()
            negated = self.accept_word("not")
            if not self.accept_word("null"):
                raise self.wrong("after is comes null or not null", f"has {column.name}")
            return Has(column.name) if negated else Not(Has(column.name))
        negated = self.accept_word("not")
        if self.accept_word("between"):
            return _unless(negated, column, self.between(column))
        if self.accept_word("in"):
            return _unless(negated, column, self.one_of(column))
        if negated:
            raise self.wrong("after not comes in or between", f"not {column.name} ...")
        return self.comparison(column, token)

    def comparison(self, column: Column, named: Token) -> Expression:
        """What follows a column: a sign and a value."""
        sign = _SAME.get(self.token.text, self.token.text)
        if self.token.kind != "sign" or sign not in _OPERATORS:
            example = {"text": '= "..." or ~ "*..."', "date": "in 2024-05"}.get(column.kind, "> 1")
            hint = f"for example: {column.name} {example}"
            if self.ended():
                raise self.wrong(f"{column.name} is compared with nothing", hint, named)
            raise self.wrong(f"after {column.name} comes = != < <= > >= ~ in or between", hint)
        at = self.take()
        if sign in ("~", "!~"):
            return self.like(column, sign, at)
        if column.kind == "text" and sign not in ("=", "!="):
            raise self.wrong(f"{column.name} is a text: use = != ~ !~ or in", "", at)
        return Compare(column.name, sign, self.value(column))

    def like(self, column: Column, sign: str, at: Token) -> Expression:
        """`~ "glob"`."""
        if column.kind != "text":
            raise self.wrong(
                f"{column.name} is no text: ~ does not fit", "use = < > or between", at
            )
        token = self.token
        glob = self.value(column)
        if not isinstance(glob, str) or len(glob) > LONGEST_GLOB:
            raise self.wrong(f"this pattern is longer than {LONGEST_GLOB:,} characters", "", token)
        return _unless(sign == "!~", column, Like(column.name, glob))

    def between(self, column: Column) -> Between:
        """`low and high`."""
        token = self.token
        if column.kind == "text":
            raise self.wrong(f"{column.name} is a text and has no order", "use = ~ or in")
        low = self.value(column)
        if not self.accept_word("and"):
            raise self.wrong("between needs two values", "between 1 and 2")
        high = self.value(column)
        if _is_after(low, high):
            raise self.wrong("nothing lies between these: the first is larger", "turn them", token)
        return Between(column.name, low, high)

    def one_of(self, column: Column) -> Expression:
        """Values in parentheses, or one date."""
        if not self.accept_sign("("):
            if column.kind == "date":
                return Compare(column.name, "=", self.value(column))
            raise self.wrong("after in comes a list", f"{column.name} in (..., ...)")
        values = [self.value(column)]
        while self.accept_sign(","):
            values.append(self.value(column))
        if not self.accept_sign(")"):
            raise self.wrong("the list is not closed", "values are parted by , and end with )")
        return OneOf(column.name, tuple(values))

    def value(self, column: Column) -> Value:
        """A value that fits a column."""
        token = self.token
        if self.ended():
            raise self.wrong(f"a value for {column.name} is missing at the end")
        if column.kind == "text":
            if token.kind != "text":
                raise self.wrong("texts stand in quotes", f'{column.name} ~ "..."')
            return self.take().text
        if column.kind == "date":
            found = None if token.unit or token.kind == "word" else normal_date(token.text)
            if found is None:
                hint = "write 2024, 2024-05, 2024-05-06 or 2024-05-06T07:08"
                raise self.wrong("this is no date", hint)
            self.take()
            return Date(found)
        return self.number(column)

    def number(self, column: Column) -> Fraction:
        """A number with the unit that may follow it."""
        token = self.token
        if token.kind != "number":
            raise self.wrong(f"{column.name} is compared with a number", f"{column.name} > 1")
        if len(token.text) > _DIGITS:
            raise self.wrong(f"a number of more than {_DIGITS} digits")
        self.take()
        value = Fraction(token.text.replace("_", ""))
        if not token.unit:
            return value
        if token.unit.lower() not in column.units:
            fitting = [u for u in UNIT_NAMES if u.lower() in column.units]
            known = f"it may have {', '.join(fitting)}" if fitting else "it has none"
            raise self.wrong(f"{token.unit} is no unit of {column.name}", known, token)
        return value * column.units[token.unit.lower()]


def _unless(negated: bool, column: Column, test: Expression) -> Expression:
    """A test or its opposite; both are false where there is no value."""
    if not negated:
        return test
    return And((Has(column.name), Not(test))) if column.nullable else Not(test)


def _is_after(low: Value, high: Value) -> bool:
    if isinstance(low, Date) and isinstance(high, Date):
        return bounds(low.text)[0] > bounds(high.text)[0]
    return isinstance(low, Fraction) and isinstance(high, Fraction) and low > high
