"""The rope on the console: gauge, closing picture, lines about verdicts and remedies; widths and plain ASCII."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from tightrope.cli import rope
from tightrope.cli.console import Progress
from tightrope.report.story import Story, story

Event = dict[str, Any]


def tick(seen: int, lead: Any = None) -> Event:
    signals = {} if lead is None else {"balance/lead": lead}
    return {
        "event": "tick",
        "seen": seen,
        "seconds": 1.0,
        "left": 2.0,
        "speed": 3.0,
        "terms": {"D/loss": 0.5},
        "signals": signals,
    }


VERDICT = {"event": "verdict", "seen": 200, "name": "D overpowers", "since": 150, "sure": 0.9, "sentence": "D always wins"}
REMEDY = {
    "event": "remedy",
    "seen": 210,
    "name": "slower D",
    "reason": "D led",
    "expects": "lead below 0.6",
    "turns": {},
    "back_to": 90,
    "check_at": 300,
}
CHECKED = {"event": "checked", "seen": 300, "name": "slower D", "helped": True, "sentence": "It fell"}
END = {"event": "end", "seen": 600, "reason": "done", "message": ""}


def told(count: int = 60, *more: Event) -> Story:
    return story([*(tick(10 * (i + 1), math.sin(i / 9)) for i in range(count)), *more])


@pytest.mark.parametrize(
    ("lead", "text"),
    [
        (0.0, "G ────●──── D"),
        (1.0, "G ────┼───● D"),
        (-1.0, "G ●───┼──── D"),
        (0.7, "G ────┼──●─ D"),
        (99.0, "G ────┼───● D"),
        (math.nan, "G ────?──── D"),
        (math.inf, "G ────?──── D"),
    ],
)
def test_gauge(lead: float, text: str) -> None:
    assert rope.gauge(lead) == text and len(text) == 13
    assert rope.gauge(lead, plain=True) == text.translate(str.maketrans("─●┼", "-o+"))


def test_no_lead_no_rope() -> None:
    assert rope.lead(tick(1)) is None and rope.lead({"event": "tick"}) is None
    assert math.isnan(rope.lead(tick(1, "nan")) or 0.0)
    assert rope.closing(story([tick(1), END]), 80) == ""


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("width", [0, 32, 40, 80, 300])
@pytest.mark.parametrize("count", [1, 3, 60, 600])
def test_the_closing_picture_keeps_its_width(count: int, width: int, plain: bool) -> None:
    lines = rope.picture(told(count, VERDICT, REMEDY, END), width, plain)
    assert max(map(len, lines)) <= max(rope.LEAST, min(width, rope.MOST))
    assert len(lines) == rope.ROWS + 3 and lines[0].startswith("D leads") and lines[rope.ROWS - 1].startswith("G leads")
    assert not plain or all(line.isascii() for line in lines)


def test_the_curve_goes_where_the_lead_goes() -> None:
    up, down = (rope.curve(story([tick(s, lead) for s in (1, 50, 100)]), 20, plain=True) for lead in (1.0, -1.0))
    assert up[0].count("'") == 20 and not up[-1] and up[2] == "-" * 20
    assert down[-1].count(".") == 20 and not down[0]
    assert set("".join(rope.curve(told(), 40))) <= {" ", "─", *map(chr, range(0x2801, 0x2900))}


def test_gaps_stay_gaps() -> None:
    nan = math.nan
    found = rope.sampled([(10, 0.0), (50, nan), (90, 1.0)], 100, 10)
    assert found[1] == 0.0 and found[9] == 1.0 and all(math.isnan(v) for v in (found[0], *found[2:9]))
    assert rope.sampled([(10, 0.0), (90, 0.8)], 100, 10)[5] == pytest.approx(0.4)
    assert all(math.isnan(v) for v in rope.sampled([], 100, 4)) and rope.closing(story([tick(1, "nan"), END]), 80)


def test_verdicts_and_remedies_stand_under_their_moment() -> None:
    text = rope.closing(told(60, VERDICT, REMEDY, CHECKED, END), 89)
    lines = text.split("\n")
    marks = next(line for line in lines if line.strip() == "1")
    assert abs(marks.index("1") - 9 - 79 * 210 / 600) <= 1
    assert "━ D overpowers ━" in text and "D overpowers 150 to 600" in text
    assert lines[-1] == "  1  slower D at 210: helped, rolled back to 90. It fell."


def test_many_remedies_have_a_line_each_and_numbers_apart() -> None:
    text = rope.closing(told(60, *({**REMEDY, "seen": 300 + i} for i in range(30)), END), 80, plain=True)
    assert text.count("slower D at") == 30 and text.isascii()
    assert "1 2 3 4 5" in text


def test_what_is_worth_a_line() -> None:
    listener = rope.Told()
    healthy = {**VERDICT, "name": "healthy", "sentence": "All is well.", "sure": "nan"}
    assert listener(healthy, 80) == "" and listener({"event": "pulse"}, 80) == ""
    assert listener(VERDICT, 80) == "verdict: D overpowers (90 % sure). D always wins."
    assert listener(REMEDY, 80) == "remedy 1: slower D, rolled back to 90 seen. D led. Expected: lead below 0.6, by 300 seen."
    assert listener(CHECKED, 80) == "checked: slower D helped. It fell."
    assert listener({**CHECKED, "helped": False, "sentence": "a\nb"}, 80) == "checked: slower D did not help. a b."
    assert listener(healthy, 80) == "verdict: healthy again. All is well."
    assert listener({**VERDICT, "name": "converged"}, 80) == ""
    assert listener(tick(1, 0.7), 80) == "" and listener.gauge == "G ────┼──●─ D"
    assert listener(tick(2), 80) == "" and listener.gauge == ""
    assert "1 remedy: 1 helped" in listener(END, 80)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_progress_shows_it(encoding: str) -> None:
    progress, raw = Progress(), io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    progress.console, progress.live = Console(file=stream, highlight=False, width=80), None
    progress._told = rope.Told(plain=encoding == "ascii")
    for event in (tick(100, 0.7), VERDICT, REMEDY, CHECKED, tick(600, "nan"), tick(610), END):
        progress(event)
    stream.flush()
    lines = raw.getvalue().decode(encoding).split("\n")
    assert ("G ----+--o- D" if encoding == "ascii" else "G ────┼──●─ D") + "  D/loss 0.500" in lines[0]
    assert lines[1].startswith("verdict: D overpowers") and lines[4].endswith("D  D/loss 0.500")
    assert lines[5].endswith("left  D/loss 0.500") and lines[-2].startswith("  1  slower D at 210: helped")
