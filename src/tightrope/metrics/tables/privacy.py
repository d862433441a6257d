"""Are generated rows those of the training table? Distances to the closest row, near-copies, and an attack on membership.

Each is read against what held-out real rows give in the place of the generated ones: a table of few categories has equal rows
by chance, and rows nearer than those of held-out people are what gives the training table away. No figure here is a proof of
privacy: it finds copies, it does not bound what can be learnt.

Axes: n training rows, h held-out rows, m generated rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Interval, bootstrap, share_interval
from tightrope.metrics.memorisation import FALSE_POSITIVES, Attack, mann_whitney
from tightrope.metrics.tables.columns import Coded, Table, coded
from tightrope.metrics.tables.mixed import nearest_rows

CLOSE = 0.01  # share of the held-out rows that are called near to the training table
SURE = 0.001  # probability of as many near rows by chance, below which they are called copies
RESAMPLES = 200


class Distances(NamedTuple):
    """To the closest training row, by Gower's distance, in [0, 1].

    Attributes:
        fake: of the generated rows.
        held_out: of the held-out ones: the null.
    """

    fake: Float[np.ndarray, " m"]
    held_out: Float[np.ndarray, " h"]


class Closest(NamedTuple):
    """What `closest` finds.

    Attributes:
        median: of the generated rows' distances to the closest training row.
        null: the same of held-out rows.
        ratio: median / null; below 1 generated rows lie nearer than people do who were not in the table.
        low: the 5 % quantile over that of held-out rows, where copies show first; NaN where the latter is 0.
    """

    median: Interval
    null: Interval
    ratio: float
    low: float


class NearCopies(NamedTuple):
    """What `near_copies` finds.

    Attributes:
        share: of the generated rows that are at most `limit` from a training row.
        null: of the held-out rows.
        equal: share of the generated rows that are a training row in every column.
        null_equal: of the held-out rows.
        limit: the distance: the 1 % quantile of the held-out rows' distances.
        p: probability of as many near rows by chance, if generated rows were drawn like held-out ones.
        rows: which generated rows.
    """

    share: Interval
    null: Interval
    equal: float
    null_equal: float
    limit: float
    p: float
    rows: Bool[np.ndarray, " m"]

    @property
    def caught(self) -> bool:
        """Whether more rows are near than chance would have it."""
        return self.p < SURE


def distances(train: Table, held_out: Table, fake: Table) -> Distances:
    """Of each generated and each held-out row to the closest training row.

    Raises:
        InputError: the tables have different columns.
    """
    a, h, f = coded(train, held_out, fake)
    return Distances(*(nearest_rows(a, rows, a).distance[:, 0] for rows in (f, h)))


def closest(train: Table, held_out: Table, fake: Table, *, found: Distances | None = None) -> Closest:
    """Distance to the closest record, beside that of held-out rows.

    Args:
        found: what `distances` gave, if it is at hand.

    Raises:
        InputError: the tables have different columns.
    """
    found = found or distances(train, held_out, fake)
    median, null = (bootstrap(_median, torch.from_numpy(x), resamples=RESAMPLES) for x in found)
    low = [float(np.quantile(x, 0.05)) for x in found]
    return Closest(median, null, _ratio(median.value, null.value), _ratio(*low))


def near_copies(train: Table, held_out: Table, fake: Table, *, found: Distances | None = None) -> NearCopies:
    """Generated rows nearer to a training row than 99 % of the held-out rows are, and whether they are more than 1 %.

    The null counts held-out rows at the same limit, since ties may make them more. p is exact: if all rows were drawn alike, the
    generated rows before the r-th of the held-out ones follow the negative hypergeometric distribution. It is asked at r = 1, for
    the few that lie nearer than anybody else, and at 1 %, for the many; p is twice the smaller one.

    Args:
        found: what `distances` gave, if it is at hand.

    Raises:
        InputError: the tables have different columns.
    """
    found = found or distances(train, held_out, fake)
    limit = float(np.quantile(found.held_out, CLOSE, method="higher"))
    rows = found.fake <= limit
    near, usual = int(rows.sum()), int((found.held_out <= limit).sum())
    m, h = len(rows), len(found.held_out)
    least = float(found.held_out.min())
    first = by_chance(int((found.fake <= least).sum()), m, int((found.held_out <= least).sum()), h)
    return NearCopies(
        share_interval(near, m),
        share_interval(usual, h),
        float((found.fake == 0).mean()),
        float((found.held_out == 0).mean()),
        limit,
        min(1.0, 2 * min(first, by_chance(near, m, usual, h))),
        rows,
    )


def by_chance(near: int, m: int, r: int, h: int) -> float:
    """P(at least `near` of m come before the r-th of h others, all in random order)

    = sum_{x >= near} C(m, x) C(h, N - x) / C(m + h, N),  N = near + r - 1
    """
    drawn = near + r - 1
    terms = [_choose(m, x) + _choose(h, drawn - x) - _choose(m + h, drawn) for x in range(near, min(m, drawn) + 1)]
    return min(1.0, math.fsum(map(math.exp, terms)))


def _choose(n: int, k: int) -> float:
    """ln of the binomial coefficient."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) if 0 <= k <= n else -math.inf


def authentic_rows(train: Table, fake: Table) -> Bool[np.ndarray, " m"]:
    """Which generated rows are farther from their closest training row than that one is from its own closest (Alaa et al. 2022).

    `metrics.memorisation.authentic` by Gower's distance. Fresh real rows give about half; copies are none of them.

    Raises:
        InputError: fewer than 2 training rows; the tables have different columns.
    """
    a, f = coded(train, fake)
    if len(a) < 2:
        raise InputError("authentic_rows: one training row has no neighbour; give at least 2.")
    own = nearest_rows(a, a, a, apart=True).distance[:, 0]
    near = nearest_rows(a, f, a)
    return near.distance[:, 0] > own[near.index[:, 0]]


def membership(train: Table, held_out: Table, fake: Table) -> Attack:
    """How well "a generated row is near" tells training from held-out rows, by Gower's distance; guessing gives 0.5 and 0.01.

    GAN-Leaks' full black box (Chen et al. 2020, section 4.2); the rate at 1 % of false positives is what an attacker can be
    sure of (Carlini et al. 2022, section 3). Held-out rows whose distances tie with the limit count as false positives.

    Raises:
        InputError: the tables have different columns.
    """
    a, h, f = coded(train, held_out, fake)
    member, other = (torch.from_numpy(nearest_rows(a, rows, f).distance[:, 0]) for rows in (a, h))
    limit = other.sort().values[int(FALSE_POSITIVES * len(other))]
    return Attack(mann_whitney(-member, -other).auc, (member < limit).double().mean().item())


def split(table: Table, share: float = 0.5, seed: int = 0) -> tuple[Coded, Coded]:
    """Rows to train on and rows to hold out, at random.

    Raises:
        InputError: a part without a row.
    """
    (whole,) = coded(table)
    first = round(share * len(whole))
    if not 0 < first < len(whole):
        raise InputError(f"split: {share} of {len(whole)} rows leaves a part empty; give more rows or another share.")
    order = np.random.default_rng(seed).permutation(len(whole))
    return whole.take(order[:first]), whole.take(order[first:])


def _median(x: torch.Tensor) -> float:
    return x.median().item()


def _ratio(value: float, null: float) -> float:
    return value / null if null > 0 else math.nan
