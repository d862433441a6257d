"""Keys that no two rows share: repeated ones move to free values. Axes: n rows, c columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.columns import Column
from tightrope.data.tables.rules import Unique

ROUNDS = 200
LARGEST = 20_000_000  # values of a key's column that are listed
Table = Float64[np.ndarray, "n c"]
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Keys(Protocol):
    """The keys of one rule that rows have so far, block by block."""

    def repeated(self, values: Table) -> Bool[np.ndarray, " n"]:
        """Rows whose key an earlier row has; a key with a missing part is none."""
        ...

    def spread(self, values: Table) -> None:
        """Move repeated keys, in place, as far as that goes."""
        ...

    def add(self, values: Table) -> None:
        """These rows stay."""
        ...


def keys_of(rule: Unique, columns: Sequence[Column], n: int, pinned: Collection[int] = ()) -> Keys | None:
    """The keys of `n` rows to come; None where nothing can repeat, as identifiers are made anew.

    Args:
        pinned: columns that must not move.

    Raises:
        InputError: there are fewer keys than rows.
    """
    if any(columns[c].type == "identifier" for c in rule.columns):
        return None
    movers = [c for c in rule.columns if c not in pinned]
    most = [_count(columns[c]) for c in movers]
    if np.prod(most) < n:
        raise InputError(
            f"constraint {shown(rule.text)!r}: there are {int(np.prod(most)):,} different keys for {n:,} rows; "
            "ask for fewer rows, or widen low and high in the schema."
        )
    if len(rule.columns) == 1 and movers and most[0] <= LARGEST:
        return _Listed(rule.columns[0], columns[rule.columns[0]])
    return _Hashed(rule.columns, movers, columns)


def repeated(values: Table, rule: Unique, columns: Sequence[Column]) -> Bool[np.ndarray, " n"]:
    """Rows whose key an earlier one of these rows has."""
    if any(columns[c].type == "identifier" for c in rule.columns):
        return np.zeros(len(values), bool)
    return _Hashed(rule.columns, (), columns).repeated(values)


class _Listed:
    """One column whose values can be listed: a repeated one becomes the next that nobody has."""

    def __init__(self, place: int, column: Column) -> None:
        self.place, self.column = place, column
        self.first = column.anchor + np.ceil((column.low - column.anchor) / column.step - 1e-9) * column.step
        self.taken = np.zeros(int(_count(column)), bool)

    def _at(self, values: Table) -> Int64[np.ndarray, " n"]:
        """Places of the values; of a missing one -1."""
        places = np.rint((values[:, self.place] - self.first) / self.column.step)
        return np.nan_to_num(places.clip(0, len(self.taken) - 1), nan=-1).astype(np.int64)

    def repeated(self, values: Table) -> Bool[np.ndarray, " n"]:
        at = self._at(values)
        return (at >= 0) & (_again(at) | self.taken[at])

    def spread(self, values: Table) -> None:
        rows = np.flatnonzero(self.repeated(values))
        if not len(rows):
            return
        at = self._at(values)
        taken = self.taken.copy()
        taken[at[at >= 0]] = True
        free = np.flatnonzero(~taken)
        rows = rows[np.argsort(at[rows], kind="stable")][: len(free)]
        order = np.arange(len(rows))
        near = np.maximum.accumulate(np.searchsorted(free, at[rows]) - order) + order  # each one a place of its own
        near = np.minimum(near, len(free) - len(rows) + order)
        values[rows, self.place] = self.column.settle(self.first + free[near] * self.column.step)

    def add(self, values: Table) -> None:
        at = self._at(values)
        self.taken[at[at >= 0]] = True


class _Hashed:
    """Any columns: keys are kept as 64-bit hashes, eight bytes a row, and repeated ones move by ever more steps."""

    def __init__(self, key: Sequence[int], movers: Sequence[int], columns: Sequence[Column]) -> None:
        self.key, self.columns = list(key), columns
        self.movers = sorted(movers, key=lambda c: -_count(columns[c]))
        self.seen: UInt64[np.ndarray, " n"] = np.empty(0, np.uint64)

    def _hash(self, values: Table) -> UInt64[np.ndarray, " n"]:
        """Two keys are the same by chance once in 2^64: a row then moves for nothing."""
        mixed = np.zeros(len(values), np.uint64)
        with np.errstate(over="ignore"):
            for c in self.key:
                mixed = (mixed ^ (values[:, c] + 0.0).view(np.uint64)) * _MIX  # -0.0 is 0.0
                mixed ^= mixed >> np.uint64(29)
        return mixed

    def repeated(self, values: Table) -> Bool[np.ndarray, " n"]:
        whole = ~np.isnan(values[:, self.key]).any(axis=1)
        mixed = self._hash(values)
        rows = np.zeros(len(values), bool)
        rows[whole] = _again(mixed[whole])
        if len(self.seen):
            near = np.searchsorted(self.seen, mixed).clip(max=len(self.seen) - 1)
            rows |= whole & (self.seen[near] == mixed)
        return rows

    def spread(self, values: Table) -> None:
        for turn in range(1, ROUNDS) if self.movers else ():
            rows = np.flatnonzero(self.repeated(values))
            if not len(rows):
                return
            place = self.movers[turn // 20 % len(self.movers)]  # where the widest column is crowded the next one moves
            column = self.columns[place]
            step = column.step or max((column.high - column.low) * 1e-6, 1e-12)
            steps = np.round((values[rows, place] - column.low) / step)
            steps += (turn + np.arange(len(rows)) % turn) * (-1) ** turn
            around = np.mod(steps, np.floor((column.high - column.low) / step) + 1)
            values[rows, place] = column.settle(column.low + around * step)

    def add(self, values: Table) -> None:
        mixed = np.sort(self._hash(values[~np.isnan(values[:, self.key]).any(axis=1)]))
        self.seen = np.insert(self.seen, np.searchsorted(self.seen, mixed), mixed)


def _again(keys: Int64[np.ndarray, " n"] | UInt64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which keys an earlier one is the same as."""
    order = np.argsort(keys, kind="stable")
    again = np.zeros(len(keys), bool)
    again[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return again


def _count(column: Column) -> float:
    """How many values there are."""
    return np.floor((column.high - column.low) / column.step + 1e-9) + 1 if column.step else np.inf
