"""Whether a noisy curve left its best level and never came back, since when, and how sure that is. Lower is better here.

**The question.** A curve's *low* is the lowest mean of three readings in a row; it *departs* at the first reading from which no
later one comes within a tolerance of that low. Chance alone makes such departures: the lowest of many noisy readings is lucky,
and whatever comes after it looks worse.

**How sure.** The noise is what is left of the curve after the best fit that falls to one point and rises from there (isotonic
regression, both ways); its size is the larger of two robust estimates, its memory the correlation of neighbours. Curves
that never change and carry only such noise (heavy-tailed, Student's t of four degrees, with that memory) go through the very same
search, a thousand times. The share of them with a departure at least as significant is p; `sure` is 1 - p. Flat curves
are taken because they are hard: where a curve still falls, chance departures are rarer. p is nominal: size and memory of the
noise are guessed from few readings, and where noise is large (20 %) and remembers (0.6) alarms at 99 % come on 5 % of
healthy curves instead of 1 %. `benchmarks/logs.py` measures it.

Axes: n readings in order; b simulated curves.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Array = np.ndarray

WINDOW = 3  # readings in a row whose mean is a level
MOST = 200  # readings; longer curves are brought to bins of this many (see `binned`)
LEAST = 4  # readings with which anything can be said
DRAWS = 999
TAILS = 4  # degrees of freedom of the noise
MEDIAN = 0.5238  # median size of such noise over its standard deviation
MEMORY = (0.3, 0.85)  # the least and the largest correlation of neighbours that is believed
SHORTEST = 2  # readings that make a departure
TAME = 10.0  # standard deviations at which one draw of noise is cut


class Departure(NamedTuple):
    """What was found.

    Attributes:
        best: index of the lowest reading.
        at: the first index from which the curve never came near its low again; None where it did to the end.
        began: the first index from which the curve, on its way to `at`, was above its usual level before it; None as `at`.
        low, high: the low, and the mean of the readings from `at` on (of the last WINDOW where `at` is None).
        noise: standard deviation of the noise, in the curve's units.
        sure: 0 to 1; 0 where `at` is None.
    """

    best: int
    at: int | None
    began: int | None
    low: float
    high: float
    noise: float
    sure: float


def departure(values: Array, tolerance: float, floor: float = 0.0, seed: int = 0) -> Departure:
    """Find where a curve left its low for good.

    Args:
        values: (n,), finite, n >= LEAST, at most MOST of them.
        tolerance: how far above the low a reading still counts as near; two standard deviations of the noise where that is more.
        floor: the least standard deviation of the noise that is believed.
        seed: of the simulated curves.
    """
    values = np.asarray(values, float)
    first = int(_search(values[None], tolerance)[0][0])
    size, memory = noise(values, first)
    size = max(size, floor)
    tolerance = max(tolerance, 2 * size)
    at, low, high, found = (column[0] for column in _search(values[None], tolerance))
    best, n = int(values.argmin()), len(values)
    if n - at < SHORTEST:
        return Departure(best, None, None, float(low), float(values[-WINDOW:].mean()), size, 0.0)
    flat = size * _draws(n, memory, np.random.default_rng(seed))
    chance = (1 + int((_search(flat, tolerance)[3] >= found).sum())) / (1 + DRAWS)
    usual = np.flatnonzero(values[:at] <= np.median(values[:at]) + 2 * size)
    return Departure(best, int(at), int(usual[-1]) + 1, float(low), float(high), size, 1 - chance)


def noise(values: Array, at: int) -> tuple[float, float]:
    """(standard deviation, correlation of neighbours) of the noise of a curve that may jump at index `at`.

    The size is the larger of what is left after the best valley-shaped fit and of the curve's bends, those across the
    jump left out. Both are medians: one wild reading does not count as noise.
    """
    left, n = values - valley(values), len(values)
    bends = np.concatenate([np.diff(values[:at], 2), np.diff(values[at:], 2)]) / math.sqrt(6)
    size = max(float(np.median(np.abs(part))) if len(part) else 0.0 for part in (left, bends)) / MEDIAN
    spread = float(left @ left)
    memory = float(left[1:] @ left[:-1]) / spread if spread > 0 else 0.0
    memory += (1 + 4 * max(memory, 0.0)) / n  # residuals of a fit understate it by about that
    return size, min(max(memory, MEMORY[0]), MEMORY[1])


def valley(values: Array) -> Array:
    """The curve that falls to the middle of the lowest window and rises from there, nearest in squares: (n,)."""
    turn = _lowest(values) + WINDOW // 2
    return np.concatenate([-_rising(-values[:turn]), _rising(values[turn:])])


def binned(clock: Array, values: Array, most: int = MOST) -> tuple[Array, Array]:
    """(the first clock, the median) of at most `most` runs of readings, equally many each."""
    if len(values) <= most:
        return clock, values
    edges = np.linspace(0, len(values), most + 1).round().astype(int)
    return clock[edges[:-1]], np.array([np.median(values[a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True)])


def _lowest(values: Array) -> int:
    """Where the window with the lowest mean begins."""
    wide = min(WINDOW, len(values))
    return int(np.convolve(values, np.ones(wide) / wide, "valid").argmin())


def _rising(values: Array) -> Array:
    """Isotonic regression: neighbours out of order are pooled until none are (Ayer et al. 1955)."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values:
        mean, size = float(value), 1
        while means and means[-1] > mean:
            mean = (means[-1] * sizes[-1] + mean * size) / (sizes[-1] + size)
            size += sizes.pop()
            means.pop()
        means.append(mean)
        sizes.append(size)
    return np.repeat(means, sizes) if means else np.empty(0)


def _search(curves: Array, tolerance: float) -> tuple[Array, Array, Array, Array]:
    """(at, low, high, significance), each (b,), of curves (b, n); significance is in the curve's units, -inf for none."""
    b, n = curves.shape
    wide = min(WINDOW, n)
    sums = np.concatenate([np.zeros((b, 1)), curves.cumsum(1)], 1)
    low = ((sums[:, wide:] - sums[:, :-wide]) / wide).min(1)
    near = curves <= (low + tolerance)[:, None]
    at = n - near[:, ::-1].argmax(1)
    after = np.maximum(n - at, 1)
    high = (sums[:, -1] - sums[np.arange(b), at]) / after
    weight = np.sqrt(after * wide / (after + wide))
    return at, low, high, np.where(n - at >= SHORTEST, (high - low) * weight, -np.inf)


def _draws(n: int, memory: float, random: np.random.Generator) -> Array:
    """(DRAWS, n) of noise with variance 1."""
    fresh = np.clip(random.standard_t(TAILS, (DRAWS, n)) / math.sqrt(TAILS / (TAILS - 2)), -TAME, TAME)
    fresh[:, 1:] *= math.sqrt(1 - memory**2)
    for i in range(1, n):
        fresh[:, i] += memory * fresh[:, i - 1]
    return fresh
