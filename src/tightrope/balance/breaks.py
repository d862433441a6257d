"""What a finished run's curves say: where it broke, how sure, what it cost. Pure functions of a history; verdicts of `verdict`.

A metric (FID and its like) tells directly. Losses alone tell less (`loss_breaks`): a loss that became NaN, left its scale,
froze, swings ever wider, or went to nothing. Sentences carry the numbers. `departure` holds the one statistical
procedure; its false alarms are measured in `benchmarks/logs.py`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tightrope.balance.costs import SURE, Array, cost, curve, finite, lasting, say, spent, well
from tightrope.balance.departure import LEAST, WINDOW, Departure, binned, departure
from tightrope.balance.history import History
from tightrope.balance.logs import Clock, Log
from tightrope.balance.loss_breaks import collapsing, exploding, frozen, swinging
from tightrope.balance.verdict import Verdict

TOLERANCE = 0.25  # above its best level a metric is no longer near it: this share of it
EVALUATION = 0.03  # the least noise of a metric, as a share: what another draw of samples gives
SETTLED = 0.03  # above its best level: nothing is gained any more
IDLE = 0.5  # share of the steps without a gain that is worth a word
SETTLING = 8  # values with which that can be told


class Finding(NamedTuple):
    """A verdict with the check and the series that it is of ("loss/D", "metric/fid")."""

    check: str
    series: str
    verdict: Verdict


def examine(log: Log) -> list[Finding]:
    """Every check that applies; the metrics first, the one that the run is judged by before the others."""
    history, clock = log.history, log.clock
    found: list[Finding | None] = []
    for name, better in log.metrics.items():
        found.append(_finding("metric", name, metric_break(history, name, better, clock)))
    for name in [*log.losses, *log.metrics]:
        found.append(_finding("non-finite", name, non_finite(history, name, clock)))
    for name in log.losses:
        for check in (collapsing, exploding, frozen, swinging):
            found.append(_finding(check.__name__, name, check(history, name, clock)))
    return [finding for finding in found if finding is not None]


def _finding(check: str, series: str, verdict: Verdict | None) -> Finding | None:
    return None if verdict is None else Finding(check, series, verdict)


def metric_break(history: History, name: str, better: str, clock: Clock) -> Verdict | None:
    """Whether a metric left its best level for good.

    "diverging": from `since` on it never again came within TOLERANCE of its best level, and chance does not explain that
    (`departure`; SURE). "converged": it stayed there, and gained nothing over the second half. Else "healthy".
    None with fewer than LEAST values.
    """
    seen, values = finite(history, name)
    if len(values) < LEAST:
        return None
    worse = values if better == "lower" else -values
    best = len(worse) - 1 - int(worse[::-1].argmin())  # of equals the last: what came before it was not lost
    moments, levels = binned(seen, values)
    scaled = _worse(levels, better)
    found = departure(scaled, _worse_by(TOLERANCE, better), EVALUATION)
    evidence = {"best": float(values[best]), "best_at": float(seen[best]), "last": float(values[-1]), "noise": found.noise}
    evidence |= {f"{key}_after_best": value for key, value in cost(history, seen[best]).items()}
    told = f"{name.removeprefix('metric/')}: its best was {say(values[best])} at {clock.at(seen[best])}"
    if found.at is not None and found.sure >= SURE and found.high - found.low >= _worse_by(TOLERANCE, better):
        return _broke(history, float(moments[found.at]), found, evidence, told, clock)
    return _held(history, moments, scaled, found, evidence, told, clock)


def _broke(history: History, since: float, found: Departure, evidence: dict[str, float], told: str, clock: Clock) -> Verdict:
    best, last = evidence["best"], evidence["last"]
    times = f", {last / best:.1f} times that" if best > 0 and last > best else ""
    evidence = evidence | {f"{key}_after_break": value for key, value in cost(history, since).items()}
    sentence = (
        f"{told}. From {clock.at(since)} on it never again came within {TOLERANCE:.0%} of that level, and it ended at "
        f"{say(last)}{times}. {spent(cost(history, evidence['best_at']))} came after the best."
    )
    return Verdict(name="diverging", since=int(since), sure=found.sure, evidence=evidence, sentence=sentence)


def _held(
    history: History, moments: Array, scaled: Array, found: Departure, evidence: dict[str, float], told: str, clock: Clock
) -> Verdict:
    told = f"{told}, it ended at {say(evidence['last'])}"
    if found.sure > 0:
        return well(history, 1 - found.sure, evidence, f"{told}; its own noise may do that (sure of a break: {found.sure:.0%}).")
    settled = float(moments[_settled(scaled, found.noise)])
    idle = cost(history, settled)
    if len(scaled) < SETTLING or idle["share"] < IDLE:
        return well(history, 1.0, evidence, f"{told}. No break.")
    evidence = evidence | {f"{key}_settled": value for key, value in idle.items()}
    sentence = f"{told}. No break; {spent(idle)} came after {clock.at(settled)} and gained nothing beyond its noise."
    return Verdict(name="converged", since=int(settled), sure=1.0, evidence=evidence, sentence=sentence)


def non_finite(history: History, name: str, clock: Clock) -> Verdict | None:
    """Whether a series became NaN or infinite: for good since when, or for a while. None where it never was read."""
    seen, values = curve(history, name)
    if not len(values):
        return None
    bad = ~np.isfinite(values)
    evidence = {"values": float(len(values)), "non_finite": float(bad.sum())}
    if not bad.any():
        return well(history, 1.0, evidence, f"{name}: all {len(values):,} values are finite.")
    good = np.flatnonzero(~bad)
    start = int(good[-1]) + 1 if bad[-1] and len(good) else int(bad.argmax())
    since = float(seen[start])
    told = f"{name} became {'NaN' if np.isnan(values[start]) else 'infinite'} at {clock.at(since)}"
    if bad[-1]:
        return lasting(history, since, 1.0, "non-finite", evidence, f"{told} and stayed so.")
    sentence = f"{told}, and was finite again at the end: {int(bad.sum()):,} of {len(values):,} values."
    return Verdict(name="non-finite", since=int(since), sure=1.0, evidence=evidence, sentence=sentence)


def _worse(levels: Array, better: str) -> Array:
    """The metric so that lower is better and a step of 0.25 is a quarter: a distance's logarithm, a score over its best.

    A distance that touches 0 or below (KID may) is taken over its usual size instead.
    """
    if better == "higher":
        return -levels / max(float(np.abs(levels).max()), 1e-12)
    return np.log(levels) if (levels > 0).all() else levels / max(float(np.median(np.abs(levels))), 1e-12)


def _worse_by(share: float, better: str) -> float:
    """That share of a metric's best, on the scale of `_worse`."""
    return math.log(1 + share) if better == "lower" else share / (1 + share)


def _settled(scaled: Array, noise: float) -> int:
    """The first index by which the curve's level had come as low as it ever came, but for SETTLED or half its noise."""
    wide = min(WINDOW, len(scaled))
    levels = np.convolve(scaled, np.ones(wide) / wide, "valid")
    return int((levels <= levels.min() + max(SETTLED, noise / 2)).argmax()) + wide - 1
