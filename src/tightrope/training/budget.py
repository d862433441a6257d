"""The budget: how long a run is, in samples or in minutes, and how far it has come.

With a number of samples, progress is seen / total: a resumed run follows the same schedule to the bit. With minutes it is a
straight line through (seen, progress) that is laid anew at every tick from the measured speed, so that the rates reach
their end when the time does; between ticks it depends on `seen` alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Budget:
    """Exactly one of `seen` (samples) and `minutes` (wall time) is set."""

    seen: int | None = None
    minutes: float | None = None
    anchor_seen: int = 0
    anchor_progress: float = 0.0
    slope: float = 0.0  # progress a sample
    over: bool = False  # ended before it was spent

    def progress(self, seen: int) -> float:
        """How much of the run is over, 0 to 1."""
        if self.seen is not None:
            return min(1.0, seen / self.seen)
        return min(1.0, self.anchor_progress + (seen - self.anchor_seen) * self.slope)

    def done(self, seen: int) -> bool:
        return self.over or self.progress(seen) >= 1.0

    def replan(self, seen: int, seconds: float, speed: float) -> None:
        """Lay the line anew: `seconds` of wall time are gone and samples come at `speed` a second."""
        if self.minutes is None:
            return
        left = self.minutes * 60 - seconds
        if left > 0 and speed <= 0:  # nothing was played since the last measurement: the line stays
            return
        progress = self.progress(seen)
        self.anchor_seen, self.anchor_progress = seen, progress
        self.slope = (1 - progress) / max(speed * left, 1e-9) if left > 0 else float("inf")
        if left <= 0:
            self.anchor_progress = 1.0

    def left(self, seen: int, seconds: float, speed: float) -> float | None:
        """Seconds until the end, or None before any speed is known."""
        if self.minutes is not None:
            return max(0.0, self.minutes * 60 - seconds)
        assert self.seen is not None
        return (self.seen - seen) / speed if speed > 0 else None
