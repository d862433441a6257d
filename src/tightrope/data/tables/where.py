"""Conditions that rows are asked to meet.

    income=>50K                a value, as the file writes it; outer spaces and small or capital letters do not matter
    age=39   date=2014-10-13   of a number or a date: any value that the column can have
    workclass=missing          a cell that says nothing
    age>=50   age<60   grade!=low   comparisons (the first two need a column with an order)

A missing cell is not greater or smaller than anything, and != lets it through. Axes: n rows, c columns.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.columns import Column, Levels, Values
from tightrope.data.tables.formats import DATES, Date
from tightrope.data.tables.schema import near
from tightrope.data.tables.stores import cell

SIGNS = ("<=", ">=", "!=", "==", "=", "<", ">")
MISSING = "missing"
Asked = str | Sequence[str] | Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition on one column.

    Attributes:
        text: as it is said.
        place: of the column among the table's.
        sign: one of SIGNS, "==" apart.
        level: that it names, -1 where it is none of the column's own.
        value: that it names; NaN where the level has none.
    """

    text: str
    place: int
    sign: str
    level: int
    value: float

    def holds(self, levels: Levels, values: Values) -> Bool[np.ndarray, " n"]:
        """Of cells of its column."""
        if self.sign in ("=", "!="):
            same = values == self.value if self.value == self.value else np.isnan(values) & (levels == self.level)
            return same if self.sign == "=" else ~same
        compared = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
        return np.asarray(compared[self.sign](values, self.value))


def conditions(asked: Asked | None, columns: Sequence[Column]) -> tuple[Condition, ...]:
    """Conditions as they are said: `COLUMN=VALUE` and comparisons, or a mapping of columns to values.

    Raises:
        InputError: no such column or value, a comparison where there is no order, two that exclude each other.
    """
    if isinstance(asked, Mapping):
        found = [_of(_place(str(name), columns, str(name)), _written(value), columns) for name, value in asked.items()]
    else:
        texts = [asked] if isinstance(asked, str) else asked or ()
        found = [_parsed(text, columns) for text in texts]
    _require_together(found)
    return tuple(found)


def _require_together(found: Sequence[Condition]) -> None:
    """Raise InputError where a value that is asked for does not meet another condition on its column."""
    fixed = {one.place: one for one in reversed(found) if one.sign == "="}
    for one in found:
        it = fixed.get(one.place, one)
        if it is not one and not one.holds(np.asarray([it.level]), np.asarray([it.value])).all():
            raise InputError(f"{it.text!r} and {one.text!r}: no row can be both; leave one of them out, or give each its count.")


def _written(value: Any) -> str:
    """A value of Python as a cell; what says nothing as "missing"."""
    text = cell(value.item() if isinstance(value, np.generic) else value)
    return text if text else MISSING


def _parsed(text: str, columns: Sequence[Column]) -> Condition:
    for name in sorted((column.name for column in columns), key=len, reverse=True):
        rest = text.lstrip()[len(name) :].lstrip()
        if text.lstrip().startswith(name) and rest.startswith(SIGNS):
            return _of(_place(name, columns, text), rest, columns, signed=True)
    name = text
    for sign in SIGNS:
        name = name.partition(sign)[0]
    if name == text:
        raise InputError(f"condition {shown(text)!r}: write COLUMN=VALUE, like 'income=>50K', or a comparison, like 'age>=50'.")
    _place(name.strip(), columns, text)
    raise AssertionError(text)  # a name that is there was found above


def _place(name: str, columns: Sequence[Column], text: str) -> int:
    names = [column.name for column in columns]
    if name not in names:
        raise InputError(f"condition {shown(text)!r}: there is no column {shown(name)!r}; {near(name, names)}")
    place = names.index(name)
    if not columns[place].learned:
        raise InputError(
            f"condition {shown(text)!r}: column {shown(name)!r} is not learned ({columns[place].type}), so no value can be asked."
        )
    return place


def _of(place: int, rest: str, columns: Sequence[Column], signed: bool = False) -> Condition:
    """The condition of a column: `rest` is a value or, after a sign, what it is compared with.

    Without a sign that has to be there, a value goes before: of `income`, ">50K" is one.
    """
    column, sign = columns[place], "="
    if signed or _meant(rest, column) is None:
        said = next((sign for sign in SIGNS if rest.lstrip().startswith(sign)), None)
        if said is not None:
            rest, sign = rest.lstrip()[len(said) :], "=" if said == "==" else said
    text = f"{column.name}{sign}{rest.strip()}"
    meant = _meant(rest, column)
    if meant is None and _meant(sign + rest, column) is not None:
        raise InputError(
            f"condition {shown(text)!r}: {sign + rest!r} is a value of it; write '{shown(column.name)}={sign}{rest}'."
        )
    if sign not in ("=", "!=") and not column.ordered:
        raise InputError(f"condition {shown(text)!r}: column {shown(column.name)!r} ({column.type}) has no order; use = or !=.")
    if meant is None:
        raise InputError(f"condition {shown(text)!r}: {_unknown(rest.strip(), column)}")
    level, value = meant
    if sign == "=" and level < 0:
        _require_possible(text, value, column)
    if sign not in ("=", "!=") and value != value:
        raise InputError(f"condition {shown(text)!r}: {rest.strip()!r} has no place in an order; use = or !=.")
    return Condition(text=text, place=place, sign=sign, level=level, value=value)


def _meant(text: str, column: Column) -> tuple[int, float] | None:
    """Level and value that a text stands for; None for nothing of this column."""
    texts = column.texts
    bare = text.strip()
    for quote in ("'", '"'):
        bare = bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] == quote else bare
    for same in (str, str.strip, lambda word: word.strip().lower()):  # the strictest reading first
        wanted = same(text) if same is str else same(bare)
        level = next((level for level, word in enumerate(texts) if same(word) == wanted), None)
        if level is not None:
            return level, column.worth[level]
    if bare.lower() == MISSING and column.missing is not None:
        return len(texts) - 1, np.nan
    if column.form is None:
        return None
    value = _number(bare, column)
    if value != value:
        return None
    value = float(column.settle(np.asarray([value]))[0]) if _close(value, column) else value
    level = next((level for level, own in enumerate(column.worth) if own == value), -1)
    return level, value


def _number(text: str, column: Column) -> float:
    """A number or a date, as the column writes it or as people do; NaN for none."""
    assert column.form is not None
    value = float(column.form.read([text])[0])
    if value != value and isinstance(column.form, Date):
        forms = [Date(format=format) for format in DATES]
        return next((value for form in forms if (value := float(form.read([text])[0])) == value), np.nan)
    try:
        return value if value == value else float(text)
    except ValueError:
        return np.nan


def _close(value: float, column: Column) -> bool:
    """It is one of the column's values but for rounding."""
    return bool(abs(column.settle(np.asarray([value]))[0] - value) <= 1e-9 * max(abs(value), 1e-9))


def _require_possible(text: str, value: float, column: Column) -> None:
    """Raise InputError for a number that the column never writes."""
    assert column.form is not None
    nearest = float(column.settle(np.asarray([value]))[0])
    low, high, near_by = (word.strip() for word in column.form.write(np.asarray([column.low, column.high, nearest])))
    why = ""
    if not column.low <= value <= column.high:
        why = f"the column goes from {low} to {high}; ask within"
    elif not _close(value, column):
        why = f"the column has no such value; the nearest is {near_by}"
    elif column.quantiles is None:
        why = f"the column has no such value; it has {', '.join(word.strip() for word in column.texts[:12])}"
    if why:
        raise InputError(f"condition {shown(text)!r}: {why}.")


def _unknown(word: str, column: Column) -> str:
    """Why a text is no value of a column, and which there are."""
    if word.lower() == MISSING:
        return f"no cell of column {shown(column.name)!r} is missing."
    if column.form is not None:
        return f"{shown(word)!r} is no {'date' if isinstance(column.form, Date) else 'number'} and no value of the column."
    texts = [text.strip() for text in column.texts]
    close = difflib.get_close_matches(word, texts, n=1, cutoff=0.5)
    few = ", ".join(map(shown, texts[:12])) + (" ..." if len(texts) > 12 else ".")
    return f"there is no value {shown(word)!r}; " + (f"did you mean {shown(close[0])!r}?" if close else f"there are {few}")
