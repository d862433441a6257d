"""What the figures of this room compare: tables as columns, and their categories as codes that all tables share.

A table is its columns by name, numbers as floats with NaN where one is missing, categories as texts with None where one is,
and the kind of each. Times and dates are numbers here (seconds, days); truth values are categories.

Axes: n rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from tightrope.core.errors import InputError

NUMBER, CATEGORY = "number", "category"
MISSING = "(missing)"  # what is shown for a category that is not there; its code is 0


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """A table.

    Attributes:
        values: the columns by name, one length.
        kinds: "number" or "category" of each.

    Raises:
        InputError: no column or no row, another kind, columns of different lengths, numbers that are none.
    """

    values: Mapping[str, Shaped[np.ndarray, " n"]]
    kinds: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.values or set(self.values) != set(self.kinds):
            raise InputError("Columns: values and kinds must name the same columns, at least one.")
        lengths = {len(column) for column in self.values.values()}
        if len(lengths) > 1 or not max(lengths):
            raise InputError(f"Columns: columns of {sorted(lengths)} rows do not make a table; give all one length, at least 1.")
        for name, kind in self.kinds.items():
            if kind not in (NUMBER, CATEGORY):
                raise InputError(f"Columns: {name} is of kind {kind!r}; {NUMBER!r} or {CATEGORY!r} was expected.")
            if kind == NUMBER and np.asarray(self.values[name]).dtype.kind not in "fiub":
                raise InputError(f"Columns: {name} is called a number and is none; give floats, NaN where one is missing.")

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def take(self, rows: Shaped[np.ndarray, " m"]) -> Columns:
        """The rows of these indices, or where a mask holds."""
        return Columns({name: np.asarray(column)[rows] for name, column in self.values.items()}, self.kinds)


@dataclasses.dataclass(frozen=True, eq=False)
class Coded:
    """A table whose categories are codes into `levels`, which other tables share.

    Attributes:
        numbers: NaN where one is missing.
        codes: 0 where the category is missing.
        levels: what the codes of a column stand for, the missing one first.
        names: all columns, in the order of the table.
        rows: how many.
    """

    numbers: Mapping[str, Float[np.ndarray, " n"]]
    codes: Mapping[str, Int[np.ndarray, " n"]]
    levels: Mapping[str, Sequence[str]]
    names: Sequence[str]
    rows: int

    def __len__(self) -> int:
        return self.rows

    def take(self, rows: Shaped[np.ndarray, " m"]) -> Coded:
        """The rows of these indices, or where a mask holds."""
        numbers = {name: column[rows] for name, column in self.numbers.items()}
        codes = {name: column[rows] for name, column in self.codes.items()}
        return dataclasses.replace(self, numbers=numbers, codes=codes, rows=len(np.arange(self.rows)[rows]))

    def without(self, name: str) -> Coded:
        """The table less one column."""
        numbers = {other: column for other, column in self.numbers.items() if other != name}
        codes = {other: column for other, column in self.codes.items() if other != name}
        return dataclasses.replace(self, numbers=numbers, codes=codes, names=[other for other in self.names if other != name])


Table = Columns | Coded


def coded(*tables: Table) -> list[Coded]:
    """The tables with codes that they share; tables that share them already are handed back as they are.

    Raises:
        InputError: the tables have different columns or kinds; coded and other tables together.
    """
    ready = [table for table in tables if isinstance(table, Coded)]
    plain = [table for table in tables if isinstance(table, Columns)]
    if ready and not plain and all(table.levels is ready[0].levels for table in ready):
        return ready
    if ready:
        raise InputError("coded: tables that were coded apart do not compare; code them in one call.")
    first = plain[0]
    for other in plain[1:]:
        if dict(other.kinds) != dict(first.kinds):
            odd = sorted(set(first.kinds.items()) ^ set(other.kinds.items()))[0][0]
            raise InputError(f"coded: the tables differ in the column {odd}; give tables of the same columns and kinds.")
    books: dict[str, dict[str, int]] = {name: {} for name, kind in first.kinds.items() if kind == CATEGORY}
    codes = [{name: _codes(table.values[name], book) for name, book in books.items()} for table in plain]
    levels = {name: [MISSING, *book] for name, book in books.items()}
    return [Coded(_numbers(table), own, levels, list(first.kinds), len(table)) for table, own in zip(plain, codes, strict=True)]


def joined(parts: Iterable[Coded]) -> Coded:
    """Parts that share their codes, one below the other."""
    some = list(parts)
    first = some[0]
    return dataclasses.replace(
        first,
        numbers={name: np.concatenate([part.numbers[name] for part in some]) for name in first.numbers},
        codes={name: np.concatenate([part.codes[name] for part in some]) for name in first.codes},
        rows=sum(map(len, some)),
    )


def missing(table: Coded, name: str) -> Bool[np.ndarray, " n"]:
    """Where the column has no value."""
    return np.isnan(table.numbers[name]) if name in table.numbers else table.codes[name] == 0


def _numbers(table: Columns) -> dict[str, np.ndarray]:
    return {name: np.asarray(table.values[name], np.float64) for name, kind in table.kinds.items() if kind == NUMBER}


def _codes(column: np.ndarray, book: dict[str, int]) -> Int[np.ndarray, " n"]:
    """Codes from 1 in the order of appearance; `book` grows with what it has not seen."""
    found = (
        0 if value is None or value != value else book.setdefault(str(value), len(book) + 1)  # NaN alone is unlike itself
        for value in np.asarray(column).tolist()
    )
    return np.fromiter(found, np.int64, len(column))
