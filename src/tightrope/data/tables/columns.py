"""One column of a table as it is learned: how its cells are written, and what values they stand for.

A cell is read as a *level* (a value of its own: a category, a missing cell, a frequent number; -1 where it is none) and a
*value* (of a number itself, of a date its seconds, of a category its place among the categories; NaN where it says nothing).
Axis: n cells.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.formats import Date, Number
from tightrope.data.tables.quantiles import Quantiles

NUMBERS = ("integer", "number", "money", "date")
CATEGORIES = ("category", "ordered", "boolean")
Levels = Int64[np.ndarray, " n"]
Values = Float64[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """What is known of a column; all that is needed to write it again.

    Attributes:
        name: of the column.
        type: one of NUMBERS or CATEGORIES; "constant" (written, not learned), "identifier" (made anew), "text" (left out).
        note: what people should know of it, or "".
        form: how numbers or dates are written.
        texts: the levels as they are written, a missing cell last.
        worth: the value of each level, NaN where it has none.
        counts: of each level in the data.
        missing: cells that say nothing are written so; None where there are none.
        quantiles: of the numbers that are no levels; None where all are.
        modes: intervals that those are cut into.
        low, high: bounds of the values; anchor + k * step are the values there are (step 0: any).
        rows: of the table.
    """

    name: str
    type: str
    note: str = ""
    form: Number | Date | None = None
    texts: tuple[str, ...] = ()
    worth: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    missing: str | None = None
    quantiles: Quantiles | None = None
    modes: int = 0
    low: float = -math.inf
    high: float = math.inf
    anchor: float = 0.0
    step: float = 0.0
    rows: int = 0

    @property
    def learned(self) -> bool:
        return (bool(self.texts) and self.type in NUMBERS + CATEGORIES) or self.quantiles is not None

    @property
    def written(self) -> bool:
        return self.type != "text"

    @property
    def ordered(self) -> bool:
        """Its values can be compared."""
        return self.type in NUMBERS or self.type in ("ordered", "boolean")

    def read(self, cells: Sequence[str], missing: Collection[str]) -> tuple[Levels, Values]:
        """Levels and values of cells.

        Raises:
            InputError: a cell is none of this column's.
        """
        unique = list(dict.fromkeys(cells))
        levels, values = self._numbers(unique) if self.form else self._categories(unique)
        if self.missing is not None:
            nothing = [i for i, cell in enumerate(unique) if cell.strip().lower() in missing]
            levels[nothing], values[nothing] = len(self.texts) - 1, np.nan
        strange = np.flatnonzero((levels < 0) & np.isnan(values))
        if len(strange):
            raise InputError(
                f"column {shown(self.name)!r}: {shown(unique[strange[0]])[:40]!r} is none of its values ({self.type})."
            )
        place = dict(zip(unique, range(len(unique)), strict=True))
        places = np.fromiter(map(place.__getitem__, cells), np.int64, len(cells))
        return levels[places], values[places]

    def _categories(self, cells: list[str]) -> tuple[Levels, Values]:
        known = {text: level for level, text in enumerate(self.texts)}
        levels = np.fromiter((known.get(cell, -1) for cell in cells), np.int64, len(cells))
        return levels, np.where(levels >= 0, np.asarray([*self.worth, np.nan])[levels], np.nan)

    def _numbers(self, cells: list[str]) -> tuple[Levels, Values]:
        assert self.form is not None
        values = self.form.read(cells)
        own = {value: level for level, value in enumerate(self.worth) if value == value}
        words = {text: level for level, (text, value) in enumerate(zip(self.texts, self.worth, strict=True)) if value != value}
        pairs = zip(cells, values.tolist(), strict=True)
        found = (own.get(value, -1) if value == value else words.get(cell, -1) for cell, value in pairs)
        return np.fromiter(found, np.int64, len(cells)), values

    def settle(self, values: Values) -> Values:
        """The nearest values that there are, within the bounds."""
        if self.type not in NUMBERS:
            return values
        if self.step:
            values = self.anchor + np.round((values - self.anchor) / self.step) * self.step
        if isinstance(self.form, Number) and self.form.decimals is not None:
            values = np.round(values, self.form.decimals)
        return np.clip(values, self.low, self.high)

    def write(self, levels: Levels, values: Values) -> list[str]:
        """Cells as the file has them."""
        texts = np.asarray(self.texts or ("",), object)
        if self.form is None:
            return texts[np.where(np.isnan(values), levels, np.nan_to_num(values)).astype(np.int64)].tolist()
        says = ~np.isnan(values)
        cells = np.empty(len(values), object)
        cells[says] = self.form.write(values[says])
        cells[~says] = texts[levels[~says]]
        return cells.tolist()

    def to_json(self) -> dict[str, Any]:
        record = {f.name: v for f in dataclasses.fields(self) if not _empty(v := getattr(self, f.name))}
        record["worth"] = [None if value != value else value for value in self.worth]
        for key in ("low", "high"):
            if math.isinf(record[key]):
                del record[key]
        if self.form is not None:
            record["form"] = dataclasses.asdict(self.form)
        if self.quantiles is not None:
            record["quantiles"] = self.quantiles.to_json()
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Column:
        said: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
        said["worth"] = tuple(math.nan if value is None else value for value in said["worth"])
        if "form" in said:
            said["form"] = (Date if "format" in said["form"] else Number)(**said["form"])
        if "quantiles" in said:
            said["quantiles"] = Quantiles.from_json(said["quantiles"])
        return cls(**said)


def _empty(value: Any) -> bool:
    return value is None or value == ()
