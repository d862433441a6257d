"""Constraints on rows that come block by block, so that they hold over all of them. Axes: n rows of a block, c columns.

`constraints.hold` mends all rows at once and returns as many; here what cannot be mended is let go, and others are drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from tightrope.data.tables.columns import Column
from tightrope.data.tables.constraints import Rule, mend, wrong_rows
from tightrope.data.tables.rules import Linear, Unique
from tightrope.data.tables.uniqueness import keys_of

Table = Float64[np.ndarray, "n c"]


class Keeping:
    """The rules of a table, and the keys that rows have so far.

    Args:
        n: rows that will come.
        pinned: columns that must not move, since their values were asked for.

    Raises:
        InputError: there are fewer keys than rows.
    """

    def __init__(self, rules: Sequence[Rule], columns: Sequence[Column], n: int, pinned: Collection[int] = ()) -> None:
        self.columns, self.pinned = columns, frozenset(pinned)
        self.linear = [part for rule in rules for part in rule.parts if isinstance(part, Linear)]
        unique = [part for rule in rules for part in rule.parts if isinstance(part, Unique)]
        self.keys = [keys for rule in unique if (keys := keys_of(rule, columns, n, self.pinned)) is not None]

    def mend(self, values: Table) -> Bool[np.ndarray, " n"]:
        """Move values, in place, so that the linear rules hold; the rows in which they do."""
        if not self.linear:
            return np.ones(len(values), bool)
        mend(self.linear, values, self.columns, self.pinned)
        return ~wrong_rows(self.linear, values, self.columns)

    def place(self, values: Table) -> Bool[np.ndarray, " n"]:
        """Move repeated keys, in place, to free values; the rows in which all rules hold then, alone and beside each other."""
        if not self.keys:
            return np.ones(len(values), bool)
        for keys in self.keys:
            keys.spread(values)
        fine = ~wrong_rows(self.linear, values, self.columns)
        for keys in self.keys:  # after all of them have moved what they would
            fine &= ~keys.repeated(values)
        return fine

    def add(self, values: Table) -> None:
        """These rows are taken."""
        for keys in self.keys:
            keys.add(values)
