"""The first pass over a table: which cells each column holds and how often, in memory that does not grow with the rows.

Up to `most` different cells a column are counted exactly. Beyond that half of the rows are forgotten, evenly, and every
second row is counted from there on, then every fourth: a column of so many values is a number (its quantiles change little)
or free text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

MOST = 200_000  # different cells of a column
MOST_TOGETHER = 4_000_000  # of all columns


class Tally:
    """Cells of one column, counted.

    Attributes:
        counts: cell -> how often, in the rows that are counted.
        rows: how many rows there were.
        stride: every so many rows one is counted.
        ends: the least and the greatest number seen at all, where rows were not counted; else None.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.counts: Counter[str] = Counter()
        self.rows = 0
        self.stride = 1
        self.ends: tuple[str, str] | None = None

    def add(self, cells: Sequence[str]) -> None:
        """The column's cells in a chunk."""
        skip = -self.rows % self.stride
        self.rows += len(cells)
        self.counts.update(cells[skip :: self.stride] if self.stride > 1 else cells)
        while len(self.counts) > self.most:
            self._halve()
        if self.stride > 1:
            self._look_at_ends(cells)

    def _halve(self) -> None:
        if self.ends is None:
            self._look_at_ends(list(self.counts))
        halves = ((cell, (count + i % 2) // 2) for i, (cell, count) in enumerate(self.counts.items()))
        self.counts = Counter({cell: count for cell, count in halves if count})
        self.stride *= 2

    def _look_at_ends(self, cells: Sequence[str]) -> None:
        """Keep the extremes, as plainly written numbers, so that nothing learned is cut off."""
        known = {cell: value for cell in (*cells, *(self.ends or ())) if (value := _value(cell)) is not None}
        if known:
            self.ends = min(known, key=known.__getitem__), max(known, key=known.__getitem__)

    @property
    def seen(self) -> Counter[str]:
        """The counts, with the extremes among them."""
        return self.counts if self.ends is None else self.counts + Counter(dict.fromkeys(self.ends, 1))


def _value(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if value - value == 0 else None  # neither NaN nor infinite


def tallies(width: int) -> list[Tally]:
    """One for each of so many columns."""
    return [Tally(min(MOST, max(1_000, MOST_TOGETHER // width))) for _ in range(width)]
