"""The verdicts on a game, each a pure function of the readings so far. `conclude` gives the most urgent one.

Readings since `since` (progress at the last remedy or rollback) count, so that a verdict is on the game as it is played now.
False alarms of each on healthy runs are counted by `tightrope bench storm`; docs/guardian.md has the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean, median

from tightrope.balance import health
from tightrope.balance.decision import Facts
from tightrope.balance.history import History
from tightrope.balance.verdict import Verdict

RECENT = 4  # readings that are "now"
LEAST = 3  # readings below which nothing is concluded
SURE_LOSS = 0.35  # of D's loss at balance, below which it is sure of what it tells
WHOLE_LEAD = 0.98  # at which it need not be sure
SURE_LEAD, BLIND_LEAD = 0.95, 0.15  # leads at which D tells all apart; at which it hardly can
EXPLODED = 1e4  # a logit or loss beyond this is no longer a game
GROWN = 30.0  # growth of a network's largest singular value
DUPLICATES = 0.3
LOST = 0.7  # of its best reach, below which modes are being dropped
PART, HALF = 0.6, 0.5  # reach that is only a part of the data, at a progress at which that is no longer a beginning
FAITHFUL = 0.3  # samples that lie where the data lies, at least, for dropped modes to be the matter
SHRUNK = 0.85  # spread below which samples crowd
COPIED, BY_HEART = 0.2, 0.7  # authenticity below, D's overfit above
STALL, SLOW = 0.3, 0.6  # of the run without improvement: of a game that has something to show; of one that has not, untargeted
GAIN = 0.05  # of health: what counts as improvement
SWING = 0.5  # of the best health: a fall and a rise of so much, again and again

Check = Callable[[History, Facts, float], Verdict | None]


def conclude(history: History, facts: Facts, bad: str, since: float = -1.0) -> Verdict:
    """The most urgent verdict on the game since `since`.

    Args:
        bad: what was not finite, as a sentence; "" where all was.
    """
    seen = history.now.seen if len(history) else 0
    if bad:
        return Verdict(name="non-finite", since=seen, sure=1.0, evidence={}, sentence=f"{bad}: nothing can be learned from it.")
    for check in CHECKS:
        verdict = check(history, facts, since)
        if verdict is not None:
            return verdict
    return Verdict(name="healthy", since=seen, sure=0.5, evidence={}, sentence="Nothing is wrong that can be seen.")


def _recent(history: History, name: str, since: float) -> list[float]:
    """The latest RECENT values, or [] where there are fewer than LEAST."""
    values = history.series(name, since).values[-RECENT:]
    return values if len(values) >= LEAST else []


def diverging(history: History, facts: Facts, since: float) -> Verdict | None:
    """Logits, losses or weights have left every scale."""
    worst, value = "", 0.0
    for name in sorted({name for reading in history.readings[-RECENT:] for name in reading.values}):
        grown = name.startswith("spectrum/")
        if not grown and name.split("/")[-1] not in ("adversarial", "real", "fake"):
            continue
        values = _recent(history, name, since)
        scale = (min(map(abs, values)) / (GROWN if grown else EXPLODED)) if values else 0.0
        if scale > max(1.0, value):
            worst, value = name, scale
    if not worst:
        return None
    last = history.last(worst) or 0.0
    what = (
        f"the largest singular value of {worst.split('/')[1]} has grown {last:.0f} times"
        if worst.startswith("spectrum/")
        else f"{worst} is at {last:.3g}"
    )
    return Verdict(
        name="diverging", since=_since(history, worst, lambda v: abs(v) > abs(last) / 10, since), sure=0.9,
        evidence={worst: last}, sentence=f"The game runs away: {what}.",
    )  # fmt: skip


def duplicating(history: History, facts: Facts, since: float) -> Verdict | None:
    """G repeats the same few samples."""
    values = _recent(history, "samples/duplicates", since)
    if not values or min(values[-2:]) < DUPLICATES:
        return None
    return Verdict(
        name="duplicating", since=_since(history, "samples/duplicates", lambda v: v >= DUPLICATES, since), sure=0.95,
        evidence={"duplicates": values[-1]},
        sentence=f"G repeats itself: {values[-1]:.0%} of its samples have a near copy among a few hundred.",
    )  # fmt: skip


def mode_dropping(history: History, facts: Facts, since: float) -> Verdict | None:
    """Parts of the data are no longer (or never) reached by samples that otherwise look right."""
    reach, faithful = _recent(history, "samples/reach", since), _recent(history, "samples/faithful", since)
    if not reach or not faithful or median(faithful) < FAITHFUL:
        return None
    best, now = max(history.series("samples/reach", since).values), median(reach[-LEAST:])
    fell = max(reach[-LEAST:]) < LOST * best  # not by the median: it lags behind a reach that grows fast
    never = now < PART and history.now.progress >= HALF and not _rising(history, since, "samples/reach")
    if not fell and not never:
        return None
    was = f"; it was {best:.0%}" if fell else ""
    border = LOST * best if fell else PART
    return Verdict(
        name="mode dropping", since=_since(history, "samples/reach", lambda v: v < border, since), sure=0.9,
        evidence={"reach": now, "best reach": best, "faithful": median(faithful)},
        sentence=f"G makes only a part of the data: samples reach {now:.0%} of it{was}.",
    )  # fmt: skip


def shrinking(history: History, facts: Facts, since: float) -> Verdict | None:
    """Every mode is there, and within each the samples crowd."""
    spread, recall = _recent(history, "samples/spread", since), _recent(history, "samples/recall", since)
    reach = _recent(history, "samples/reach", since)
    if not spread or not recall or not reach:
        return None
    crowded = median(spread) < SHRUNK and median(recall) < 0.3 and median(reach) >= 0.5
    if not crowded:
        return None
    return Verdict(
        name="shrinking", since=_since(history, "samples/spread", lambda v: v < SHRUNK, since), sure=0.8,
        evidence={"spread": median(spread), "recall": median(recall)},
        sentence=f"Samples crowd: two of them are {median(spread):.0%} as far apart as two real ones, "
        f"and only {median(recall):.0%} of the data's variety is reached.",
    )  # fmt: skip


def _at_balance(history: History, facts: Facts) -> float | None:
    """D's loss where it cannot tell: the objective's, or else that of the beginning, while it could not yet; None: not known."""
    known = facts.ideals.get("D")
    if known:
        return known
    first = [reading.values for reading in history.readings[:LEAST]]
    unable = [v["D/adversarial"] for v in first if "D/adversarial" in v and v.get("balance/lead", 1.0) < SURE_LEAD]
    return max(unable) if unable and max(unable) > 0 else None


def d_overpowers(history: History, facts: Facts, since: float) -> Verdict | None:
    """D separates real from generated almost perfectly, and the samples gain nothing by it."""
    lead = _recent(history, "balance/lead", since)
    if not lead or fmean(lead) < SURE_LEAD or _good(history, since) or _rising(history, since):
        return None
    faithful = _recent(history, "samples/faithful", since)  # rises while health is still 0
    if _rising(history, since, "samples/faithful") or (faithful and median(faithful) > 0.5):
        return None
    start = _since(history, "balance/lead", lambda v: v >= SURE_LEAD, since)
    losses, ideal = _recent(history, "D/adversarial", since), _at_balance(history, facts)
    loss = fmean(losses) if losses else None
    if loss is not None and ideal and loss > SURE_LOSS * ideal and fmean(lead) < WHOLE_LEAD:
        return None  # it tells most apart, and is not sure of it: G is still taught
    share = f": its loss is {max(loss, 0.0) / ideal:.0%} of the value at balance" if loss is not None and ideal else ""
    evidence = {"lead": fmean(lead), **({"loss": loss} if loss is not None else {})}
    return Verdict(
        name="D overpowers", since=start, sure=0.85, evidence=evidence,
        sentence=f"D separates real from fake almost perfectly since {start:,} samples{share}; G learns nothing from it.",
    )  # fmt: skip


def g_overpowers(history: History, facts: Facts, since: float) -> Verdict | None:
    """D takes bad samples for real ones, or cannot tell them: G is led by nothing."""
    lead, faithful = _recent(history, "balance/lead", since), _recent(history, "samples/faithful", since)
    if not lead or not faithful or fmean(lead) > BLIND_LEAD or median(faithful) > 0.5 or _good(history, since):
        return None
    if _rising(history, since):
        return None
    start = _since(history, "balance/lead", lambda v: v <= BLIND_LEAD, since)
    return Verdict(
        name="G overpowers", since=start, sure=0.8, evidence={"lead": fmean(lead), "faithful": median(faithful)},
        sentence=f"D cannot tell samples from data since {start:,} samples, and yet only {median(faithful):.0%} of them lie "
        "where data lies: D teaches G nothing.",
    )  # fmt: skip


def oscillating(history: History, facts: Facts, since: float) -> Verdict | None:
    """Samples become good and bad in turns."""
    values = history.series(health.NAME, since).values[-3 * RECENT :]
    best = max(values, default=0.0)
    if len(values) < 2 * RECENT or best < 0.1:
        return None
    turns, low, high, falling = 0, values[0], values[0], False
    for value in values:
        if falling and value > low + SWING * best:
            turns, high, falling = turns + 1, value, False
        elif not falling and value < high - SWING * best:
            turns, low, falling = turns + 1, value, True
        low, high = min(low, value), max(high, value)
    if turns < 3:
        return None
    return Verdict(
        name="oscillating", since=history.series(health.NAME, since).seen[-len(values)], sure=0.7,
        evidence={"swings": float(turns), "best": best},
        sentence=f"The players chase each other: samples became good and bad {turns} times in the last {len(values)} looks.",
    )  # fmt: skip


def stalled(history: History, facts: Facts, since: float) -> Verdict | None:
    """No improvement for a good part of the run, short of what is wanted."""
    level, at, when = health.best(history, since)
    now = history.now.progress
    began = max(0.0, since)
    enough = 1.0 if facts.target else health.FAIR
    waited = now - max(when, began)
    rose = _first_within(history, level - GAIN * max(level, 0.2), since)
    if rose is not None:
        waited = now - max(rose[1], began)
    patience = SLOW if level < 0.1 and not facts.target else STALL
    if level >= enough or waited < patience or not history.series(health.NAME, since).values:
        return None
    return Verdict(
        name="stalled", since=rose[0] if rose else at, sure=0.7, evidence={"health": level, "waited": waited},
        sentence=f"Samples have not become better for {waited:.0%} of the run, at {level / enough:.0%} of what is wanted.",
    )  # fmt: skip


def memorising(history: History, facts: Facts, since: float) -> Verdict | None:
    """D knows its data by heart, or G copies it."""
    overfit, own = _recent(history, "critic/overfit", since), _recent(history, "samples/authenticity", since)
    faithful = _recent(history, "samples/faithful", since)
    if overfit and median(overfit) > BY_HEART:
        start = _since(history, "critic/overfit", lambda v: v > BY_HEART, since)
        return Verdict(
            name="memorising", since=start, sure=0.8, evidence={"overfit": median(overfit)},
            sentence="D knows its data by heart: real samples that it has not seen are for it "
            f"{median(overfit):.0%} of the way to fakes.",
        )  # fmt: skip
    if own and faithful and median(own) < COPIED and median(faithful) > 0.9:
        start = _since(history, "samples/authenticity", lambda v: v < COPIED, since)
        return Verdict(
            name="memorising", since=start, sure=0.7, evidence={"authenticity": median(own)},
            sentence=f"G copies: {1 - median(own):.0%} of its samples are nearer to a real one than real ones are to each other.",
        )  # fmt: skip
    return None


def converged(history: History, facts: Facts, since: float) -> Verdict | None:
    """Good, and no longer getting better."""
    level, _, _ = health.best(history, since)
    enough = 1.0 if facts.target else health.FAIR
    rose = _first_within(history, level - GAIN * max(level, 0.2), since)
    waited = history.now.progress - rose[1] if rose else 0.0
    if rose is None or level < enough or waited < STALL or (health.now(history, since) or 0.0) < 0.8 * level:
        return None
    return Verdict(
        name="converged", since=rose[0], sure=0.8, evidence={"health": level},
        sentence=f"Samples are good and have not become better since {rose[0]:,} samples: more training does not help.",
    )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    diverging, duplicating, mode_dropping, shrinking, d_overpowers, g_overpowers, oscillating, stalled, memorising, converged,
)  # fmt: skip


def _since(history: History, name: str, holds: Callable[[float], bool], since: float) -> int:
    """The clock from which a condition has held without a break until now."""
    seen, _, values = history.series(name, since)
    start = seen[-1] if seen else 0
    for at, value in zip(reversed(seen), reversed(values), strict=True):
        if not holds(value):
            break
        start = at
    return start


def _first_within(history: History, level: float, since: float) -> tuple[int, float] | None:
    """(clock, progress) of the first look at this health or above."""
    seen, progress, values = history.series(health.NAME, since)
    return next(((s, p) for s, p, v in zip(seen, progress, values, strict=True) if v >= level), None)


def _good(history: History, since: float) -> bool:
    return (health.now(history, since) or 0.0) >= 0.8


def _rising(history: History, since: float, name: str = health.NAME) -> bool:
    """Whether the latest looks are better than those before them; said of few looks, and not where nobody looks."""
    values = history.series(name, since).values[-2 * RECENT :]
    if len(values) < 4:
        return bool(values)
    half = len(values) // 2
    return fmean(values[half:]) > fmean(values[:half]) + 0.02
