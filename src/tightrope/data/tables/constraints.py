"""Constraints that hold in every row that comes out: rows that break one are mended by the least move, on whole arrays.

A linear rule is met by moving one of its columns onto it: of an inequality the last named first, of a sum the total; if that
column is at its bound, the next sweep moves another. What no sweep mends takes the values of a row that is right. A rule says
nothing of a row in which a value is missing. Axes: n rows, c columns.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.columns import Column
from tightrope.data.tables.rules import Linear, Unique, parse
from tightrope.data.tables.uniqueness import keys_of, repeated

SWEEPS = 12
ROUNDS = 4  # of linear rules and of unique keys after each other
Table = Float64[np.ndarray, "n c"]


class Rule:
    """One sentence of the schema."""

    def __init__(self, text: str, columns: Sequence[Column]) -> None:
        self.text = text
        self.parts = parse(text, columns)

    def broken(self, values: Table, columns: Sequence[Column]) -> Bool[np.ndarray, " n"]:
        """Rows in which it does not hold; of rows with one key all but the first."""
        rows = np.zeros(len(values), bool)
        for part in self.parts:
            rows |= excess(part, values, columns) != 0 if isinstance(part, Linear) else repeated(values, part, columns)
        return rows


def rule_from(text: str, columns: Sequence[Column]) -> Rule:
    return Rule(text, columns)


def excess(rule: Linear, values: Table, columns: Sequence[Column]) -> Float64[np.ndarray, " n"]:
    """By how much each row breaks the rule; 0 where it holds or says nothing."""
    total = values[:, rule.columns] @ np.asarray(rule.factors) + rule.constant
    slack = _slack(rule, values, columns)
    if rule.sign == "<":
        over = np.where(total > -slack, np.maximum(total, slack), 0.0)
    else:
        over = np.where((total if rule.sign == "<=" else np.abs(total)) > slack, total, 0.0)
    return np.nan_to_num(over)


def _slack(rule: Linear, values: Table, columns: Sequence[Column]) -> Float64[np.ndarray, " n"]:
    """What rounding may leave: a billionth of the terms; of a sum also half a step of the coarsest column."""
    rounding = 1e-9 * (1e-3 + np.abs(values[:, rule.columns]) @ np.abs(rule.factors))
    if rule.sign != "=":
        return rounding
    return rounding + max(abs(f) * columns[c].step for c, f in zip(rule.columns, rule.factors, strict=True)) / 2


def hold(values: Table, rules: Sequence[Rule], columns: Sequence[Column]) -> tuple[Table, Int64[np.ndarray, " n"]]:
    """The values, moved so that every rule holds, and which row each was made of (itself but for those that became copies).

    Raises:
        InputError: a rule that cannot be met.
    """
    rows = np.arange(len(values))
    if not rules:
        return values, rows
    linear = [part for rule in rules for part in rule.parts if isinstance(part, Linear)]
    unique = [part for rule in rules for part in rule.parts if isinstance(part, Unique)]
    values = values.copy()
    for _ in range(ROUNDS):
        mend(linear, values, columns)
        wrong, right = _beyond_mending(values, linear, columns)
        values[wrong], rows[wrong] = values[right], rows[right]
        for rule in unique:
            if (keys := keys_of(rule, columns, len(values))) is not None:
                keys.spread(values)
        broken = [rule for rule in rules if rule.broken(values, columns).any()]
        if not broken:
            return values, rows
    raise InputError(
        f"constraint {shown(broken[0].text)!r} cannot be met together with the others in "
        f"{int(broken[0].broken(values, columns).sum()):,} of {len(values):,} rows; take one of them out of the schema."
    )


def mend(rules: Sequence[Linear], values: Table, columns: Sequence[Column], pinned: Collection[int] = ()) -> None:
    """Move values, in place, until the rules hold or nothing helps; `pinned` columns stay where they are."""
    for sweep in range(SWEEPS):
        if not sum(_mend(rule, values, columns, sweep, pinned) for rule in rules):
            break


def _mend(rule: Linear, values: Table, columns: Sequence[Column], sweep: int, pinned: Collection[int]) -> int:
    """Move one column of the rows that break the rule; how many those were."""
    over = excess(rule, values, columns)
    rows = np.flatnonzero(over)
    free = [turn for turn, c in enumerate(rule.columns) if c not in pinned]
    if len(rows) and free:
        turn = sweep % len(free)
        turn = free[turn if rule.sign == "=" else len(free) - 1 - turn]
        place, factor = rule.columns[turn], rule.factors[turn]
        values[rows, place] = _moved(values[rows, place] - over[rows] / factor, columns[place], rule.sign, factor)
    return len(rows)


def _moved(to: Float64[np.ndarray, " n"], column: Column, sign: str, factor: float) -> Float64[np.ndarray, " n"]:
    """The nearest value of the column that is on the right side of `to`."""
    if column.step:
        steps = (to - column.anchor) / column.step
        if sign == "=":
            steps = np.round(steps)
        else:
            near = np.round(steps)
            on = np.abs(steps - near) < 1e-6
            beyond = np.floor(steps) if factor > 0 else np.ceil(steps)
            steps = np.where(on, near, beyond) + (0 if sign == "<=" else np.where(on, -np.sign(factor), 0))
        to = column.anchor + steps * column.step
    elif sign == "<":
        to = to - np.sign(factor) * np.maximum(np.abs(to), 1e-3) * 1e-6
    return np.clip(column.settle(to), column.low, column.high)


def _beyond_mending(
    values: Table, rules: Sequence[Linear], columns: Sequence[Column]
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Rows that are still wrong, and as many that are right."""
    wrong = wrong_rows(rules, values, columns)
    if wrong.all() and len(values):
        worst = max(rules, key=lambda rule: int((excess(rule, values, columns) != 0).sum()))
        raise InputError(f"constraint {shown(worst.text)!r} holds in none of {len(values):,} rows, and none can be mended.")
    right = np.flatnonzero(~wrong)
    lost = np.flatnonzero(wrong)
    return lost, right[np.arange(len(lost)) % max(1, len(right))]


def wrong_rows(rules: Sequence[Linear], values: Table, columns: Sequence[Column]) -> Bool[np.ndarray, " n"]:
    """Rows in which a rule does not hold."""
    wrong = np.zeros(len(values), bool)
    for rule in rules:
        wrong |= excess(rule, values, columns) != 0
    return wrong
