"""Schedules: pure functions of progress (0 at the start of a run, 1 at its end)."""

from __future__ import annotations

import math


def cosine(first: float, last: float, progress: float) -> float:
    """From `first` to `last` along half a cosine; constant after progress 1 (Loshchilov & Hutter 2017, equation 5)."""
    return last + (first - last) * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0))) / 2
