"""The DiracGAN: every objective, regulariser and optimizer plays 1,000 rounds as the recurrence derived by hand says, to 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tightrope.bench import dirac
from tightrope.bench.diracgan import closed, games
from tightrope.bench.protocol import Ask, Case, Result
from tightrope.core.rules import Rule
from tightrope.objectives import ALL
from tightrope.objectives.shaping import instance_noise

each = pytest.mark.parametrize("name", dirac.METHODS)


@each
def test_trajectory_is_the_closed_form(name: str) -> None:
    difference = np.abs(dirac.trajectory(name) - dirac.closed_form(name)).max()
    assert difference < 1e-6


@each
def test_ends_where_theory_says(name: str) -> None:
    expected, _ = dirac.THEORY[name]
    assert not expected or dirac.verdict(dirac.closed_form(name)) in expected
    growth = dirac.growth(name)
    if growth is not None and expected:
        assert (growth < 1 - 1e-6) == (expected == ("converges",))
        assert growth < 1 + 1e-6 or name.startswith("simultaneous")


def test_every_method_is_everywhere() -> None:
    assert list(dirac.METHODS) == list(games.GAMES) == list(closed.GAMES) == list(dirac.THEORY)
    assert ALL.keys() < games.GAMES.keys()
    rules = {type(method.d_rule) for method in games.GAMES.values()}
    assert rules == set(Rule.__args__)


def test_known_growth() -> None:
    """Mescheder et al. 2018: eigenvalues +-i/2 of the plain game; with R1 those of (0 1/2; -1/2 -gamma)."""
    assert dirac.growth("wasserstein") == pytest.approx(1, abs=1e-6)
    assert dirac.growth("simultaneous") == pytest.approx(np.hypot(1, 0.1), abs=1e-6)
    step = np.array([[1, 0.05], [0, 1]]) @ np.array([[1, 0], [-0.05, 1 - 0.1 * 0.3]])  # D's step, then G's
    assert dirac.growth("r1") == pytest.approx(np.abs(np.linalg.eigvals(step)).max(), abs=1e-6)


def test_the_expectation_over_noise_is_that_of_the_function() -> None:
    torch.manual_seed(0)
    state = games.State(games.Point(0.8), games.Slope(-0.6))
    objective, many = ALL["non-saturating"], 400_000
    real = instance_noise(torch.zeros(many, 1, dtype=torch.double), games.SD)
    fake = instance_noise(state.G().expand(many, 1), games.SD)
    drawn = torch.autograd.grad(objective.d(state.D(real), state.D(fake)), state.D.psi)[0].item()
    method = closed.GAMES["instance noise"]
    assert method.d(0.8, -0.6, {"noise": games.SD}) == pytest.approx(drawn, abs=5e-3)
    polynomial = closed.GAMES["instance noise, least-squares"]
    drawn = torch.autograd.grad(ALL["least-squares"].d(state.D(real), state.D(fake)), state.D.psi)[0].item()
    assert polynomial.d(0.8, -0.6, {"noise": games.SD}) == pytest.approx(drawn, abs=5e-3)


def test_verdicts() -> None:
    turns = np.linspace(0, 40, 1001)
    circle = np.stack([np.cos(turns), np.sin(turns)], 1)
    assert dirac.verdict(circle) == "circles"
    assert dirac.verdict(circle * np.exp(-turns)[:, None]) == "converges"
    assert dirac.verdict(circle * np.exp(-turns / 40)[:, None]) == "closes in"
    assert dirac.verdict(circle * np.exp(turns / 20)[:, None]) == "diverges"
    assert dirac.verdict(np.stack([np.exp(-turns), 1 + 0 * turns], 1)) == "G arrives"
    assert dirac.verdict(np.stack([1 + np.exp(-turns), 0 * turns], 1)) == "stalls"


def test_as_a_benchmark(tmp_path) -> None:
    ask = Ask(methods=("hinge", "least-squares"), seeds=1)
    cases = dirac.cases(ask)
    assert [case.method for case in cases] == ["hinge", "least-squares"]
    figures = {"difference": 1e-15, "distance": 1.4, "theta": 1.0, "psi": 1.0, "verdict": "circles"}
    results = [Result(case=case, figures=figures, cpu_seconds=0.1, versions={}) for case in cases]
    (table,) = dirac.tables(results)
    assert [row[5] for row in table.rows] == ["circles ✗", "circles ✓"]
    assert dirac.picture(results, tmp_path).shape[2] == 3
    assert set(dirac.run(Case(benchmark="dirac", method="hinge", seed=0), tmp_path)) == set(figures)
