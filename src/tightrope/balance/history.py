"""Readings of a game in the order they were taken: what verdicts are pure functions of.

Names of values are paths: "balance/lead", "loss/D", "grad/G", "samples/coverage" (see `docs/guardian.md` for all of them).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Reading:
    """What was read at one moment.

    Attributes:
        seen: the clock, in real samples shown to D (steps, where a foreign log counts those).
        progress: share of the budget that is used up, 0 to 1; 0 where no budget is known.
        values: numbers by name; one that could not be taken is not there.
    """

    seen: int
    progress: float
    values: Mapping[str, float]

    def to_json(self) -> list[Any]:
        return [self.seen, self.progress, dict(self.values)]

    @classmethod
    def from_json(cls, record: list[Any]) -> Reading:
        return cls(int(record[0]), float(record[1]), {name: float(value) for name, value in record[2].items()})


class Series(NamedTuple):
    """One value over time, where it was read and finite."""

    seen: list[int]
    progress: list[float]
    values: list[float]


class History:
    """Readings, oldest first. Memory is bounded: beyond `MOST` every other reading of the older half goes."""

    MOST = 600

    def __init__(self, readings: Iterable[Reading] = ()) -> None:
        self.readings = list(readings)

    def add(self, reading: Reading) -> None:
        self.readings.append(reading)
        if len(self.readings) > self.MOST:
            half = self.MOST // 2
            self.readings = self.readings[:half:2] + self.readings[half:]

    def __len__(self) -> int:
        return len(self.readings)

    @property
    def now(self) -> Reading:
        """The newest reading."""
        return self.readings[-1]

    def series(self, name: str, since: float = -1.0) -> Series:
        """The finite values of one name at readings with progress >= `since`."""
        found = [
            (r.seen, r.progress, r.values[name])
            for r in self.readings
            if r.progress >= since and name in r.values and math.isfinite(r.values[name])
        ]
        return Series(*(list(column) for column in zip(*found, strict=True))) if found else Series([], [], [])

    def last(self, name: str) -> float | None:
        """The newest value of a name, finite or not; None where it was never read."""
        return next((r.values[name] for r in reversed(self.readings) if name in r.values), None)
