"""Alpha-precision and beta-recall (Alaa et al. 2022): are rows typical, and are all kinds of rows there?

The paper embeds samples with a one-class network trained on the real ones; here the embedding is fixed (standardised numbers and
one-hot categories), so that figures need no training and compare between runs. They do not compare with those of a trained one.
Its third figure, authenticity, is in `privacy`.

Axes: n real rows, m generated rows, d features, q quantiles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.neighbours import nearest, squared_distances
from tightrope.metrics.tables.columns import Coded, Table, coded

BLOCK = 512  # real rows compared with all generated ones at once
QUANTILES = 51
LEVELS = 256  # features of a column of categories
MOST = 5_000  # rows of either table
ROUNDING = 1e-9  # of squared distances


class Fidelity(NamedTuple):
    """Both 1 - 2 times the area between the curve and the diagonal; 1 is best.

    Attributes:
        precision: IP_alpha: whether generated rows fill the balls around the centre of the real ones as real rows do.
        recall: IR_beta: whether real rows are near to the generated rows of each quantile.
        precision_curve: P_alpha at equal steps of alpha.
        recall_curve: R_beta at equal steps of beta.
    """

    precision: float
    recall: float
    precision_curve: Float[np.ndarray, " q"]
    recall_curve: Float[np.ndarray, " q"]


def fidelity(real: Table, fake: Table, *, k: int = 1, most: int = MOST, seed: int = 0) -> Fidelity:
    """P_alpha = share of fakes within r_alpha of the real centre, r_alpha the alpha-quantile of the real rows' distances to it.

    R_beta = share of the real rows i for which the nearest fake within r_beta of the fakes' centre is no farther than the k-th
    real neighbour of i (Alaa et al. 2022). With k = 1 fresh real rows reach .5 at
    beta = 1, and .5 to .6 over all. A larger k lifts their curve above the diagonal, where worse rows would score higher.

    Args:
        k: neighbours.
        most: rows of each table, drawn at random; both are cut to one size, which the balls of k neighbours depend on.

    Raises:
        InputError: different columns, or k rows or fewer in one.
    """
    a, b = coded(real, fake)
    size, draw = min(len(a), len(b), most), np.random.default_rng(seed)
    if size <= k:
        raise InputError(f"fidelity: {size} rows of each have no {k} neighbours; give more rows.")
    a, b = (table.take(draw.permutation(len(table))[:size]) for table in (a, b))
    x, y = embedded(a, a), embedded(a, b)
    steps = torch.linspace(0, 1, QUANTILES, dtype=torch.float64)
    own, other = (torch.linalg.vector_norm(z - x.mean(0), dim=1) for z in (x, y))
    precision = _reached(other, own.quantile(steps))
    around = torch.linalg.vector_norm(y - y.mean(0), dim=1)
    recall = _reached(_innermost(x, y, around, k), around.quantile(steps))
    return Fidelity(_area(precision, steps), _area(recall, steps), precision.numpy(), recall.numpy())


def embedded(train: Coded, table: Coded) -> Float[Tensor, "n d"]:
    """Standardised numbers (the mean where missing, and a mark), and one-hot categories so scaled that two of them are 1 apart.

    Of a column with more than 256 categories the commonest in `train` have a feature each, and the others share one.
    """
    parts = []
    for name in table.names:
        if name in table.numbers:
            known, column = train.numbers[name], table.numbers[name]
            there = known[np.isfinite(known)]
            mean, std = (there.mean(), there.std()) if len(there) else (0.0, 0.0)
            lost = ~np.isfinite(column)
            parts += [np.where(lost, 0.0, (column - mean) / (std or 1.0))[:, None], lost[:, None].astype(np.float64)]
        else:
            counts = np.bincount(train.codes[name], minlength=len(train.levels[name]))
            rank = np.empty(len(counts), np.int64)
            rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
            place = np.minimum(rank[table.codes[name]], LEVELS - 1)
            parts.append(np.eye(min(len(counts), LEVELS))[place] / np.sqrt(2))
    return torch.from_numpy(np.concatenate(parts, 1))


def _innermost(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], around: Float[Tensor, " m"], k: int) -> Float[Tensor, " n"]:
    """How far in the innermost fake lies that is within a real row's k-th neighbour; infinite where none is.

    The nearest fake within r_beta is near enough exactly when some fake within r_beta is.
    """
    reach = nearest(x, x, k, apart=True).distance[:, -1].square() + ROUNDING
    found = []
    for rows in torch.arange(len(x)).split(BLOCK):
        near = squared_distances(x[rows], y) <= reach[rows, None]
        found.append(torch.where(near, around, torch.inf).amin(1))
    return torch.cat(found)


def _reached(values: Float[Tensor, " n"], limits: Float[Tensor, " q"]) -> Float[Tensor, " q"]:
    """Share of the values that are at most each limit."""
    return torch.searchsorted(values.sort().values, limits + ROUNDING, right=True).double() / len(values)


def _area(curve: Float[Tensor, " q"], steps: Float[Tensor, " q"]) -> float:
    return 1 - 2 * torch.trapezoid((curve - steps).abs(), steps).item()
