"""Do rare categories survive? A generator loses them first, and no mean over columns shows it.

Axes: n real rows, m generated rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tightrope.metrics.tables.columns import Table, coded

RARE = 0.01  # of the rows
SEEN = 5  # real rows of a category from which on it is asked for: fewer may be slips of the pen


class Survival(NamedTuple):
    """Rare categories over all columns.

    Attributes:
        survived: share of them that some generated row has; NaN where no category is rare.
        expected: the same of as many rows drawn from the real shares as they were found. Fresh real rows reach less where
            thousands of categories have a few rows each, of which some were there by luck: prefer what held-out rows give.
        mass: how often generated rows have one of them, over how often real rows do; 1 is right.
        lost: the missing ones, the commonest among real rows first: (column, category, real rows, rows expected).
        invented: share of the generated categories' values that no real row has, over all columns.
    """

    survived: float
    expected: float
    mass: float
    lost: tuple[tuple[str, str, int, float], ...]
    invented: float


def rare_survival(real: Table, fake: Table, *, rare: float = RARE, seen: int = SEEN) -> Survival:
    """Categories that at most a share `rare` of the real rows have, and `seen` of them at least.

    A category of share p is among m fresh rows with the probability 1 - (1 - p)^m.

    Raises:
        InputError: the tables have different columns.
    """
    a, b = coded(real, fake)
    lost: list[tuple[str, str, int, float]] = []
    asked, expected, of_real, of_fake, unknown = 0, 0.0, 0, 0, 0
    for name, levels in a.levels.items():
        counts, found = (np.bincount(table.codes[name], minlength=len(levels)) for table in (a, b))
        unknown += int(found[1:][counts[1:] == 0].sum())
        few = np.flatnonzero((counts >= seen) & (counts <= rare * len(a)))
        few = few[few > 0]
        share = counts[few] / len(a)
        asked += len(few)
        expected += float((1 - (1 - share) ** len(b)).sum())
        of_real, of_fake = of_real + int(counts[few].sum()), of_fake + int(found[few].sum())
        lost += [(name, levels[k], int(counts[k]), counts[k] / len(a) * len(b)) for k in few[found[few] == 0]]
    nothing = float("nan")
    return Survival(
        1 - len(lost) / asked if asked else nothing,
        expected / asked if asked else nothing,
        (of_fake / len(b)) / (of_real / len(a)) if of_real else nothing,
        tuple(sorted(lost, key=lambda entry: (-entry[2], entry[0], entry[1]))),
        unknown / (len(b) * len(b.codes)) if b.codes else 0.0,
    )
