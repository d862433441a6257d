"""The tightrope picture: what its story is, that nothing overlaps or leaves the frame, and that hostile words stay words."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from test_report import HOSTILE, data_of, end, start, tick, write_run

from tightrope.balance.verdict import GOOD
from tightrope.report import balance, build, curves, layout, rope, rope_frame, story
from tightrope.report.story import Story

Event = dict[str, Any]


def led(seen: int, lead: Any, health: Any = None) -> Event:
    signals = {"balance/lead": lead} | ({} if health is None else {"balance/health": health})
    return tick(seen, signals=signals)


def verdict(seen: int, name: str, since: int | None = None, sentence: str = "So it is.", sure: Any = 0.8) -> Event:
    since = seen if since is None else since
    return {"event": "verdict", "seen": seen, "name": name, "since": since, "sure": sure, "evidence": {}, "sentence": sentence}


def remedy(seen: int, name: str = "slower D", **changes: Any) -> Event:
    known = {"event": "remedy", "seen": seen, "name": name, "reason": "lead 0.9", "expects": "lead below 0.6"}
    return {**known, "turns": {"rates": {"D": 0.5}}, "back_to": None, "check_at": seen + 50, **changes}


def checked(seen: int, helped: bool, name: str = "slower D") -> Event:
    return {"event": "checked", "seen": seen, "name": name, "helped": helped, "sentence": "It was looked at."}


def wave(count: int, size: float = 0.8) -> list[Event]:
    return [led(10 * (i + 1), round(size * math.sin(i / 7), 4), min(1.2, i / count * 1.2)) for i in range(count)]


def told(*events: Event) -> Story:
    return story.story([start(), *events])


def drawn(it: Story, narrow: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(rope.svg(it, narrow))


def test_the_words_for_good_are_the_guardians() -> None:
    assert story.GOOD == GOOD


def test_runs_without_a_word_of_balance_have_no_section(tmp_path: Path) -> None:
    assert balance.section([]) == "" and balance.section([start(), tick(100), end(100)]) == ""
    page = build(write_run(tmp_path / "r", [start(), tick(100), end(100)])).read_text()
    assert 'id="balance"' not in page and "#balance" not in page


def test_the_section_is_in_the_report(tmp_path: Path) -> None:
    events = [
        start(),
        led(100, 0.5),
        verdict(100, "healthy"),
        led(200, 0.9),
        verdict(200, "D overpowers", 150),
        remedy(200),
        end(300),
    ]
    page = build(write_run(tmp_path / "r", events)).read_text()
    assert page.index('id="samples"') < page.index('id="balance"') < page.index('id="curves"')
    assert '<a href="#balance">Balance</a>' in page and ".rope" in page
    titles = [group["title"] for group in data_of(page)["curves"]["groups"]]
    assert "Balance of the players" in titles


def test_the_lead_is_held_within_its_bounds_and_nan_breaks_it() -> None:
    it = told(led(1, 7.0, 3.0), led(2, "nan", -1), led(3, "-inf"), led(4, -1.5, "nan"), tick(5), led(6, None))
    assert [v for _, v in it.lead if math.isfinite(v)] == [1.0, -1.0] and [s for s, _ in it.lead] == [1, 2, 3, 4]
    assert it.now == -1.0 and it.health[:2] == [(1, 1.0), (2, 0.0)] and math.isnan(it.health[2][1])
    assert math.isnan(told(led(1, "nan")).now)


def test_stretches_follow_each_other_and_reach_the_end() -> None:
    it = told(
        led(100, 0.1), verdict(100, "healthy", 40), led(200, 0.9), verdict(200, "D overpowers", 150),
        verdict(300, "mode dropping", 120), led(400, 0.2), verdict(400, "healthy", 900), end(500),
    )  # fmt: skip
    assert [(s.name, s.start, s.end) for s in it.stretches] == [
        ("healthy", 40, 150), ("D overpowers", 150, 200), ("mode dropping", 200, 400), ("healthy", 400, 500),
    ]  # fmt: skip
    assert [s.name for s in it.bad] == ["D overpowers", "mode dropping"]
    assert story.balanced(it) == pytest.approx(210 / 460) and math.isnan(story.balanced(told(led(1, 0.0))))


def test_remedies_are_joined_with_what_came_of_them() -> None:
    it = told(
        remedy(100),
        remedy(200, "roll back", back_to=50),
        remedy(300),
        checked(310, False),
        checked(350, True),
        checked(9, True, "x"),
    )
    assert [(m.number, m.outcome) for m in it.marks] == [(1, "undone"), (2, "open"), (3, "helped")]
    assert it.marks[1].back_to == 50 and it.marks[0].turned == "rates D: 0.5"
    assert story.outcomes(it) == "3 remedies: 1 helped, 1 undone, 1 not yet checked"
    assert story.turned({"rate.D": [1.0, 0.5], "safer": True}) == "rate.D 1 → 0.5, safer true"


def test_a_clock_that_goes_back_leaves_a_fallen_piece() -> None:
    events = [led(s, 0.5) for s in (100, 200, 300, 400)]
    it = told(
        *events[:2], verdict(200, "D overpowers"), *events[2:], remedy(400, back_to=100), *(led(s, 0.1) for s in (200, 300))
    )
    assert [s for s, _ in it.lead] == [100, 200, 300] and [[s for s, _ in piece] for piece in it.fallen] == [[100, 200, 300, 400]]
    assert [(s.start, s.end) for s in it.stretches] == [(200, 400), (200, 300)] and it.end == 400
    assert 'class="fallen"' in rope.svg(it)


def many() -> Story:
    events = wave(300)
    for i in range(30):
        seen = 20 + i * (60 if i < 15 else 4) + (i >= 15) * 1500
        events += [verdict(seen, "mode dropping", seen - 15), remedy(seen + 1, back_to=max(0, seen - 400) if i % 3 else None)]
        events += [checked(seen + 2, i % 2 == 0)] * (i < 20) + [verdict(seen + 3, "healthy")]
    return told(*sorted(events, key=lambda e: e["seen"]), end(3000))


CASES = {
    "one tick": [led(100, 0.5)],
    "three ticks": [led(100, 1.0, 0.0), led(200, -1.0, 1.0), led(300, 0.0, 2.0)],
    "600 ticks": wave(600),
    "4,000 ticks": wave(4000),
    "nothing but nan": [led(s, "nan", "nan") for s in (1, 2, 3)],
    "no lead": [verdict(100, "stalled"), remedy(100, back_to=0)],
    "at the end": [led(100, 1.0), verdict(100, "D overpowers"), remedy(100, back_to=100)],
    "at zero": [verdict(0, "non-finite"), remedy(0)],
}


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("case", [*CASES, "many"])
def test_pictures_are_sound_and_stay_in_their_frame(case: str, narrow: bool) -> None:
    it = many() if case == "many" else told(*CASES[case])
    svg = drawn(it, narrow)
    text = rope.svg(it, narrow)
    assert "nan" not in re.sub(r"<title>.*?</title>", "", text) and "inf" not in re.sub(r"<title>.*?</title>", "", text)
    width, height = (float(v) for v in svg.attrib["viewBox"].split()[2:])
    assert svg.attrib["role"] == "img" and svg.attrib["aria-label"] and len(text) < 120_000
    for node in (n for n in svg.iter() if n.attrib.get("class") != "head"):  # the walker's is told from where it stands
        for names, limit in ((("x", "cx", "x1"), width), (("y", "cy"), height)):
            for name in names:
                assert 0 <= float(node.attrib.get(name, 0)) <= limit, (node.tag, node.attrib)
        assert float(node.attrib.get("width", 0)) >= 0


@pytest.mark.parametrize("narrow", [False, True])
def test_thirty_remedies_do_not_overlap(narrow: bool) -> None:
    it = many()
    badges = [g.find("circle") for g in drawn(it, narrow).iter("g") if g.attrib.get("class", "").startswith("badge")]
    places = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in badges if c is not None]
    assert len(places) == 30
    for i, (x, y) in enumerate(places):
        assert all(math.dist((x, y), other) >= 20 for other in places[:i])
    box = rope_frame.frame(it, narrow)
    spans = [(row, *rope_frame.span(box, stretch)) for stretch, row in rope_frame.names(box, it)]
    assert spans and all(a[0] != b[0] or a[2] <= b[1] or b[2] <= a[1] for i, a in enumerate(spans) for b in spans[:i])


def test_rollbacks_are_arcs_and_stops_are_crosses() -> None:
    it = told(led(100, 0.2), led(200, 0.9), remedy(200, back_to=100), end(200, "stopped", "No way back."))
    svg = rope.svg(it)
    assert svg.count('class="arc"') == 1 and "rolled back from 200 to the snapshot at 100" in svg
    assert 'class="head"' not in svg and 'class="broken"' in svg
    assert "The run was stopped" in story.headline(it)


def test_words_for_those_who_cannot_see() -> None:
    words = rope.in_words(told(led(100, -0.25), led(200, 0.42), verdict(200, "D overpowers", 150), remedy(200)))
    for part in ("D leads by 0.42", "between -0.25 and 0.42", "D overpowers from 150 to 200", "1 remedy: 1 not yet checked"):
        assert part in words
    assert [story.leader(v) for v in (0.01, -0.1, math.nan)] == ["level", "G leads by 0.1", "nobody knows who leads"]


def test_hostile_words_stay_words() -> None:
    events = [
        led(100, 0.5), verdict(100, HOSTILE, sentence=HOSTILE), led(200, 0.1),
        remedy(200, HOSTILE, reason=HOSTILE, expects=HOSTILE, turns={HOSTILE: HOSTILE}, back_to=HOSTILE, check_at="nan"),
        {"event": "checked", "seen": 300, "name": HOSTILE, "helped": True, "sentence": f'"{HOSTILE}'},
    ]  # fmt: skip
    page = balance.section([start(), *events])
    assert "<script" not in page and page.count("&lt;script&gt;") > 8
    ElementTree.fromstring(page.replace("\u202f", " "))


def test_damaged_records_are_no_reason_to_fail() -> None:
    events: list[Event] = [
        {"event": "verdict"}, {"event": "verdict", "seen": 5}, {"event": "remedy", "seen": 5, "turns": 3},
        {"event": "checked", "seen": 6, "helped": "yes"}, {"event": "tick", "seen": 7, "signals": 1}, {"event": "remedy", "seen": "nan"},
    ]  # fmt: skip
    page = balance.section([start(), *events])
    assert "Not checked" in page and told(*events).stretches[0].start == 5


def test_many_verdicts_unfold() -> None:
    page = balance.section([start(), *(verdict(10 * i, ("healthy", "stalled")[i % 2]) for i in range(1, 20)), end(200)])
    assert f"{19 - balance.LATEST} earlier" in page and page.count('<li class="bad">') == 10


def test_knobs_of_single_players_are_curves_of_their_own() -> None:
    found = curves.columns([tick(100, knobs={"lr": 1.0, "rates": {"D": 0.5}, "repeats": {}, "beta1": None})])
    assert found["knob/rates/D"] == [0.5] and not any(name in found for name in ("knob/rates", "knob/repeats", "knob/beta1"))


def test_spreading_keeps_order_distance_and_bounds() -> None:
    assert layout.spread([50], 10, 0, 100) == [50]
    assert layout.spread([50, 50, 50], 10, 0, 100) == [40, 50, 60]
    for wishes in ([0.0] * 5, [100.0] * 5, [1.0, 2.0, 3.0, 99.0, 100.0], [float(i) for i in range(100)]):
        places = layout.spread(wishes, 10, 0, 100)
        gap = min(10, 100 / (len(wishes) - 1))
        assert places[0] >= -1e-9 and places[-1] <= 100 + 1e-9
        assert all(b - a >= gap - 1e-9 for a, b in zip(places, places[1:], strict=False))


def test_flags_leave_texts_and_poles_apart() -> None:
    assert layout.flags([(0, 0, 50), (20, 20, 70)], 5, 3) == [0, None]  # its pole would cross the first one's text
    assert layout.flags([(20, 20, 70), (0, 0, 50)], 5, 3) == [0, 1]
    assert layout.flags([(0, 0, 50), (60, 60, 90)], 5, 3) == [0, 0]


def test_small_geometry() -> None:
    nan = math.nan
    assert layout.breaks([(0, 1.0), (1, nan), (2, nan), (3, 1.0), (4, nan)]) == [(1, 2), (4, 4)]
    assert layout.pieces([(0, nan), (1, 1.0), (2, nan), (3, 2.0)]) == [[(1, 1.0)], [(3, 2.0)]]
    assert [layout.at([(0, 0.0), (10, 1.0)], x) for x in (-5, 5, 20)] == [0.0, 0.5, 1.0] and math.isnan(layout.at([(0, nan)], 1))
    assert layout.round_steps(1000, 4) == [0, 250, 500, 750, 1000] and layout.round_steps(1, 8) == [0, 1]
    thin = layout.thinned([(i, 99.0 if i == 777 else nan if i == 500 else 0.0) for i in range(1000)], 100)
    assert (
        len(thin) < 130 and (777, 99.0) in thin and thin[0][0] == 0 and thin[-1][0] == 999 and any(math.isnan(v) for _, v in thin)
    )
    assert layout.smoothed([(i, 1.0) for i in range(100)]) == [(i, pytest.approx(1.0)) for i in range(100)]
