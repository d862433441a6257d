"""A benchmark of no meaning, for the runner's tests.

Paper:  none.
Run:    tightrope bench tests/bench/fake.py
Time:   no time
"""

from __future__ import annotations

import time
from pathlib import Path

from tightrope.bench.protocol import Ask, Case, Figures, Result, Table, of, spread
from tightrope.core.errors import InputError

METHODS = {"good": "works", "wrong": "raises what users see", "broken": "raises anything", "slow": "takes an hour"}
SEEDS = 2
KEEP = ("kept.txt",)


def cases(ask: Ask) -> list[Case]:
    return [
        Case(benchmark="fake", method=method, seed=seed, settings={"scale": ask.scale or 1.0})
        for seed in range(ask.seeds)
        for method in ask.methods
    ]


def run(case: Case, folder: Path) -> Figures:
    if case.method == "wrong":
        raise InputError("the data is not there.")
    if case.method == "broken":
        raise ZeroDivisionError("oh")
    if case.method == "slow":
        time.sleep(3600)
    (folder / "kept.txt").write_text("x")
    (folder / "scratch.txt").write_text("x")
    return {"value": case.seed + 0.5, "bad": float("nan")}


def tables(results: list[Result]) -> list[Table]:
    return [Table(title="Fake", head=("method", "value"), rows=[("good", spread(of(results, "value", method="good")))])]
