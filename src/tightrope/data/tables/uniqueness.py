"""Keys that no two rows share: repeated ones move to the nearest free values. Axes: n rows, c columns, k columns of a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.columns import Column

ROUNDS = 200
LARGEST = 20_000_000  # values of a key's column that are listed
Table = Float64[np.ndarray, "n c"]


def repeated(values: Table, key: Sequence[int], columns: Sequence[Column]) -> Bool[np.ndarray, " n"]:
    """Rows whose key an earlier row has; identifiers are made anew and repeat nothing, and a key with a missing part is none."""
    rows = np.zeros(len(values), bool)
    if any(columns[c].type == "identifier" for c in key):
        return rows
    keys = values[:, list(key)] + 0.0
    whole = np.flatnonzero(~np.isnan(keys).any(axis=1))
    order = np.lexsort(keys[whole].T[::-1])
    same = (np.diff(keys[whole][order], axis=0) == 0).all(axis=1)
    rows[whole[order[1:][same]]] = True
    return rows


def spread(values: Table, key: Sequence[int], columns: Sequence[Column], text: str) -> None:
    """Move repeated keys, in place.

    Raises:
        InputError: there are fewer keys than rows.
    """
    rows = np.flatnonzero(repeated(values, key, columns))
    if not len(rows):
        return
    most = [_count(columns[c]) for c in key]
    if np.prod(most) < len(values):
        raise InputError(
            f"constraint {shown(text)!r}: there are {int(np.prod(most)):,} different keys for {len(values):,} rows; "
            "ask for fewer rows, or widen low and high in the schema."
        )
    mover = key[int(np.argmax(most))]
    if len(key) == 1 and most[0] <= LARGEST:
        values[rows, mover] = _free(values[:, mover], len(rows), columns[mover])
        return
    for turn in range(1, ROUNDS):
        column = columns[mover]
        step = column.step or max((column.high - column.low) * 1e-6, 1e-12)
        steps = np.round((values[rows, mover] - column.low) / step) + (turn + np.arange(len(rows)) % turn) * (-1) ** turn
        values[rows, mover] = column.settle(column.low + np.mod(steps, np.floor((column.high - column.low) / step) + 1) * step)
        rows = np.flatnonzero(repeated(values, key, columns))
        if not len(rows):
            return
        if turn % 20 == 0:  # the widest column is crowded for these; let the next one move
            mover = key[(key.index(mover) + 1) % len(key)] if isinstance(key, tuple) else mover


def _count(column: Column) -> float:
    """How many values there are."""
    return np.floor((column.high - column.low) / column.step + 1e-9) + 1 if column.step else np.inf


def _free(taken: Float64[np.ndarray, " n"], n: int, column: Column) -> Float64[np.ndarray, " m"]:
    """`n` values that nobody has, evenly over those there are."""
    first = column.anchor + np.ceil((column.low - column.anchor) / column.step - 1e-9) * column.step
    grid = column.settle(first + np.arange(int(_count(column))) * column.step)
    free = np.setdiff1d(grid, taken)
    return free[np.linspace(0, len(free) - 1, n).round().astype(np.int64)]
