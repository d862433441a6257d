"""Where things stand in the tightrope picture: the plot, the rows of verdicts' names above it, the rows of marks below it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tightrope.report.layout import flags
from tightrope.report.story import Story, Stretch

LETTER = 7.8  # px, the mean width of a letter in a verdict's name
BADGE = 23.0  # px from one remedy's mark to the next
LANE = 17.0  # px, a row of verdicts' names


@dataclass(frozen=True)
class Frame:
    """Where things stand, in px: the plot between left and right, `rope` its middle, `reach` from there to a lead of 1."""

    name: str
    width: float
    left: float
    right: float
    names: int  # rows of verdicts' names
    badges: int  # rows of remedies' marks
    reach: float
    health: bool
    end: int
    top: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "top", 30.0 + LANE * self.names)

    @property
    def rope(self) -> float:
        return self.top + self.reach

    @property
    def bottom(self) -> float:
        return self.rope + self.reach

    @property
    def badge_row(self) -> float:
        return self.bottom + 26

    @property
    def strip(self) -> tuple[float, float]:
        """Top and bottom of the health strip."""
        top = self.bottom + (22 + BADGE * self.badges if self.badges else 26)
        return (top, top + 46) if self.health else (top - 14, top - 14)

    @property
    def height(self) -> float:
        return self.strip[1] + 30

    def x(self, seen: float) -> float:
        return self.left + (self.right - self.left) * min(1.0, max(0.0, seen / self.end))

    def y(self, lead: float) -> float:
        return self.rope - self.reach * lead


def frame(told: Story, narrow: bool) -> Frame:
    """The frame of a story: as many rows as its verdicts' names and its remedies need."""
    width, left, right = (360.0, 66.0, 312.0) if narrow else (1092.0, 76.0, 1034.0)
    row = max(1, int((right - left) / BADGE))
    rows = min(math.ceil(len(told.marks) / row), 12)
    plain = Frame("narrow" if narrow else "wide", width, left, right, 0, rows, 92 if narrow else 118, bool(told.health), told.end)
    rows_of_names = 1 + max((lane for _, lane in names(plain, told)), default=-1)
    return Frame(plain.name, width, left, right, rows_of_names, rows, plain.reach, plain.health, told.end)


def names(box: Frame, told: Story) -> list[tuple[Stretch, int]]:
    """(stretch, row) of the bad verdicts that have room for a name: the longest first."""
    ranked = sorted(told.bad, key=lambda s: (s.start - s.end, s.start))
    rows = flags([(box.x(stretch.start), *span(box, stretch)) for stretch in ranked], 8, 3)
    return [(s, row) for s, row in zip(ranked, rows, strict=True) if row is not None]


def span(box: Frame, stretch: Stretch) -> tuple[float, float]:
    """Where a name stands: right of its stretch's beginning, left of it where there is no room."""
    x, width = box.x(stretch.start), 5 + len(stretch.name) * LETTER
    return (x, x + width) if x + width <= box.width - 4 else (x - width, x)
