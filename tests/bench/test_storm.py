"""The storm: its draws, a case of it, and what its tables make of results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tightrope.bench import storm, storm_tables
from tightrope.bench.protocol import Ask, Case, Result, Table

METHODS = tuple(storm.METHODS)


def test_draws_are_the_same_for_the_same_number_and_differ_between_storms() -> None:
    assert storm.drawn(1, 5, "ring8") == storm.drawn(1, 5, "ring8")
    assert storm.drawn(0, 5, "ring8") != storm.drawn(1, 5, "ring8")
    fields = [storm.drawn(1, number, "ring8") for number in range(300)]
    assert {f["game"] for f in fields} == {"minimax", "non-saturating", "least-squares", "wgan", "wgan-gp", "dragan"}
    assert min(f["lr_g"] for f in fields) < 2e-5 and max(f["lr_d"] for f in fields) > 5e-3
    assert {f["critic_steps"] for f in fields} == {1, 5} and len({f["g_width"] for f in fields}) > 1


def test_references_come_first_and_both_arms_share_seed_and_budget() -> None:
    cases = storm.cases(Ask(methods=METHODS, seeds=4, names=("ring8", "grid25"), storm=1))
    kinds = [case.method for case in cases]
    assert kinds.index("alone") > max(i for i, kind in enumerate(kinds) if kind == "reference")
    for number in range(4):
        alone, guarded = (next(c for c in cases if c.method == m and c.seed == number) for m in ("alone", "guarded"))
        assert all(alone.settings[key] == guarded.settings[key] for key in ("fields", "moves", "data", "storm"))
    assert len({case.key for case in cases}) == len(cases)


@pytest.mark.parametrize("method", ["alone", "guarded", "reference"])
def test_a_case_is_played_within_its_budget_and_is_plain_data(method: str) -> None:
    from tightrope.bench import storming

    (case, *_) = [c for c in storm.cases(Ask(methods=METHODS, seeds=1, names=("ring8",))) if c.method == method]
    settings = {**case.settings, "moves": 80}
    if "fields" in settings:
        settings["fields"] = {**settings["fields"], "batch": 8, "g_width": 8, "d_width": 8}
    else:
        settings["batch"] = 8
    figures = storming.run(Case(benchmark="storm", method=method, seed=0, settings=settings))
    assert json.loads(json.dumps(figures)) == figures
    assert 0 <= figures["modes"] <= 8 and 0 <= figures["high quality"] <= 1 and 0 < figures["ended"] <= 1
    assert len(figures["readings"]) == len(figures["truths"]) and figures["readings"][-1][0] <= (80 + 6) * 8  # whole rounds
    if method == "alone":
        assert not [t for t in figures["told"] if t["event"] == "remedy"] and figures["ended"] == 1


def result(method: str, seed: int, quality: float, modes: int = 8, **more: Any) -> Result:
    """A run whose quality rises along a line to `quality`."""
    ticks = [k / 10 for k in range(1, 11)]
    readings = [[int(1000 * p), p, {"samples/reach": p, "samples/faithful": quality * p, "balance/lead": 0.3}] for p in ticks]
    truths = [[int(1000 * p), float(modes), quality * p] for p in ticks]
    figures = {
        "modes": float(modes), "high quality": quality, "verdict": "healthy", "sentence": "", "usable said": quality > 0.6, "ended": 1.0,
        "stop": "", "bad": "", "readings": readings, "truths": truths, "told": [], "watched": 0.1, "trained": 10.0, **more,
    }  # fmt: skip
    settings: dict[str, Any] = {"data": "ring8", "moves": 100, "target": {}, "safer": False, "batch": 64}
    if method != "reference":
        settings |= {"storm": 1, "fields": storm.drawn(1, 0, "ring8") | {"batch": 64}}
    return Result(
        case=Case(benchmark="storm", method=method, seed=seed, settings=settings), figures=figures, cpu_seconds=1.0, versions={}
    )


def cell(table: Table, row: str) -> str:
    return next(line[1] for line in table.rows if line[0] == row)


def test_tables_count_rescues_harm_and_what_is_hopeless() -> None:
    remedy = {"event": "remedy", "name": "safer game", "back_to": 0}
    results = [result("reference", seed, 0.9) for seed in range(3)]
    results += [result("alone", n, q) for n, q in enumerate((0.0, 0.1, 0.1, 0.9, 0.9))]
    results += [
        result("guarded", 0, 0.8, told=[remedy]),  # rescued
        result("guarded", 1, 0.1, told=[remedy], calm=[8.0, 0.05]),  # hopeless
        result("guarded", 2, 0.1, told=[remedy], calm=[8.0, 0.9]),  # failed
        result("guarded", 3, 0.9),
        result("guarded", 4, 0.9, modes=5),  # harmed
    ]
    summary, failures, remedies, every = storm_tables.tables(results)
    assert cell(summary, "usable alone").startswith("2 of 5") and cell(summary, "usable with the guardian").startswith("2 of 5")
    assert cell(summary, "hopeless by construction") == "1"
    assert cell(summary, "rescued of the others").startswith("1 of 2")
    assert cell(summary, "usable alone, unusable with it").startswith("1 of 2")
    assert cell(summary, "unusable runs reported").startswith("3 of 3")
    assert cell(summary, "false alarms on usable ones").startswith("0 of 2")
    assert [line[0] for line in failures.rows] == ["ring8 1", "ring8 2", "ring8 4"] and failures.rows[0][2] == "yes"
    assert remedies.rows == [("safer game", "3", "1 of 3 (33.3%)")] and len(every.rows) == 5
    assert not storm_tables.tables(results[:3])
