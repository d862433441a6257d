"""The sentences that constraints are written in.

    17 <= age <= 90                  ranges (also < and >, and dates in the column's own format: start >= 01.02.2020)
    start <= end                     inequalities between columns
    total = net + tax - discount     sums; 2 * a as well
    unique(id)   unique(street, number)

A name may hold any character; the longest name that fits counts, and "..." around it says where it ends.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.columns import Column
from tightrope.data.tables.schema import near

_UNIQUE = re.compile(r"unique\s*\((?P<names>.*)\)", re.IGNORECASE)
_COMPARED = re.compile(r"\s*(<=|>=|==|=|<|>)\s*")
_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Linear:
    """The sum of factor * value over columns, plus `constant`, is at most 0 ("<="), below 0 ("<"), or 0 ("=")."""

    text: str
    columns: tuple[int, ...]
    factors: tuple[float, ...]
    constant: float
    sign: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unique:
    """No two rows have the same values in all of these columns."""

    text: str
    columns: tuple[int, ...]


def parse(text: str, columns: Sequence[Column]) -> list[Linear | Unique]:
    """A sentence as rules.

    Raises:
        InputError: a name in it is no column, or it cannot be understood.
    """
    keys = _UNIQUE.fullmatch(text.strip())
    if keys:
        return [Unique(text=text, columns=_keys(text, keys["names"], columns))]
    parts = _COMPARED.split(_masked(text.strip(), columns))
    if len(parts) not in (3, 5) or not all(parts):
        raise _unclear(text)
    sides = [_Side(text, _unmasked(part, columns), columns) for part in parts[::2]]
    marks = parts[1::2]
    if len(marks) == 2 and (marks[0][0] not in "<>" or marks[0][0] != marks[1][0]):
        raise _unclear(text)
    return [_compared(text, *pair) for pair in zip(sides, marks, sides[1:], strict=False)]


def _unclear(text: str) -> InputError:
    return InputError(
        f"constraint {shown(text)!r} is not understood; write one like '17 <= age <= 90', 'start <= end', "
        "'total = net + tax' or 'unique(id)'."
    )


def _longest(columns: Sequence[Column]) -> list[tuple[int, str]]:
    return sorted(enumerate(column.name for column in columns), key=lambda pair: -len(pair[1]))


def _masked(text: str, columns: Sequence[Column]) -> str:
    """Names that hold marks of comparison are hidden while the sentence is cut at those."""
    for place, name in _longest(columns):
        if re.search("[<>=]", name):
            text = text.replace(name, f"\0{place}\0")
    return text


def _unmasked(text: str, columns: Sequence[Column]) -> str:
    return re.sub("\0(\\d+)\0", lambda found: columns[int(found[1])].name, text)


def _keys(text: str, names: str, columns: Sequence[Column]) -> tuple[int, ...]:
    known = {column.name: place for place, column in enumerate(columns)}
    if names.strip() in known:
        return (known[names.strip()],)
    found = [name.strip().strip('"`') for name in names.split(",")]
    for name in found:
        if name not in known:
            raise _absent(text, name, columns)
    for name in found:
        if not columns[known[name]].learned and columns[known[name]].type != "identifier":
            raise InputError(f"constraint {shown(text)!r}: column {shown(name)!r} is not learned ({columns[known[name]].type}).")
    return tuple(known[name] for name in found)


def _absent(text: str, name: str, columns: Sequence[Column]) -> InputError:
    names = [column.name for column in columns]
    return InputError(f"constraint {shown(text)!r}: there is no column {shown(name)!r}; {near(name, names)}.")


class _Side:
    """One side of a comparison: factor of each column, and a number."""

    def __init__(self, text: str, side: str, columns: Sequence[Column]) -> None:
        self.text, self.columns = text, columns
        self.factors: dict[int, float] = {}
        self.constant = 0.0
        self.literal: str | None = None
        sign, rest = 1.0, side.strip()
        while rest:
            rest = self._term(sign, rest)
            if rest:
                if rest[0] not in "+-" or not rest[1:].strip():
                    raise self._strange(rest)
                sign, rest = (1.0 if rest[0] == "+" else -1.0), rest[1:].lstrip()

    def _term(self, sign: float, rest: str) -> str:
        """Read one term; what comes after it."""
        if (found := self._name(rest)) is not None:
            return self._add(sign, *found)
        if rest[0] in "+-" and not self.factors:
            return self._term(-sign if rest[0] == "-" else sign, rest[1:].lstrip())
        number = _NUMBER.match(rest)
        after = rest[number.end() :].lstrip() if number else ""
        if (
            number is None
            or (after and after[0] not in "+-*")
            or (after[:1] == "-" and not self.factors and after[1:2].isdigit())
        ):
            self.literal = rest.strip("\"'`")  # perhaps a date, or a value of an ordered category
            return ""
        if after.startswith("*"):
            found = self._name(after[1:].lstrip())
            if found is None:
                raise self._strange(after[1:].strip())
            return self._add(sign * float(number[0]), *found)
        self.constant += sign * float(number[0])
        return after

    def _name(self, rest: str) -> tuple[int, str] | None:
        """The column that `rest` begins with, and what follows."""
        for place, name in _longest(self.columns):
            for written in (f'"{name}"', f"`{name}`", name):
                after = rest[len(written) :]
                if rest.startswith(written) and not (after[:1].isalnum() or after[:1] == "_"):
                    return place, after.lstrip()
        return None

    def _add(self, factor: float, place: int, rest: str) -> str:
        column = self.columns[place]
        if not column.learned or not column.ordered:
            why = "has no order (order = [...] in the schema gives it one)" if column.learned else "is not learned"
            raise InputError(f"constraint {shown(self.text)!r}: column {shown(column.name)!r} ({column.type}) {why}.")
        self.factors[place] = self.factors.get(place, 0.0) + factor
        return rest

    def _strange(self, rest: str) -> InputError:
        word = re.split(r"\s*[+*]\s*|\s-\s", rest.lstrip("+-* "))[0]
        return _absent(self.text, word, self.columns)

    def meant(self, other: _Side) -> float:
        """The number; of a literal what the other side's only column makes of it."""
        if self.literal is None:
            return self.constant
        if len(other.factors) == 1:
            column = self.columns[next(iter(other.factors))]
            words = [text.strip() for text in column.texts] if column.form is None else []
            value = column.form.read([self.literal])[0] if column.form else math.nan
            if self.literal in words:
                value = column.worth[words.index(self.literal)]
            if value == value:
                return float(value)
        raise self._strange(self.literal)


def _compared(text: str, left: _Side, mark: str, right: _Side) -> Linear:
    """left <= right as left - right <= 0, the columns in the order in which they are named."""
    constant = left.meant(right) - right.meant(left)
    factors = dict(left.factors)
    for place, factor in right.factors.items():
        factors[place] = factors.get(place, 0.0) - factor
    factors = {place: factor for place, factor in factors.items() if factor}
    if not factors:
        raise _unclear(text)
    sign = -1.0 if mark in (">", ">=") else 1.0
    signs = {"<=": "<=", ">=": "<=", "<": "<", ">": "<", "=": "=", "==": "="}
    return Linear(
        text=text,
        columns=tuple(factors),
        factors=tuple(sign * f for f in factors.values()),
        constant=sign * constant,
        sign=signs[mark],
    )
