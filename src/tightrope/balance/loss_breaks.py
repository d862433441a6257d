"""Where a loss went wrong: nothing of D's (or G's) loss left, off its scale, frozen, swinging ever wider. Pure functions.

Without a metric this is all that a log can tell; `FACTOR` is generous, for losses move a lot in healthy games.
"""

from __future__ import annotations

import math

import numpy as np

from tightrope.balance.costs import SURE, Array, finite, lasting, say, well
from tightrope.balance.departure import WINDOW, binned, departure
from tightrope.balance.history import History
from tightrope.balance.logs import Clock
from tightrope.balance.verdict import Verdict

FACTOR = 20.0  # a loss that far from its own scale, for good
WIDER = 4.0  # swings that many times as wide as in the first half
LEAST_READINGS = 20  # with which a loss can be judged
BINS = 100
SWING_BINS = 40
IN_BIN = 5  # readings of a bin whose spread is a swing
FROZEN = (10, 0.05)  # readings, share of them, that do not move at all
STILL = 1e-6  # of their size
NOISE = 0.05  # the least noise of a loss's logarithm
NEGATIVE = 0.01  # share of negative values that makes a loss a critic's score
LARGEST_IDEAL = math.log(4)  # D's loss where it cannot tell real from fake, of the usual objectives


def collapsing(history: History, name: str, clock: Clock) -> Verdict | None:
    """Whether a loss went to nothing: for good below 1 / FACTOR of what it was in the first fifth of the run, or in its
    first readings (of log 4 at most there). D's: "D overpowers", G's: "G overpowers". None for losses that are negative now and
    then (a Wasserstein critic's say nothing by being near 0) and for fewer than LEAST_READINGS."""
    seen, values = finite(history, name)
    if len(values) < LEAST_READINGS or (values < 0).mean() > NEGATIVE:
        return None
    moments, levels = binned(seen, values, BINS)
    early = levels[: max(len(levels) // 5, WINDOW)]
    usual = max(float(np.quantile(early, 0.75)), min(float(values[:WINDOW].max()), LARGEST_IDEAL))
    if usual <= 0:
        return None
    fallen = -np.log(np.clip(levels / usual, 1e-6, 1.0))
    found = departure(np.concatenate([np.zeros(WINDOW), fallen]), math.log(FACTOR), NOISE)  # the usual level stands before it
    last = float(levels[-WINDOW:].mean())
    if found.began is None or found.sure < SURE:
        sentence = f"{name} is {say(last)} at the end, {say(usual)} early in the run: it did not go to nothing."
        return well(history, 1 - found.sure, {"usual": usual, "last": last}, sentence)
    since = float(moments[max(found.began - WINDOW, 0)])
    winner = "D" if name.startswith("loss/D") else "G"
    means = "it tells every fake, G learns nothing from it" if winner == "D" else "D is fooled by everything and teaches nothing"
    sentence = f"{name} went to nothing at {clock.at(since)} (from {say(usual)} to {say(last)}): {means}."
    return lasting(history, since, found.sure, f"{winner} overpowers", {"usual": usual, "last": last}, sentence)


def exploding(history: History, name: str, clock: Clock) -> Verdict | None:
    """Whether a loss left its scale: for good above FACTOR times the largest of the first fifth of the run.

    None with fewer than LEAST_READINGS. A critic's loss that grows steadily from the start is not called so.
    """
    seen, values = finite(history, name)
    if len(values) < LEAST_READINGS:
        return None
    moments, levels = binned(seen, np.abs(values), BINS)
    usual = float(levels[: max(len(levels) // 5, WINDOW)].max())
    last = float(levels[-WINDOW:].mean())
    if usual <= 0:
        return None
    found = departure(np.log(np.maximum(levels / usual, 1.0)), math.log(FACTOR), NOISE)
    evidence = {"usual": usual, "last": last}
    if found.began is None or found.sure < SURE:
        sentence = f"{name} kept its scale: at most {say(usual)} early in the run, {say(last)} at the end."
        return well(history, 1 - found.sure, evidence, sentence)
    since = float(moments[found.began])
    sentence = f"{name} exploded at {clock.at(since)}: at most {say(usual)} early in the run, {say(last)} at the end."
    return lasting(history, since, found.sure, "diverging", evidence, sentence)


def frozen(history: History, name: str, clock: Clock) -> Verdict | None:
    """Whether a loss stopped moving: the same number to STILL, for the last FROZEN readings at least. None below that."""
    seen, values = finite(history, name)
    if len(values) < max(FROZEN[0], LEAST_READINGS):
        return None
    back = values[::-1]
    spread = np.maximum.accumulate(back) - np.minimum.accumulate(back)
    still = int((spread <= STILL * abs(values[-1])).sum())
    if still < max(FROZEN[0], FROZEN[1] * len(values)):
        sentence = f"{name} moves to the end."
        return well(history, 1.0, {"still": float(still)}, sentence)
    since = float(seen[len(values) - still])
    sentence = (
        f"{name} is {say(values[-1])} in every one of the last {still:,} readings, since {clock.at(since)}: nothing learns."
    )
    return lasting(history, since, 1.0, "stalled", {"still": float(still), "last": float(values[-1])}, sentence)


def swinging(history: History, name: str, clock: Clock) -> Verdict | None:
    """Whether a loss swings ever wider: for good WIDER times as wide, for its size, as usual in the first half of the run.

    None with fewer than SWING_BINS * IN_BIN readings.
    """
    seen, values = finite(history, name)
    if len(values) < SWING_BINS * IN_BIN:
        return None
    moments, levels = binned(seen, values, SWING_BINS)
    edges = np.linspace(0, len(values), SWING_BINS + 1).round().astype(int)
    spread = np.array([_swing(values[a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True)])
    wide = spread / np.maximum(np.abs(levels) + float(np.median(np.abs(values))), 1e-12)
    usual = float(np.median(wide[: SWING_BINS // 2]))
    if usual <= 0:
        return None
    found = departure(np.log(np.maximum(wide / usual, 1.0)), math.log(WIDER), NOISE)
    times = float(np.median(wide[-WINDOW:])) / usual
    if found.began is None or found.sure < SURE:
        sentence = f"{name} swings {times:.1f} times as wide at the end as usual in the first half."
        return well(history, 1 - found.sure, {"times": times}, sentence)
    since = float(moments[found.began])
    sentence = (
        f"{name} swings ever wider since {clock.at(since)}: {times:.1f} times as wide at the end as usual in the first half."
    )
    return lasting(history, since, found.sure, "oscillating", {"times": times}, sentence)


def _swing(values: Array) -> float:
    """Standard deviation around a straight line."""
    at = np.linspace(-1, 1, len(values))
    slope = float(at @ values) / max(float(at @ at), 1e-12)
    return float((values - values.mean() - slope * at).std())
