"""Rows of another file, encoded as a table's own are: those whose cells its columns can say. Axis: n rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tightrope.data.tables.columns import NUMBERS, Column, Levels, Values
from tightrope.data.tables.dataset import TableDataset


def likewise(table: TableDataset, name: str, values: Mapping[str, np.ndarray]) -> TableDataset:
    """A dataset of these rows, called `name`, without those that have a category or a word the table has not.

    Args:
        values: of each learned column, (n,): numbers (dates in seconds), NaN where a cell says nothing; of categories
            texts, None where a cell says nothing.
    """
    said = [None if coder is None else _said(coder.column, values[coder.column.name]) for coder in table.codec.coders]
    fine = np.ones(len(next(iter(values.values()))), bool)
    for coder, found in zip(table.codec.coders, said, strict=True):
        if coder is not None and found is not None:
            levels, numbers = found
            fine &= (levels >= 0) | (~np.isnan(numbers) if coder.column.quantiles is not None else False)
    kept = (None if found is None else (found[0][fine], found[1][fine]) for found in said)
    return table.with_rows(name, table.codec.lay(kept, int(fine.sum())))


def _said(column: Column, own: np.ndarray) -> tuple[Levels, Values]:
    """Levels (-1 where there is none) and values of a column."""
    nothing = len(column.texts) - 1 if column.missing is not None else -1
    if column.type in NUMBERS:
        known = {value: level for level, value in enumerate(column.worth) if value == value}
        unique, places = np.unique(own, return_inverse=True)
        levels = np.asarray([nothing if value != value else known.get(value, -1) for value in unique.tolist()], np.int64)
        return levels[places], own.astype(np.float64)
    cells = own.tolist()
    texts = dict.fromkeys(cells, -1) | {text: level for level, text in enumerate(column.texts)} | {None: nothing}
    levels = np.fromiter(map(texts.__getitem__, cells), np.int64, len(cells))
    return levels, np.asarray([*column.worth, np.nan])[levels]
