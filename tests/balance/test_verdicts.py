"""Each verdict is found in a course that shows it, with the right beginning, and not in a healthy one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tightrope.balance import health, verdicts
from tightrope.balance.decision import Facts
from tightrope.balance.history import History, Reading
from tightrope.balance.verdict import NAMES, Verdict

TICKS = 40
FACTS = Facts(rates={"G": 1e-3, "D": 1e-3}, sizes={"G": 0.1, "D": 0.1}, ideals={"D": 1.386})


def healthy(tick: int, noise: np.random.Generator) -> dict[str, float]:
    """A run that rises along 1 - exp(-5 t) with noise, as good runs do."""
    level = 1 - np.exp(-5 * tick / TICKS)
    wobble = noise.normal(0, 0.03, 4)
    return {
        "balance/lead": 0.4 + wobble[0], "D/adversarial": 1.2 + wobble[1], "G/adversarial": 1.0, "D/real": 0.8, "D/fake": -0.8,
        "samples/reach": min(1.0, level + 0.1) + wobble[2], "samples/faithful": 0.9 * level, "samples/coverage": 0.9 * level + wobble[3],
        "samples/recall": level, "samples/duplicates": 0.0, "samples/spread": 1.0, "samples/authenticity": 0.5,
        "samples/score": 0.9 * level, "spectrum/D": 1.5, "spectrum/G": 1.4,
    }  # fmt: skip


def course(change=None, ticks: int = TICKS, seed: int = 0, target: dict[str, float] | None = None) -> History:
    """The healthy run, with `change(tick, values)` laid over it."""
    noise, history = np.random.default_rng(seed), History()
    for tick in range(1, ticks + 1):
        values = healthy(tick, noise)
        if change:
            values |= change(tick, values)
        level = health.health(values, target or {})
        history.add(Reading(tick * 100, tick / TICKS, {**values, health.NAME: level if level is not None else 0.0}))
    return history


def conclude(history: History, facts: Facts = FACTS, bad: str = "") -> Verdict:
    return verdicts.conclude(history, facts, bad)


@pytest.mark.parametrize("ticks", [1, 3, 10, 20, 30, 40])
def test_healthy_runs_raise_no_alarm(ticks: int) -> None:
    names = [conclude(course(ticks=ticks, seed=seed)).name for seed in range(50)]
    assert {*names} <= {"healthy", "converged"}, names


def after(start: int, **values: float):
    return lambda tick, _: {name.replace("__", "/"): value for name, value in values.items()} if tick >= start else {}


COURSES = {
    "D overpowers": (after(15, balance__lead=0.99, D__adversarial=0.03, samples__score=0.1, samples__reach=0.2, samples__coverage=0.1,
                           samples__faithful=0.1), 1500),
    "G overpowers": (after(15, balance__lead=0.02, samples__faithful=0.1, samples__score=0.05, samples__coverage=0.05,
                           samples__reach=0.3), 1500),
    "mode dropping": (after(25, samples__reach=0.4, samples__coverage=0.35), 2500),
    "duplicating": (after(25, samples__duplicates=0.8), 2500),
    "shrinking": (after(20, samples__spread=0.6, samples__recall=0.1), 2000),
    "diverging": (after(30, D__real=3e5), 3000),
    "memorising": (after(20, critic__overfit=0.9), 2000),
}  # fmt: skip


def test_a_lead_alone_is_no_overpowering_d() -> None:
    """D tells samples apart in the middle of many a good run: as long as it is not sure of it, G is taught."""
    change, _ = COURSES["D overpowers"]

    def unsure(tick: int, random: object) -> dict[str, float]:
        return {**change(tick, random), **({"D/adversarial": 0.6, "balance/lead": 0.96} if tick >= 15 else {})}

    unknown = dataclasses.replace(FACTS, ideals={})  # then the beginning says what the loss at balance is
    for facts in (FACTS, unknown):
        assert conclude(course(change), facts).name == "D overpowers"
        assert conclude(course(unsure), facts).name != "D overpowers"


@pytest.mark.parametrize("name", COURSES)
def test_what_is_planted_is_found_where_it_began(name: str) -> None:
    change, start = COURSES[name]
    verdict = conclude(course(change))
    assert verdict.name == name and verdict.name in NAMES
    assert verdict.since == start
    assert 0 < verdict.sure <= 1 and verdict.evidence and verdict.sentence.endswith(".")


def test_samples_that_become_good_and_bad_in_turns_are_oscillating() -> None:
    def swing(tick: int, values: dict[str, float]) -> dict[str, float]:
        factor = 1.0 if tick % 4 < 2 else 0.2
        return {name: values[name] * factor for name in ("samples/reach", "samples/coverage", "samples/score")}

    # the modes are gone in every other pair of looks: dropping is the more urgent word for it
    assert conclude(course(swing, ticks=38)).name in ("oscillating", "mode dropping")
    history = course(lambda tick, v: swing(tick, v) | {"samples/reach": 1.0})
    assert conclude(history).name == "oscillating"


def test_a_run_that_stands_still_is_stalled_below_the_target_and_converged_above() -> None:
    flat = {"samples/coverage": 0.5, "samples/reach": 0.9, "samples/score": 0.5, "samples/faithful": 0.9}
    low, high = ({"coverage": least} for least in (0.8, 0.4))
    history = course(lambda tick, v: flat, target=low)
    assert conclude(history, Facts(rates={}, sizes={}, target=low)).name == "stalled"
    history = course(lambda tick, v: flat, target=high)
    assert conclude(history, Facts(rates={}, sizes={}, target=high)).name == "converged"


def test_what_is_not_finite_comes_first_and_says_where() -> None:
    verdict = conclude(course(COURSES["duplicating"][0]), bad="phase D, term 'adversarial' became nan at 900 seen samples")
    assert verdict.name == "non-finite" and "900" in verdict.sentence and verdict.sure == 1


def test_verdicts_look_only_at_the_game_as_it_is_played_now() -> None:
    history = course(after(5, samples__duplicates=0.9), ticks=20)
    for tick in range(21, 30):
        history.add(Reading(tick * 100, tick / TICKS, {**healthy(tick, np.random.default_rng(tick)), health.NAME: 0.6}))
    assert verdicts.conclude(history, FACTS, "", since=20.5 / TICKS).name == "healthy"


def test_history_is_bounded_and_survives_json() -> None:
    history = History()
    for tick in range(5 * History.MOST):
        history.add(Reading(tick, tick / 1e4, {"a": float(tick)}))
    assert len(history) <= History.MOST and history.now.seen == 5 * History.MOST - 1
    again = History(Reading.from_json(reading.to_json()) for reading in history.readings)
    assert again.readings == history.readings
