"""Which generated rows are training rows again, and whether they lie too near to these to be given away.

Axes: n training rows, m generated ones.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Bool

from tightrope.metrics.tables.columns import Columns, coded
from tightrope.metrics.tables.mixed import nearest_rows
from tightrope.metrics.tables.privacy import SURE as CAUGHT
from tightrope.metrics.tables.privacy import Distances, NearCopies, authentic_rows, near_copies

SURE = 2.58  # standard errors: one table in 200 is refused by chance
TWIN = 0.25  # of the least distance between two real rows: nearer ones are twins


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """What was found of generated rows.

    Attributes:
        near: near copies; the null is of training rows beside the others.
        twins: probability by chance of as many rows that are far nearer than any two training rows are; see `twins`.
        authentic: share of what is left that is farther from its training row than that one from its own nearest.
        authentic_null, tolerance: the same of one half of the training rows beside the other, and how far below it chance goes.
    """

    near: NearCopies
    twins: float
    authentic: float
    authentic_null: float
    tolerance: float

    @property
    def copied(self) -> Bool[np.ndarray, " m"]:
        """Rows that are nearer to a training row than 99 % of training rows are to another one."""
        return self.near.rows

    @property
    def fails(self) -> str:
        """Why nothing may be written, or nothing."""
        if self.near.caught or self.twins < CAUGHT:
            share, null = self.near.share.value, self.near.null.value
            return f"{share:.1%} of the generated rows are near copies of real ones, where chance makes {null:.1%}."
        if self.authentic < self.authentic_null - self.tolerance:
            return (
                f"the generated rows lie too near to the real ones ({self.authentic:.0%} authentic, fresh ones would be "
                f"{self.authentic_null:.0%})."
            )
        return ""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "generated": len(self.copied), "copies_dropped": int(self.copied.sum()), "near": self.near.share.value,
            "near_null": self.near.null.value, "p": min(self.near.p, self.twins), "authentic": self.authentic,
            "authentic_null": self.authentic_null, "refused": self.fails,
        }  # fmt: skip


def audit(real: Columns, made: Columns) -> Audit:
    """Look for training rows among generated ones. What a fresh row would show, each training row beside all others shows."""
    a, f = coded(real, made)
    found = Distances(nearest_rows(a, f, a).distance[:, 0], nearest_rows(a, a, a, apart=True).distance[:, 0])
    near = near_copies(a, a, f, found=found)
    left = f.take(~near.rows)
    order = np.random.default_rng(0).permutation(len(a))
    halves = [a.take(order[: len(a) // 2]), a.take(order[len(a) // 2 :])]
    null = float(np.concatenate([authentic_rows(halves[0], halves[1]), authentic_rows(halves[1], halves[0])]).mean())
    safe = (null * len(a) + 2) / (len(a) + 4)
    error = math.sqrt(safe * (1 - safe) * (1 / len(a) + 1 / max(1, len(left))))
    return Audit(near, twins(found), float(authentic_rows(a, left).mean()) if len(left) else 0.0, null, SURE * error)


def twins(found: Distances) -> float:
    """P(at least as many of m rows at most a quarter of l from a training row), l the least distance between those.

    Of n training rows r are as near to another as l. A share of rows that fell with the distance as slowly as it can where
    numbers vary, in proportion, would be r / (4 n) at a quarter of it; r + 2 stands for r. So a hundred rows tell copies from
    chance, where counting the nearest ones (`privacy.near_copies`) needs thousands. 1 where training rows are equal.
    """
    least, m, n = float(found.held_out.min()), len(found.fake), len(found.held_out)
    many = int((found.fake <= TWIN * least).sum())
    share = TWIN * (int((found.held_out <= least).sum()) + 2) / n
    if not least or not many or share >= 1:
        return 1.0
    ways_of = (math.lgamma(m + 1) - math.lgamma(k + 1) - math.lgamma(m - k + 1) for k in range(many, m + 1))
    logs = (way + k * math.log(share) + (m - k) * math.log1p(-share) for k, way in enumerate(ways_of, many))
    return min(1.0, math.fsum(map(math.exp, logs)))
