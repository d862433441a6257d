"""Whether a run with a target will get there, told by its samples alone. Pure functions of the readings since a moment."""

from __future__ import annotations

from statistics import fmean, median

from tightrope.balance import health, verdicts
from tightrope.balance.history import History, Series

ALIVE = 0.12  # reach of samples that have found some of the data
LATE = 0.3  # of the run, before which samples that reach some of the data are enough
NEAR, WAVERS = 0.8, 0.6  # health that is near the target; share of the best health above which a good run only wavers
RISEN = 0.3  # health from which a slow rise is believed
RECENTLY, LONG = 6, 16  # looks by which pace is told
RISES = 0.04  # of reach: more than looks at the same samples differ by


def behind(history: History, since: float) -> bool:
    """Whether the target is out of reach at the present pace; what was near it once may waver.

    Samples reach more and more of the data before they become sharp: while they do, and at the beginning as long as they
    reach any of it, the run is given its time. So is one that has something to show and rises, be it slowly.
    """
    looks, (best, _, _) = history.series(health.NAME, since), health.best(history, since)
    near = NEAR if best < NEAR else WAVERS * best
    if len(looks.values) < verdicts.LEAST or max(looks.values[-health.LATEST :]) >= near or reaches_out(history, since):
        return False
    level = health.now(history, since) or 0.0
    pace, *_ = _line(looks, RECENTLY)
    ends = level + max(pace, 0.0) * (1 - history.now.progress)
    if level >= RISEN:  # what a few looks differ by drowns a slow rise
        pace, mean, middle = _line(looks, LONG)
        ends = max(ends, mean + max(pace, 0.0) * (1 - middle))
    return ends < 1.0


def reaches_out(history: History, since: float) -> bool:
    """Whether samples reach more of the data than they did, or, early in the run, any of it."""
    reach = history.series("samples/reach", since).values[-2 * verdicts.RECENT :]
    if not reach:
        return False
    half = len(reach) // 2
    rising = fmean(reach[half:]) > fmean(reach[:half]) + RISES if half >= 2 else reach[-1] > reach[0] + 0.05
    return rising or (history.now.progress < LATE and alive(history, since))


def alive(history: History, since: float) -> bool:
    """Whether samples reach some of the data."""
    reach = history.series("samples/reach", since).values[-3:]
    return bool(reach) and median(reach) >= ALIVE


def _line(looks: Series, most: int) -> tuple[float, float, float]:
    """The line through the two halves of the last looks: health gained in a whole run, and the later half's mean and middle."""
    n = min(most, len(looks.values))
    half = max(1, n // 2)
    mean, middle = fmean(looks.values[-half:]), fmean(looks.progress[-half:])
    gain = mean - fmean(looks.values[-n : -n + half])
    gone = looks.progress[-1] - looks.progress[-n]
    return gain / max(gone * (n - half) / max(n - 1, 1), 1e-9), mean, middle
