"""What the guardian saw and did in a run, read from its records: lead and health over time, verdicts, remedies.

Plain data, the same for the report's picture (`rope`) and for the console's. Standard library only. Values that were recorded
but are no numbers stay in as NaN, so that curves break there; values that were not recorded are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tightrope.report.records import Record, number, part, ticks, whole
from tightrope.report.words import count, value

GOOD = ("healthy", "converged")  # the verdicts that ask for nothing
WORDS = {"helped": "helped", "undone": "undone", "open": "not yet checked"}  # what came of a remedy
CLOCKED = ("tick", "verdict", "remedy", "checked")
LEAD, HEALTH = "balance/lead", "balance/health"
Point = tuple[int, float]  # (seen, value)


@dataclass(frozen=True)
class Stretch:
    """A verdict and the part of the run, in samples seen, for which it was true. `sure` is 0 to 1, NaN where not told."""

    name: str
    start: int
    end: int
    sure: float
    sentence: str

    @property
    def good(self) -> bool:
        return self.name in GOOD


@dataclass(frozen=True)
class Mark:
    """A remedy: when, what, why, with what hope, and what came of it (`helped` is None while nobody knows)."""

    number: int
    seen: int
    name: str
    reason: str
    expects: str
    turned: str
    back_to: int | None
    check_at: int | None
    helped: bool | None = None
    sentence: str = ""

    @property
    def outcome(self) -> str:
        return {True: "helped", False: "undone", None: "open"}[self.helped]


@dataclass(frozen=True)
class Story:
    """All of it. `fallen` are pieces of the lead's curve that a rollback of the clock gave up; `end` is the last moment known."""

    lead: list[Point]
    health: list[Point]
    fallen: list[list[Point]]
    stretches: list[Stretch]
    marks: list[Mark]
    resumes: list[int]
    end: int
    reason: str

    @property
    def told(self) -> bool:
        """Whether there is anything to show: runs from before the guardian have nothing."""
        return bool(self.lead or self.stretches or self.marks)

    @property
    def bad(self) -> list[Stretch]:
        return [stretch for stretch in self.stretches if not stretch.good]

    @property
    def now(self) -> float:
        """The newest lead that is a number; NaN when there is none."""
        return next((v for _, v in reversed(self.lead) if math.isfinite(v)), math.nan)


def story(events: list[Record]) -> Story:
    """The story that records tell, as `read_events` returns them."""
    kept = ticks(events)
    clocked = [e for e in events if e.get("event") in CLOCKED and math.isfinite(number(e.get("seen")))]
    last: Record = next((e for e in reversed(events) if e.get("event") in ("start", "resume", "end")), {})
    end = max([whole(e["seen"]) for e in clocked] + [whole(last.get("seen")), 1])
    return Story(
        lead=_curve(kept, LEAD, low=-1.0),
        health=_curve(kept, HEALTH, low=0.0),
        fallen=_fallen(clocked),
        stretches=_stretches(clocked, max(whole(e.get("seen")) for e in (*clocked[-1:], last))),
        marks=_marks(clocked),
        resumes=sorted({whole(e.get("seen")) for e in events if e.get("event") == "resume"}),
        end=end,
        reason=str(last.get("reason") or "") if last.get("event") == "end" else "",
    )


def _curve(moments: Iterable[Record], name: str, low: float) -> list[Point]:
    """One signal over time, held between `low` and 1."""
    values = ((whole(tick["seen"]), part(tick, "signals").get(name)) for tick in moments)
    return [(seen, _held(number(v), low)) for seen, v in values if v is not None]


def _held(found: float, low: float) -> float:
    return min(1.0, max(low, found)) if math.isfinite(found) else math.nan


def _fallen(clocked: list[Record]) -> list[list[Point]]:
    """The ticks that later ones replaced, a piece for each time the clock went back, each from the tick it went back to."""
    rising: list[Record] = []
    pieces: list[list[Point]] = []
    for tick in (e for e in clocked if e["event"] == "tick"):
        given_up: list[Record] = []
        while rising and whole(rising[-1]["seen"]) >= whole(tick["seen"]):
            given_up.insert(0, rising.pop())
        if len(given_up) > 1:
            pieces.append(_curve([*rising[-1:], *given_up], LEAD, low=-1.0))
        rising.append(tick)
    return [piece for piece in pieces if piece]


def _stretches(clocked: list[Record], now: int) -> list[Stretch]:
    """Verdicts as stretches that follow each other. One begins where it says, but not before the last one was spoken."""
    found: list[Stretch] = []
    spoken = clock = 0
    for event in clocked:
        seen = whole(event["seen"])
        if found and seen < clock:  # a rollback took the clock back: the verdict holds on from there
            found[-1] = replace(found[-1], end=clock)
            found.append(replace(found[-1], start=seen, end=seen))
            spoken = seen
        clock = seen
        if event["event"] != "verdict":
            continue
        start = min(seen, max(spoken, whole(event["since"]) if "since" in event else seen))
        if found:
            found[-1] = replace(found[-1], end=max(start, found[-1].start))
        found.append(Stretch(_text(event, "name"), start, start, number(event.get("sure")), _text(event, "sentence")))
        spoken = seen
    if found:
        found[-1] = replace(found[-1], end=max(now, found[-1].start))
    return found


def _marks(clocked: list[Record]) -> list[Mark]:
    """Remedies in order, each with the check that followed it: the oldest of its name that is still open."""
    found: list[Mark] = []
    for event in clocked:
        if event["event"] == "remedy":
            found.append(_mark(event, len(found) + 1))
        elif event["event"] == "checked" and isinstance(event.get("helped"), bool):
            at = next((i for i, m in enumerate(found) if m.helped is None and m.name == _text(event, "name")), None)
            if at is not None:
                found[at] = replace(found[at], helped=event["helped"], sentence=_text(event, "sentence"))
    return found


def _mark(event: Record, index: int) -> Mark:
    return Mark(
        number=index,
        seen=whole(event["seen"]),
        name=_text(event, "name"),
        reason=_text(event, "reason"),
        expects=_text(event, "expects"),
        turned=turned(part(event, "turns")),
        back_to=_moment(event.get("back_to")),
        check_at=_moment(event.get("check_at")),
    )


def turned(turns: Record) -> str:
    """What a remedy turned: "lr.D 0.5, penalty 1 → 2". When it began is told elsewhere."""
    turns = {name: _rounded(v) for name, v in turns.items() if name not in ("since", "from_seen")}
    return ", ".join(f"{name} {' → '.join(map(value, v)) if isinstance(v, list) else value(v)}" for name, v in turns.items())


def _rounded(anything: Any) -> Any:
    """Three digits are enough to read."""
    if isinstance(anything, dict):
        return {name: _rounded(inner) for name, inner in anything.items()}
    return float(f"{anything:.3g}") if isinstance(anything, float) else anything


def _moment(anything: Any) -> int | None:
    return whole(anything) if math.isfinite(number(anything)) else None


def _text(event: Record, name: str) -> str:
    return str(event.get(name) or "")


def balanced(told: Story) -> float:
    """The share of the judged part of a run whose verdict was good; NaN when nothing was judged."""
    judged = sum(s.end - s.start for s in told.stretches)
    return sum(s.end - s.start for s in told.stretches if s.good) / judged if judged else math.nan


def leader(lead: float) -> str:
    """Who leads, in words: "D leads by 0.42", "level", "G leads by 0.1"."""
    if not math.isfinite(lead):
        return "nobody knows who leads"
    if abs(lead) < 0.05:
        return "level"
    return f"{'D' if lead > 0 else 'G'} leads by {abs(lead):.2g}"


def outcomes(told: Story) -> str:
    """How many remedies helped, in words; "" without any."""
    total = len(told.marks)
    found = [(sum(m.outcome == kind for m in told.marks), word) for kind, word in WORDS.items()]
    if not total:
        return ""
    parts = [f"{n} {word}" for n, word in found if n]
    return f"{total} {'remedy' if total == 1 else 'remedies'}: {', '.join(parts)}"


def outcome_words(mark: Mark) -> str:
    """What came of one remedy."""
    back = "" if mark.back_to is None else f", rolled back to {count(mark.back_to)}"
    return WORDS[mark.outcome] + back


def headline(told: Story) -> str:
    """One or two sentences: how the run is, how it was, what was done."""
    share, who = balanced(told), leader(told.now)
    who = "The players are level" if who == "level" else who
    when = "at the end" if told.reason else "now"
    found = ["The run was stopped"] if told.reason == "stopped" else []
    found += [f"{who} {when}"] if math.isfinite(told.now) else []
    found += [f"{_percent(share)} of the time the guardian had nothing to object to"] if math.isfinite(share) else []
    found += [outcomes(told)] if told.marks else []
    return ". ".join([*found, ""]).strip()


def _percent(share: float) -> str:
    """Never rounded up to everything nor down to nothing."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return "less than 1\u202f%" if share < 0.5 else "more than 99\u202f%"
    return f"{100 * share:.0f}\u202f%"
