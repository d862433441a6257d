"""How far are two rows apart? Gower's distance, and the nearest rows by it, in blocks: memory is bounded whatever n and m.

    d(a, b) = 1/c sum_j d_j,  d_j = min(1, |a_j - b_j| / range_j) of numbers, 1 where categories differ;
    1 where one of the two is missing, 0 where both are (Gower 1971, without weights)

Ranges are the training table's, so that distances of several tables to it compare. Equal rows are at exactly 0.

Axes: n queries, m references, c columns, k neighbours.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.tables.columns import Coded

BLOCK = (512, 4_096)  # queries and references at once: 16 MB of float64
NARROW = 64  # categories of a column up to which a matrix product counts who is alike


class Nearest(NamedTuple):
    """Neighbours in ascending order of distance.

    Attributes:
        distance: in [0, 1].
        index: into the references.
    """

    distance: Float[np.ndarray, "n k"]
    index: Int[np.ndarray, "n k"]  # type: ignore[assignment]  # hides tuple.index, which nobody misses


@dataclasses.dataclass(frozen=True, eq=False)
class _Rows:
    """A table laid out for `_block`: what can be compared all at once, and what column by column.

    Attributes:
        plain: numbers over their range in all rows, without gaps, within [0, 1].
        marks: one-hot categories of narrow columns, float32: counts of matches are exact in it.
        careful: other numbers over their range, NaN where missing.
        codes: of wide columns.
    """

    plain: Tensor
    marks: Tensor
    careful: Tensor
    codes: Tensor

    def part(self, rows: Tensor) -> _Rows:
        return _Rows(self.plain[rows], self.marks[rows], self.careful[rows], self.codes[rows])


def nearest_rows(train: Coded, queries: Coded, references: Coded, k: int = 1, *, apart: bool = False) -> Nearest:
    """The k references nearest to each query.

    Args:
        train: whose ranges make numbers comparable.
        apart: the queries are the references, in the same order, and none is its own neighbour; a duplicate of it is.

    Raises:
        InputError: k below 1 or above the references at hand.
    """
    at_hand = len(references) - apart
    if not 1 <= k <= at_hand:
        raise InputError(
            f"nearest_rows: k is {k} and there are {at_hand} references to choose from; choose k in 1 ... {at_hand}."
        )
    here, there = _laid_out(train, queries, references)
    narrow = len(train.names) - there.plain.shape[1] - there.careful.shape[1] - there.codes.shape[1]
    distance, index = [], []
    for rows in torch.arange(len(queries)).split(BLOCK[0]):
        block = here.part(rows)
        value, place = torch.empty(len(rows), 0, dtype=torch.float64), torch.empty(len(rows), 0, dtype=torch.long)
        for columns in torch.arange(len(references)).split(BLOCK[1]):
            apart_by = _block(block, there.part(columns), narrow)
            if apart:
                apart_by.masked_fill_(rows[:, None] == columns[None], torch.inf)
            value, place = _merged(value, place, apart_by, columns, k)
        distance.append(value / len(train.names))
        index.append(place)
    return Nearest(torch.cat(distance).numpy(), torch.cat(index).numpy())


def _merged(value: Tensor, place: Tensor, fresh: Tensor, columns: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest so far and of a block."""
    closest, where = fresh.topk(min(k, fresh.shape[1]), largest=False)
    value, place = torch.cat([value, closest], 1), torch.cat([place, columns[where]], 1)
    value, order = value.sort(dim=1, stable=True)
    return value[:, :k], place.gather(1, order)[:, :k]


def _block(a: _Rows, b: _Rows, narrow: int) -> Float[Tensor, "n m"]:
    """The sum of the columns' distances; `narrow` columns are in the marks."""
    if a.plain.shape[1]:
        total = torch.cdist(a.plain, b.plain, p=1.0)
    else:
        total = torch.zeros(len(a.plain), len(b.plain), dtype=torch.float64)
    if narrow:
        total += narrow - a.marks @ b.marks.T
    for x, y in zip(a.codes.T, b.codes.T, strict=True):
        total += x[:, None] != y[None]
    for x, y in zip(a.careful.T, b.careful.T, strict=True):
        gap = (x[:, None] - y[None]).abs_().clamp_(max=1.0)
        one = x.isnan()[:, None] != y.isnan()[None]
        total += torch.where(one, 1.0, gap.nan_to_num_(0.0))
    return total


def _laid_out(train: Coded, *tables: Coded) -> list[_Rows]:
    numbers = {name: [_over_range(train.numbers[name], table.numbers[name]) for table in tables] for name in train.numbers}
    # Within [0, 1] no difference needs a limit, and without gaps none needs a question: such columns go all at once.
    easy = [name for name, found in numbers.items() if all(bool(((x >= 0) & (x <= 1)).all()) for x in found)]
    narrow = [name for name in train.codes if len(train.levels[name]) <= NARROW]
    laid = []
    for i, table in enumerate(tables):
        rows = len(table)
        plain = _stacked([numbers[name][i] for name in easy], rows)
        careful = _stacked([numbers[name][i] for name in numbers if name not in easy], rows)
        codes = _stacked([table.codes[name] for name in train.codes if name not in narrow], rows)
        marks = [np.eye(len(train.levels[name]), dtype=np.float32)[table.codes[name]] for name in narrow]
        flat = torch.from_numpy(np.concatenate(marks, 1)) if marks else torch.zeros(rows, 0)
        laid.append(_Rows(plain, flat, careful, codes))
    return laid


def _over_range(known: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(x - least) / range of what `known` holds; of a constant, 0 where equal and 1 away elsewhere."""
    there = known[np.isfinite(known)]
    least, span = (there.min(), np.ptp(there)) if len(there) else (0.0, 0.0)
    if span > 0:
        return np.where(np.isfinite(column), (column - least) / span, np.nan)
    return np.where(np.isnan(column), np.nan, (column != least).astype(np.float64))


def _stacked(columns: list[np.ndarray], rows: int) -> Tensor:
    return torch.from_numpy(np.stack(columns, 1) if columns else np.zeros((rows, 0)))
