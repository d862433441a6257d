"""The guardian as a state machine: it acts where a run is in trouble, checks, undoes, goes back, ends; else it does nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

from tightrope.balance import remedies
from tightrope.balance.decision import Decision, Facts
from tightrope.balance.guardian import Guardian
from tightrope.balance.remedies import step
from tightrope.core.turns import Turns

TICKS = 40
KNOBS = frozenset({"rates", "beta1", "repeats", "ema", "penalty", "support", "noise", "safer"})
World = Callable[[int, Turns], float]  # (tick, turns) -> how good samples are, 0 to 1


def facts(safer: bool = False, target: bool = True, **rates: float) -> Facts:
    return Facts(
        rates={"G": 1e-3, "D": 1e-3, **rates}, sizes={"G": 0.1, "D": 0.1}, knobs=KNOBS, numbers=2, steps=4000,
        target={"reach": 0.8, "faithful": 0.6} if target else {}, safer=safer,
    )  # fmt: skip


def values(level: float) -> dict[str, float]:
    return {
        "balance/lead": 0.99 if level < 0.05 else 0.4, "D/adversarial": 1.0, "samples/reach": level, "samples/faithful": 0.75 * level,
        "samples/coverage": level, "samples/recall": level, "samples/duplicates": 0.0, "samples/spread": 1.0, "samples/score": level,
        "samples/authenticity": 0.5,
    }  # fmt: skip


def play(world: World, guardian: Guardian, first: int = 1, last: int = TICKS) -> list[tuple[int, Decision]]:
    """Every decision until the end."""
    found, turns = [], guardian.turns
    for tick in range(first, last + 1):
        level = world(tick, turns)
        bad = "" if level == level else "phase D, term 'adversarial' became nan"
        decision = guardian.observe(tick * 100, tick / TICKS, values(level) if not bad else {}, bad)
        turns = decision.turns if decision.turns is not None else turns
        found.append((tick, decision))
        if decision.stop:
            break
    return found


def remedies_of(found: list[tuple[int, Decision]]) -> list[dict]:
    return [record for _, decision in found for record in decision.told if record["event"] == "remedy"]


def good(tick: int, turns: Turns) -> float:
    return min(0.95, tick / 12)


def test_a_healthy_run_is_left_alone_and_its_good_states_are_kept() -> None:
    for target in (True, False):
        guardian = Guardian(facts(target=target), act=True)
        found = play(good, guardian)
        assert not remedies_of(found) and not any(d.turns or d.stop for _, d in found)
        assert any(d.keep for _, d in found)
        assert guardian.finish(4000).back_to is None


def test_watching_never_acts() -> None:
    found = play(lambda tick, turns: 0.0, Guardian(facts(safer=True), act=False))
    assert all(d.turns is None and d.back_to is None and not d.keep and not d.stop for _, d in found)


def test_one_remedy_at_a_time_each_checked_and_undone_where_it_did_not_help() -> None:
    guardian = Guardian(facts(), act=True)
    found = play(lambda tick, turns: 0.01, guardian)
    events = [record for _, d in found for record in d.told if record["event"] in ("remedy", "checked")]
    assert [e["event"] for e in events[:4]] == ["remedy", "checked", "remedy", "checked"]
    applied = remedies_of(found)
    assert len({r["name"] for r in applied}) == len(applied) >= 2
    for before, now in zip(applied[:-1], applied[1:], strict=True):
        assert set(now["turns"]) - {"since", "from_seen"} != set(before["turns"]) or now["turns"] != before["turns"]
    assert all(r["reason"] and r["expects"] and r["check_at"] > r["seen"] for r in applied)


def test_what_did_not_help_is_undone_also_where_the_run_is_no_longer_in_trouble() -> None:
    def world(tick: int, turns: Turns) -> float:
        return 0.5 if tick < 15 else 0.02 if tick < 17 else 0.1  # it had converged, and fell

    guardian = Guardian(facts(target=False), act=True)
    found = play(world, guardian)
    checks = [(d, record) for _, d in found for record in d.told if record["event"] == "checked"]
    undone = [d for d, record in checks if not record["helped"]]
    assert undone and all(d.turns is not None and d.turns.rates == {} for d in undone[:1])
    assert "fell from 0.50" in remedies_of(found)[0]["reason"]


def test_a_run_that_nothing_saves_ends_early_and_says_what_was_tried() -> None:
    found = play(lambda tick, turns: 0.01, Guardian(facts(), act=True))
    tick, last = found[-1]
    assert last.stop and tick < TICKS
    assert "Tried:" in last.stop and remedies_of(found)[0]["name"] in last.stop


def test_a_remedy_that_helps_stays() -> None:
    def world(tick: int, turns: Turns) -> float:
        return min(0.95, (tick - 4) / 10) if turns.rates.get("D", 1.0) < 1 else 0.01

    guardian = Guardian(facts(D=2e-2), act=True)  # moves its weights by a fifth a step
    found = play(world, guardian)
    assert [r["name"] for r in remedies_of(found)] == ["slower D"]
    assert guardian.turns.rates["D"] < 1 and guardian.usable and not found[-1][1].stop


def test_the_safer_game_needs_permission_and_begins_anew_where_nothing_is_lost() -> None:
    def world(tick: int, turns: Turns) -> float:
        return min(0.95, (tick / TICKS - turns.since) * 3) if turns.safer else 0.01

    found = play(world, Guardian(facts(safer=True), act=True))
    (remedy,) = remedies_of(found)
    assert remedy["name"] == "safer game" and remedy["back_to"] == 0 and remedy["turns"]["safer"]
    assert "safer game" not in [r["name"] for r in remedies_of(play(world, Guardian(facts(safer=False), act=True)))]
    assert abs(step(facts(), Turns.from_json(remedy["turns"]), "D") - 0.02) < 1e-9


def test_the_safer_game_goes_first_where_it_is_allowed_and_is_undone_where_it_costs_what_was_there() -> None:
    found = play(lambda tick, turns: 0.05 if turns.safer else 0.45, Guardian(facts(safer=True), act=True))
    first = remedies_of(found)[0]
    assert first["name"] == "safer game" and first["back_to"] == first["seen"]  # from where it is, which is kept
    checked = next((d, tick) for tick, d in found for record in d.told if record["event"] == "checked")
    assert checked[0].back_to == first["seen"] and checked[0].turns is not None and not checked[0].turns.safer
    assert checked[1] * 100 <= first["seen"] + 700  # 15 % of the run and a tick later


def test_a_remedy_that_costs_what_was_there_is_undone_at_once() -> None:
    found = play(lambda tick, turns: 0.45 if turns.neutral else 0.05, Guardian(facts(), act=True))
    first = remedies_of(found)[0]
    tick, decision = next((tick, d) for tick, d in found for record in d.told if record["event"] == "checked")
    assert tick * 100 == first["seen"] + 200  # two looks
    assert decision.back_to == first["seen"] and decision.turns == Turns()


SLOWLY = [
    0.13,
    0.15,
    0.2,
    0.3,
    0.27,
    0.38,
    0.24,
    0.48,
    0.42,
    0.56,
    0.53,
    0.45,
    0.49,
    0.71,
    0.67,
    0.71,
    0.63,
    0.71,
    0.78,
    0.78,
    0.85,
    0.62,
    0.83,
    0.79,
    0.8,
    0.85,
    0.96,
    0.9,
    0.89,
    0.82,
    0.68,
    0.72,
    1.03,
    0.95,
    1.04,
    0.63,
    0.92,
    1.07,
    0.96,
    1.07,
]  # health of a real run


def test_a_run_that_rises_slowly_is_left_to_itself() -> None:
    for safer in (True, False):
        guardian = Guardian(facts(safer=safer), act=True)
        for tick, level in enumerate(SLOWLY, 1):
            reach = min(1.0, 0.4 + tick / 12)  # soon all of it: what is wanted is sharpness
            read = {**values(level), "samples/reach": reach, "samples/faithful": 0.6 * level}
            decision = guardian.observe(tick * 100, tick / TICKS, read)
            assert decision.turns is None and decision.back_to is None and not decision.stop, tick


def test_a_d_that_tells_nothing_ends_no_safer_game_whose_samples_reach_something() -> None:
    def names(reach: float) -> list[str]:
        guardian, turns, said = Guardian(facts(safer=True), act=True), Turns(), []
        for tick in range(1, TICKS + 1):
            read = {**values(0.04), "balance/lead": 0.02, "samples/reach": reach if turns.safer else 0.02}
            decision = guardian.observe(tick * 100, tick / TICKS, read)
            turns = decision.turns if decision.turns is not None else turns
            said += [record["name"] for record in decision.told if record["event"] == "remedy"]
        return said

    assert names(0.3) == ["safer game"]
    assert names(0.05)[:2] == ["safer game", "safer game, slower"]


def test_a_collapse_goes_back_to_the_best_state() -> None:
    for target in (True, False):
        guardian = Guardian(facts(target=target), act=True)
        found = play(lambda tick, turns: good(tick, turns) if tick < 20 or not turns.neutral else 0.05, guardian)
        remedy = remedies_of(found)[0]
        kept = [tick * 100 for tick, d in found if d.keep and tick < 20]
        assert remedy["back_to"] in kept and remedy["seen"] < 2600


def test_what_is_not_finite_goes_back_at_once_with_lower_rates_and_ends_where_it_comes_again() -> None:
    nan = float("nan")
    found = play(lambda tick, turns: nan if tick == 10 else good(tick, turns), Guardian(facts(), act=True))
    (remedy,) = remedies_of(found)
    assert remedy["seen"] == 1000 and remedy["back_to"] is not None and remedy["turns"]["rates"]["D"] < 1
    found = play(lambda tick, turns: nan if tick >= 10 else good(tick, turns), Guardian(facts(), act=True))
    assert found[-1][1].stop and found[-1][0] < 20


def test_the_best_state_is_delivered_where_the_last_is_clearly_worse() -> None:
    guardian = Guardian(facts(target=False), act=True)
    found = play(lambda tick, turns: good(tick, turns) if tick < 35 else 0.6, guardian)
    assert not remedies_of(found)
    decision = guardian.finish(4000)
    assert decision.back_to and decision.back_to < 3500 and decision.told


def test_nobody_who_leads_is_given_more() -> None:
    slow = dataclasses.replace(
        facts(), sizes={"G": 10.0, "D": 10.0}
    )  # both move by little: the first thing to try is to be faster
    assert remedies.choices("stalled", slow, Turns(), ())[0] is remedies.both_faster
    assert remedies.faster_d not in remedies.choices(
        "D overpowers", dataclasses.replace(slow, sizes={"G": 0.1, "D": 10.0}), Turns(), ()
    )
    assert remedies.faster_g not in remedies.choices(
        "G overpowers", dataclasses.replace(slow, sizes={"G": 10.0, "D": 0.1}), Turns(), ()
    )


def test_slow_beginnings_without_a_target_are_not_touched() -> None:
    found = play(lambda tick, turns: 0.06 + max(0.0, (tick - 30) / 20), Guardian(facts(target=False), act=True))
    assert not remedies_of(found) and not found[-1][1].stop


def test_its_state_is_plain_data_and_a_guardian_restored_decides_the_same() -> None:
    def world(tick: int, turns: Turns) -> float:
        return 0.5 if turns.rates.get("G", 1.0) < 0.5 and tick > 20 else 0.01

    straight = Guardian(facts(), act=True)
    whole = [d for _, d in play(world, straight)]
    first = Guardian(facts(), act=True)
    part = [d for _, d in play(world, first, last=13)]
    second = Guardian(facts(), act=True)
    second.restore(json.loads(json.dumps(first.state())))
    rest = [d for _, d in play(world, second, first=14)]
    assert part + rest == whole
    assert second.state() == straight.state()
