"""Do the columns have the right shapes? 1 for equal distributions, 0 for disjoint ones.

Real rows in the place of the generated ones give less than 1: about 1 - .87 sqrt(1/n + 1/m) for a number (the mean of
Kolmogorov's distribution), by which to read a score.

Axes: n real rows, m generated rows.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from tightrope.metrics.tables.columns import Table, coded, missing


def ks_complement(real: Float[np.ndarray, " n"], fake: Float[np.ndarray, " m"]) -> float:
    """1 - sup_x |F_n(x) - G_m(x)| (Kolmogorov 1933, Smirnov 1939), over the values that are there; NaN where there are none."""
    a, b = np.sort(real[~np.isnan(real)]), np.sort(fake[~np.isnan(fake)])
    if not len(a) or not len(b):
        return float("nan")
    at = np.concatenate([a, b])
    apart = np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)
    return float(1 - np.abs(apart).max())


def tv_complement(real: Int[np.ndarray, " n"], fake: Int[np.ndarray, " m"]) -> float:
    """1 - 1/2 sum_k |p_k - q_k|, the total variation of the shares of the codes that are there; NaN where there are none."""
    a, b = real[real > 0], fake[fake > 0]
    if not len(a) or not len(b):
        return float("nan")
    many = int(max(a.max(), b.max())) + 1
    p, q = np.bincount(a, minlength=many) / len(a), np.bincount(b, minlength=many) / len(b)
    return float(1 - np.abs(p - q).sum() / 2)


def missing_similarity(real: Table, fake: Table) -> dict[str, float]:
    """1 - the difference of the shares of missing values, which the shapes leave out, for every column that has some.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    shares = {name: (missing(a, name).mean(), missing(b, name).mean()) for name in a.names}
    return {name: float(1 - abs(p - q)) for name, (p, q) in shares.items() if p or q}


def column_shapes(real: Table, fake: Table) -> dict[str, float]:
    """The score of every column: `ks_complement` of numbers, `tv_complement` of categories.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    return {
        name: ks_complement(a.numbers[name], b.numbers[name])
        if name in a.numbers
        else tv_complement(a.codes[name], b.codes[name])
        for name in a.names
    }
