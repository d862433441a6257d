"""One number for shapes and trends: the overall score of sdmetrics' quality report, by our own functions.

Axes: n real rows, m generated rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Interval, jackknife
from tightrope.metrics.tables.columns import Coded, Table, coded, joined
from tightrope.metrics.tables.pairs import pair_trends
from tightrope.metrics.tables.shapes import column_shapes

PARTS = 10  # that the jackknife leaves out in turn


class Quality(NamedTuple):
    """Means in [0, 1]; a table of one column has no pairs, and its trends are NaN.

    Attributes:
        shapes: of the columns' scores.
        trends: of the pairs' scores.
        overall: of the two.
    """

    shapes: float
    trends: float
    overall: float


def quality(real: Table, fake: Table, *, shared: bool = False) -> Quality:
    """The means of `column_shapes` and of `pair_trends`, and the mean of both; scores that are NaN are left out.

    Args:
        shared: see `pair_trends`.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    shapes = _mean(column_shapes(a, b).values())
    trends = _mean([pair.score for pair in pair_trends(a, b, shared=shared).values()])
    return Quality(shapes, trends, _mean([shapes, trends]))


def quality_interval(real: Table, fake: Table, *, parts: int = PARTS, seed: int = 0) -> Interval:
    """The overall score with its 95 % interval, by the jackknife: a bootstrap would repeat rows and take that for shape.

    Takes 2 `parts` + 1 times the work of `quality`.

    Raises:
        InputError: fewer rows than parts in either table.
    """
    a, b = coded(real, fake)
    if min(len(a), len(b)) < parts:
        raise InputError(f"quality_interval: {len(a)} and {len(b)} rows do not make {parts} parts each; give more rows.")
    found = jackknife(_overall, _dealt(a, parts, seed), _dealt(b, parts, seed)).plain
    return Interval(found.value, max(found.low, 0.0), min(found.high, 1.0))


def _overall(real: Sequence[Coded], fake: Sequence[Coded]) -> float:
    return quality(joined(real), joined(fake)).overall


def _dealt(table: Coded, parts: int, seed: int) -> list[Coded]:
    order = np.random.default_rng(seed).permutation(len(table))
    return [table.take(rows) for rows in np.array_split(order, parts)]


def _mean(values: Iterable[float]) -> float:
    there = [value for value in values if value == value]  # NaN alone is unlike itself
    return float(np.mean(there)) if there else float("nan")
