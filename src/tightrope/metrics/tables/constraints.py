"""How many rows break what must hold? Constraints that are declared, and those that the real table keeps by itself.

A constraint is anything that says which rows of a table break it. A row in which a value is missing breaks none.

Axes: n rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Interval, share_interval
from tightrope.metrics.tables.columns import CATEGORY, NUMBER, Columns

SHOWN = 5  # rows that are named


class Constraint(Protocol):
    """What must hold in every row."""

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        """Which rows break it."""
        ...


@dataclasses.dataclass(frozen=True)
class Between:
    """low <= column <= high."""

    column: str
    low: float = -np.inf
    high: float = np.inf

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        x = number(table, self.column)
        return (x < self.low) | (x > self.high)


@dataclasses.dataclass(frozen=True)
class Ordered:
    """lower <= upper of two columns; strictly, if said so."""

    lower: str
    upper: str
    strict: bool = False

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        a, b = number(table, self.lower), number(table, self.upper)
        return a >= b if self.strict else a > b


@dataclasses.dataclass(frozen=True)
class Unique:
    """No two rows are alike in these columns; of alike ones, all but the first break it."""

    columns: Sequence[str]

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        parts = [_values(table, name) for name in self.columns]
        seen: set[tuple[object, ...]] = set()
        found = np.zeros(len(table), bool)
        for row, key in enumerate(zip(*(part.tolist() for part in parts), strict=True)):
            if any(value is None or value != value for value in key):
                continue
            found[row] = key in seen
            seen.add(key)
        return found


@dataclasses.dataclass(frozen=True)
class Sums:
    """total = the sum of the parts, within a tolerance."""

    total: str
    parts: Sequence[str]
    tolerance: float = 1e-6

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        off = sum((number(table, name) for name in self.parts), -number(table, self.total))
        return np.abs(off) > self.tolerance


@dataclasses.dataclass(frozen=True)
class Whole:
    """The column, times 10 to the power of `decimals`, is an integer."""

    column: str
    decimals: int = 0

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        x = number(table, self.column)
        return np.abs(x - np.round(x, self.decimals)) > 1e-9 * np.maximum(1, np.abs(x))


@dataclasses.dataclass(frozen=True)
class Among:
    """The category is one of these."""

    column: str
    allowed: frozenset[str]

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        values = _values(table, self.column).tolist()
        return np.array([v is not None and v == v and str(v) not in self.allowed for v in values], bool)


class Violations(NamedTuple):
    """Of one constraint.

    Attributes:
        broken: rows that break it.
        share: of all rows.
        rows: the first of them.
    """

    broken: int
    share: Interval
    rows: tuple[int, ...]


def violations(table: Columns, constraints: Mapping[str, Constraint]) -> dict[str, Violations]:
    """For every constraint, by the name it is given, the rows that break it.

    Raises:
        InputError: a constraint of a column that is not there, or of numbers where there are none.
    """
    found = {}
    for name, constraint in constraints.items():
        rows = np.flatnonzero(constraint.broken(table))
        found[name] = Violations(len(rows), share_interval(len(rows), len(table)), tuple(rows[:SHOWN].tolist()))
    return found


def implied(real: Columns) -> dict[str, Constraint]:
    """What every real row keeps: the range and the decimals (up to 4) of numbers, the categories that exist.

    A generator need not keep the range of a sample, but each value outside of it is worth a look.
    """
    found: dict[str, Constraint] = {}
    for name, kind in real.kinds.items():
        if kind == CATEGORY:
            known = frozenset(str(v) for v in _values(real, name).tolist() if v is not None and v == v)
            found[f"{name} is a known category"] = Among(name, known)
            continue
        x = number(real, name)
        x = x[np.isfinite(x)]
        if not len(x):
            continue
        found[f"{x.min():g} <= {name} <= {x.max():g}"] = Between(name, float(x.min()), float(x.max()))
        places = next((d for d in range(5) if not Whole(name, d).broken(real).any()), None)
        if places is not None:
            found[f"{name} has {places} decimals" if places else f"{name} is whole"] = Whole(name, places)
    return found


def number(table: Columns, name: str) -> Float[np.ndarray, " n"]:
    """A column of numbers.

    Raises:
        InputError: there is none of that name.
    """
    if table.kinds.get(name) != NUMBER:
        names = [other for other, kind in table.kinds.items() if kind == NUMBER]
        raise InputError(f"A constraint asks for the numbers of {name!r}; the table's columns of numbers are {names}.")
    return np.asarray(table.values[name], np.float64)


def _values(table: Columns, name: str) -> np.ndarray:
    if name not in table.values:
        raise InputError(f"A constraint asks for the column {name!r}; the table has {list(table.values)}.")
    return np.asarray(table.values[name])
