"""Schedules: pure functions of progress (0 at the start of a run, 1 at its end) or of seen samples."""

from __future__ import annotations

import math


def cosine(first: float, last: float, progress: float) -> float:
    """From `first` to `last` along half a cosine; constant after progress 1 (Loshchilov & Hutter 2017, equation 5)."""
    return last + (first - last) * (1 + math.cos(math.pi * _within(progress))) / 2


def linear(first: float, last: float, progress: float, start: float = 0.0) -> float:
    """`first` until `start`, then straight to `last` at 1 (WGAN-GP's rate to 0; CycleGAN's, constant for the first half)."""
    return first + (last - first) * _within((progress - start) / (1 - start))


def exponential(first: float, last: float, progress: float) -> float:
    """From `first` to `last` by equal ratios (both above 0)."""
    return first * (last / first) ** _within(progress)


def halving(first: float, half_life: float, seen: float) -> float:
    """`first` halved every `half_life` samples."""
    return first * 0.5 ** (seen / half_life)


def warm_up(now: float, over: float) -> float:
    """From 0 to 1 over the first `over` samples (or share of the run), then 1. A factor for any of the others."""
    return _within(now / over) if over > 0 else 1.0


def _within(progress: float) -> float:
    return min(max(progress, 0.0), 1.0)
