"""What a finished run's curves hold, what came after a moment of it, and how numbers are said in a sentence."""

from __future__ import annotations

import math

import numpy as np

from tightrope.balance.history import History
from tightrope.balance.logs import SECONDS
from tightrope.balance.verdict import Verdict

Array = np.ndarray

SURE = 0.99  # how sure an alarm has to be
HUGE = 1e30  # beyond it a number says no more, and its square is none


def curve(history: History, name: str) -> tuple[Array, Array]:
    """(clock, values) of the readings that have it; NaN and infinities too."""
    there = [(r.seen, r.values[name]) for r in history.readings if name in r.values]
    return np.array([seen for seen, _ in there], float), np.array([value for _, value in there], float)


def finite(history: History, name: str) -> tuple[Array, Array]:
    """`curve` without NaN and infinities; what is beyond HUGE is HUGE."""
    seen, values = curve(history, name)
    keep = np.isfinite(values)
    return seen[keep], values[keep].clip(-HUGE, HUGE)


def cost(history: History, since: float) -> dict[str, float]:
    """What came after a moment: {"share": of all steps, 0 to 1} and, where time is recorded, {"seconds"}."""
    first, last = history.readings[0].seen, history.now.seen
    found = {"share": float(last - since) / max(last - first, 1)}
    seen, spent = curve(history, SECONDS)
    if len(seen) > 1:
        found["seconds"] = float(spent[-1] - np.interp(since, seen, spent))
    return found


def well(history: History, sure: float, evidence: dict[str, float], sentence: str) -> Verdict:
    """A verdict on what is as it should be."""
    return Verdict(name="healthy", since=history.readings[0].seen, sure=sure, evidence=evidence, sentence=sentence)


def lasting(history: History, since: float, sure: float, name: str, evidence: dict[str, float], sentence: str) -> Verdict:
    """A verdict on something that lasted to the end; its cost is added to the evidence and the sentence."""
    after = cost(history, since)
    evidence = evidence | {f"{key}_after_break": value for key, value in after.items()}
    return Verdict(name=name, since=int(since), sure=sure, evidence=evidence, sentence=f"{sentence} {spent(after)} came after.")


def spent(after: dict[str, float]) -> str:
    """82 % of all steps (41 h)."""
    seconds = after.get("seconds", math.nan)
    if not math.isfinite(seconds):
        return f"{after['share']:.0%} of all steps"
    long = f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    return f"{after['share']:.0%} of all steps ({long})"


def say(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.3g}"
