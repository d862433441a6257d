"""Do pairs of columns move together as they should? 1 for equal, by the rules of sdmetrics' "column pair trends" (0.32).

Two numbers are compared by their correlations, two categories by their table of contingency, a number and a category by
that table with the number cut into ten bins. Each table is cut at edges of its own there, which the least and the largest
value decide: a column that is merely stretched loses nothing, and fresh real rows of a normal distribution lose a tenth by
chance. `shared=True` cuts both where the real one is cut, and has neither fault.

Axes: n real rows, m generated rows, c columns, i j categories of two columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tightrope.metrics.tables.columns import Coded, Table, coded

BINS = 10
DENSE = 1 << 22  # cells of a table of contingency that are counted in an array


class Pair(NamedTuple):
    """Two columns.

    Attributes:
        score: in [0, 1]; NaN where a column of numbers is constant.
        real: the correlation of two numbers among the real rows; NaN for other pairs.
        fake: among the generated ones.
    """

    score: float
    real: float = float("nan")
    fake: float = float("nan")


def correlation(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Pearson's r over the rows in which both are there; NaN where one is constant or there are fewer than 2."""
    there = ~(np.isnan(x) | np.isnan(y))
    x, y = x[there], y[there]
    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    x, y = x / np.abs(x).max(), y / np.abs(y).max()  # squares of large numbers stay finite
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1))


def correlation_similarity(real: tuple[np.ndarray, np.ndarray], fake: tuple[np.ndarray, np.ndarray]) -> Pair:
    """1 - |r_real - r_fake| / 2."""
    a, b = correlation(*real), correlation(*fake)
    return Pair(1 - abs(a - b) / 2, a, b)


def contingency_similarity(real: tuple[np.ndarray, np.ndarray], fake: tuple[np.ndarray, np.ndarray]) -> Pair:
    """1 - 1/2 sum_ij |p_ij - q_ij| over the shares of the pairs of codes."""
    wide = int(max(real[1].max(), fake[1].max())) + 1
    a, b = real[0] * wide + real[1], fake[0] * wide + fake[1]
    cells = int(max(a.max(), b.max())) + 1
    if cells > DENSE:
        _, both = np.unique(np.concatenate([a, b]), return_inverse=True)
        a, b, cells = both[: len(a)], both[len(a) :], int(both.max()) + 1
    p, q = np.bincount(a, minlength=cells) / len(a), np.bincount(b, minlength=cells) / len(b)
    return Pair(float(1 - np.abs(p - q).sum() / 2))


def edges(column: Float[np.ndarray, " n"], many: int = BINS) -> Float[np.ndarray, " e"]:
    """The ends of `many` bins of one width over the numbers that are there."""
    there = column[np.isfinite(column)]
    return np.histogram_bin_edges(there if len(there) else np.zeros(1), many)


def binned(column: Float[np.ndarray, " n"], at: Float[np.ndarray, " e"]) -> Int[np.ndarray, " n"]:
    """The bin of every number; what is missing is counted with the largest."""
    return np.digitize(column, at)


def pair_trends(real: Table, fake: Table, *, shared: bool = False) -> dict[tuple[str, str], Pair]:
    """Every pair of columns.

    Args:
        shared: numbers are cut at the real table's edges in both.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    cut_a, cut_b = dict(a.codes), dict(b.codes)
    for name in a.numbers:
        at = edges(a.numbers[name])
        cut_a[name] = binned(a.numbers[name], at)
        cut_b[name] = binned(b.numbers[name], at if shared else edges(b.numbers[name]))
    found = {}
    for x, y in itertools.combinations(a.names, 2):
        if x in a.numbers and y in a.numbers:
            found[x, y] = correlation_similarity((a.numbers[x], a.numbers[y]), (b.numbers[x], b.numbers[y]))
        else:
            found[x, y] = contingency_similarity((cut_a[x], cut_a[y]), (cut_b[x], cut_b[y]))
    return found


def associations(table: Table, names: Sequence[str] | None = None) -> Float[np.ndarray, "c c"]:
    """How strongly each pair of columns is bound: r of two numbers, in [-1, 1]; in [0, 1] Cramér's V of two categories
    (bias-corrected, Bergsma 2013) and the correlation ratio eta of a number by a category (Fisher 1925). NaN where constant.
    """
    (whole,) = coded(table)
    names = whole.names if names is None else names
    many = len(names)
    found = np.full((many, many), np.nan)
    for i, j in itertools.combinations_with_replacement(range(many), 2):
        found[i, j] = found[j, i] = _association(whole, names[i], names[j])
    return found


def _association(table: Coded, x: str, y: str) -> float:
    if x in table.numbers and y in table.numbers:
        return correlation(table.numbers[x], table.numbers[y])
    if x in table.codes and y in table.codes:
        return cramers_v(table.codes[x], table.codes[y])
    number, category = (x, y) if x in table.numbers else (y, x)
    return correlation_ratio(table.numbers[number], table.codes[category])


def cramers_v(x: Int[np.ndarray, " n"], y: Int[np.ndarray, " n"]) -> float:
    """sqrt(phi2 / min(i - 1, j - 1)) with phi2 = max(0, chi2/n - (i-1)(j-1)/(n-1)) and i, j corrected alike (Bergsma 2013)."""
    _, x = np.unique(x, return_inverse=True)
    _, y = np.unique(y, return_inverse=True)
    n, i, j = len(x), int(x.max()) + 1, int(y.max()) + 1
    if min(i, j) < 2:
        return float("nan")
    cell, seen = np.unique(x * j + y, return_counts=True)
    expected = np.bincount(x)[cell // j] * np.bincount(y)[cell % j] / n
    phi2 = (seen**2 / expected).sum() / n - 1  # chi2 / n, as sum seen^2 / expected = chi2 + n
    phi2 = max(0.0, phi2 - (i - 1) * (j - 1) / (n - 1))
    rows, columns = i - (i - 1) ** 2 / (n - 1), j - (j - 1) ** 2 / (n - 1)
    least = min(rows - 1, columns - 1)
    return float(min(1.0, np.sqrt(phi2 / least))) if least > 0 else float("nan")


def correlation_ratio(number: Float[np.ndarray, " n"], category: Int[np.ndarray, " n"]) -> float:
    """sqrt(variance of the categories' means / variance), over the rows in which the number is there."""
    there = ~np.isnan(number)
    number, category = number[there], category[there]
    if len(number) < 2 or number.min() == number.max() or category.min() == category.max():
        return float("nan")
    centred = (number - number.mean()) / np.abs(number - number.mean()).max()
    sizes, sums = np.bincount(category), np.bincount(category, centred)
    between = (sums[sizes > 0] ** 2 / sizes[sizes > 0]).sum()
    return float(np.sqrt(min(1.0, between / (centred @ centred))))
