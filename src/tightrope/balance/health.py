"""How good samples are, as one number: 0 useless, 1 good enough.

Where the user named figures that are good enough, health is the smallest of figure over wish. Elsewhere it is the mean of three
figures of `metrics.online` that are 1 for real data and rise one after the other while a game learns: how much of the data
samples reach, how much of it they cover, and their score.
"""

from __future__ import annotations

from collections.abc import Mapping

from tightrope.balance.history import History

NAME = "balance/health"
OWN = ("samples/reach", "samples/coverage", "samples/score")
MOST = 1.5  # beyond which better is no longer told
LATEST = 2  # looks whose mean is "now"
FAIR = 0.5  # without a wish: what counts as samples worth keeping


def health(values: Mapping[str, float], target: Mapping[str, float]) -> float | None:
    """0 to MOST; None where the samples were not looked at."""
    if target:
        found = [values[f"samples/{name}"] / least for name, least in target.items() if f"samples/{name}" in values]
        return min(MOST, *found) if len(found) == len(target) else None
    own = [min(1.0, values[name]) for name in OWN if name in values]
    return sum(own) / len(own) if own else None


def now(history: History, since: float = -1.0) -> float | None:
    """Mean health of the latest looks after `since` (progress)."""
    found = history.series(NAME, since).values[-LATEST:]
    return sum(found) / len(found) if found else None


def best(history: History, since: float = -1.0) -> tuple[float, int, float]:
    """(best mean of two looks in a row, the clock then, progress then); (0, 0, 0) where there were none."""
    seen, progress, values = history.series(NAME, since)
    means = [(min(a, b) + (a + b) / 2) / 2 for a, b in zip(values[:-1], values[1:], strict=True)] or values
    if not means:
        return 0.0, 0, 0.0
    at = max(range(len(means)), key=means.__getitem__)
    place = at + (len(means) < len(values))
    return means[at], seen[place], progress[place]
