"""The tightrope on the console: who leads right now, in thirteen columns; at a run's end the whole way, in a few lines.

G ────┼──●─ D        D leads by 0.7
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tightrope.report.layout import at
from tightrope.report.records import Record, number, part, whole
from tightrope.report.story import GOOD, LEAD, Point, Story, headline, outcome_words, story

CELLS = 9  # of the rope between the two letters; odd, so that balance has a place of its own
MOST = 100  # columns of the closing picture
LEAST = 32
SPELLED = 6  # bad verdicts that are named under it
ROWS = 5  # of it, for the curve; odd, so that the rope has one of its own
KEPT = ("tick", "verdict", "remedy", "checked", "end")
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # braille: bits of the left and right column, from the top
PLAIN_DOTS = {1: "'", 2: "*", 4: "."}
LABELS = ("D leads ", "        ", "balance ", "        ", "G leads ")


class Signs(NamedTuple):
    """What pictures are made of."""

    rope: str
    knot: str
    walker: str
    post: str
    bad: str


UNICODE = Signs("─", "┼", "●", "│", "━")
ASCII = Signs("-", "+", "o", "|", "=")


def lead(tick: Record) -> float | None:
    """The lead that a tick tells; None where it tells none."""
    found = part(tick, "signals").get(LEAD)
    return None if found is None else number(found)


def gauge(value: float, plain: bool = False) -> str:
    """The rope with the one who walks it: towards D where D leads. A lead that is no number is a question mark."""
    signs, middle = ASCII if plain else UNICODE, CELLS // 2
    cells = [signs.rope] * CELLS
    cells[middle] = signs.knot
    if math.isfinite(value):
        cells[middle + round(middle * min(1.0, max(-1.0, value)))] = signs.walker
    else:
        cells[middle] = "?"
    return f"G {''.join(cells)} D"


class Told:
    """Collects a run's records of balance, and says what is worth a line as they come."""

    def __init__(self, plain: bool = False) -> None:
        self.plain = plain
        self.gauge = ""
        self._events: list[Record] = []
        self._good, self._remedies = True, 0

    def __call__(self, event: dict[str, Any], width: int) -> str:
        """Take up one record; returns the lines to print, "" for none."""
        kind = event.get("event")
        if kind not in KEPT:
            return ""
        self._events.append(
            {"event": kind, "seen": event.get("seen"), "signals": part(event, "signals")} if kind == "tick" else event
        )
        if kind == "tick":
            now = lead(event)
            self.gauge = "" if now is None else gauge(now, self.plain)
            return ""
        if kind == "verdict":
            return self._verdict(event)
        if kind == "remedy":
            self._remedies += 1
            return remedy(event, self._remedies)
        return checked(event) if kind == "checked" else closing(story(self._events), width, self.plain)

    def _verdict(self, event: Record) -> str:
        before, self._good = self._good, event.get("name") in GOOD
        return "" if self._good and before else verdict(event)


def verdict(event: Record) -> str:
    """A line about a verdict."""
    sure = number(event.get("sure"))
    said = f" ({100 * sure:.0f} % sure)" if math.isfinite(sure) else ""
    again = " again" if event.get("name") == "healthy" else ""
    return _sentences(f"verdict: {event.get('name')}{again}{said}", event.get("sentence"))


def remedy(event: Record, index: int) -> str:
    """A line about a remedy: what, why, with what hope."""
    back, due = event.get("back_to"), event.get("check_at")
    hope = f"Expected: {event['expects']}" if event.get("expects") else ""
    return _sentences(
        f"remedy {index}: {event.get('name')}" + ("" if back is None else f", rolled back to {whole(back):,} seen"),
        event.get("reason"),
        hope + (f", by {whole(due):,} seen" if hope and due is not None else ""),
    )


def checked(event: Record) -> str:
    """A line about what came of a remedy."""
    return _sentences(
        f"checked: {event.get('name')} {'helped' if event.get('helped') is True else 'did not help'}", event.get("sentence")
    )


def _sentences(*parts: Any) -> str:
    """Parts as sentences on one line; empty ones are left out."""
    words = (" ".join(str(part or "").split()) for part in parts)
    return " ".join(word if word[-1] in ".!?" else f"{word}." for word in words if word)


def closing(told: Story, width: int, plain: bool = False) -> str:
    """The picture of a whole run: the lead over samples seen, bad verdicts and remedies under it, a line a remedy."""
    if not told.told:
        return ""
    lines = [headline(told).replace("\u202f", " "), *picture(told, width, plain), spelled(told, ASCII if plain else UNICODE)]
    lines += [f"{m.number:>3}  {_sentences(f'{m.name} at {m.seen:,}: {outcome_words(m)}', m.sentence)}" for m in told.marks]
    return "\n".join(line for line in lines if line)


def spelled(told: Story, signs: Signs) -> str:
    """What the thick lines under the curve mean, the newest verdicts of many; "" without any."""
    newest = [f"{s.name} {s.start:,} to {s.end:,}" for s in told.bad[-SPELLED:]]
    more = len(told.bad) - len(newest)
    return f"  {signs.bad}  {f'{more} more; ' if more else ''}{'; '.join(newest)}" if newest else ""


def picture(told: Story, width: int, plain: bool = False) -> list[str]:
    """The lines of the picture, none longer than `width` (but never under LEAST columns)."""
    signs = ASCII if plain else UNICODE
    columns = max(LEAST, min(width, MOST)) - len(LABELS[0]) - 2
    rows = [*zip(LABELS, curve(told, columns, plain), strict=True)] if told.lead else []
    lines = [f"{label}{signs.knot if i == ROWS // 2 else signs.post}{row}" for i, (label, row) in enumerate(rows)]
    indent = " " * (len(LABELS[0]) + 1)
    lines += [indent + row for row in (_verdicts(told, columns, signs), _numbers(told, columns)) if row]
    end = f"{told.end:,} seen"
    return [*lines, indent + "0" + end.rjust(columns - 1)]


def curve(told: Story, columns: int, plain: bool = False) -> list[str]:
    """The lead as ROWS lines, the rope in the middle one: braille dots, two a column; in plain ASCII one of ' * . a column."""
    across, down = (1, 3) if plain else (2, 4)
    cells = [[0] * columns for _ in range(ROWS)]
    last = None
    for i, v in enumerate(sampled(told.lead, told.end, columns * across)):
        level = None if math.isnan(v) else round((1 - v) / 2 * (ROWS * down - 1))
        for y in () if level is None else _joined(None if plain else last, level):
            cells[y // down][i // across] |= 1 << (y % down) if plain else DOTS[i % 2][y % down]
        last = level
    signs = ASCII if plain else UNICODE
    blank = [signs.rope if row == ROWS // 2 else " " for row in range(ROWS)]
    marks = PLAIN_DOTS if plain else {}
    return ["".join(marks.get(c, chr(0x2800 + c)) if c else blank[row] for c in cells[row]).rstrip() for row in range(ROWS)]


def _joined(last: int | None, level: int) -> range:
    """The levels that a line from `last` to `level` touches on its new step."""
    first = level if last is None else last + (last < level) - (last > level)
    return range(min(first, level), max(first, level) + 1)


def sampled(points: list[Point], end: int, number_of: int) -> list[float]:
    """Values at equal steps of 0..end: the mean of those in a step, else between neighbours; NaN outside and in gaps."""
    steps: list[list[float]] = [[] for _ in range(number_of)]
    for seen, value in points:
        steps[min(number_of - 1, int(seen / end * number_of))].append(value)
    known = [i for i, values in enumerate(steps) if values]
    if not known:
        return [math.nan] * number_of
    means = [(float(i), _mean(steps[i])) for i in known]
    found = dict(means)
    inside = range(known[0], known[-1])
    return [found[i] if i in found else at(_beside(means, i), i) if i in inside else math.nan for i in range(number_of)]


def _mean(values: list[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def _beside(means: list[tuple[float, float]], i: int) -> list[tuple[float, float]]:
    """The known steps next to i; none where one of the two is no number, so that a gap stays a gap."""
    after = next(k for k, (x, _) in enumerate(means) if x > i)
    pair = means[after - 1 : after + 1]
    return pair if all(math.isfinite(v) for _, v in pair) else []


def _column(told: Story, seen: int, columns: int) -> int:
    return min(columns - 1, int(seen / told.end * columns))


def _verdicts(told: Story, columns: int, signs: Signs) -> str:
    """A line that is thick under bad verdicts, with their names where there is room."""
    row = [" "] * columns
    for stretch in told.bad:
        first, last = _column(told, stretch.start, columns), _column(told, stretch.end, columns)
        room, name = last - first + 1, stretch.name
        text = f" {name} ".center(room, signs.bad) if room >= len(name) + 4 else signs.bad * room
        row[first : last + 1] = text
    return "".join(row).rstrip()


def _numbers(told: Story, columns: int) -> str:
    """Remedies by number, each under its moment; one that would touch the last is moved on, or left out at the edge."""
    row = ""
    for mark in sorted(told.marks, key=lambda m: m.seen):
        first = max(_column(told, mark.seen, columns), len(row) + 1 if row else 0)
        if first + len(str(mark.number)) <= columns:
            row = row.ljust(first) + str(mark.number)
    return row
