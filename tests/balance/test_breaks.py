"""Planted breaks are found where they are, and noisy healthy curves are left alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tightrope.balance.breaks import cost, examine, metric_break, non_finite
from tightrope.balance.departure import DRAWS, departure, valley
from tightrope.balance.history import History, Reading
from tightrope.balance.logs import Clock, log_of
from tightrope.balance.loss_breaks import collapsing, exploding, frozen, swinging

CLOCK = Clock("kimg", 1000)


def history(values: np.ndarray, name: str = "metric/fid", seconds: float | None = None) -> History:
    more = [{} if seconds is None else {"time/seconds": i * seconds} for i in range(len(values))]
    return History(Reading(1000 * i, i / len(values), {name: float(v), **more[i]}) for i, v in enumerate(values))


def fid(seed: int, n: int = 40, noise: float = 0.08) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (9 + 150 * np.exp(-10 * np.arange(n) / n)) * np.exp(noise * random.standard_normal(n))


def d_loss(seed: int = 0, n: int = 2000) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.exp(0.3 * random.standard_normal(n)) * np.where(random.random(n) < 0.01, 4, 0.9)


def test_a_late_collapse_is_found_with_its_cost() -> None:
    values = fid(0)
    values[28:] *= 20
    found = metric_break(history(values, seconds=3600), "metric/fid", "lower", CLOCK)
    assert found is not None and found.name == "diverging" and found.since == 28_000 and found.sure >= 0.99
    best = int(values.argmin())
    assert found.evidence["best_at"] == 1000 * best and found.evidence["seconds_after_best"] == 3600 * (39 - best)
    assert found.evidence["share_after_break"] == pytest.approx(11 / 39)
    assert "kimg 28 on it never again came within 25%" in found.sentence and f"({39 - best}.0 h)" in found.sentence


def test_a_collapse_is_found_wherever_it_is_and_in_scores_too() -> None:
    for seed, at in enumerate((15, 18, 22, 30, 36)):
        values = fid(seed)
        values[at:] *= 5
        low = metric_break(history(values), "metric/fid", "lower", CLOCK)
        high = metric_break(history(10 / values), "metric/fid", "higher", CLOCK)
        assert low is not None and high is not None
        assert (low.name, low.since) == (high.name, high.since) == ("diverging", 1000 * at)


def test_false_alarms_on_noisy_healthy_curves_are_rare() -> None:
    alarms, curves = 0, 0
    for seed in range(160):
        n, noise = (10, 25, 60, 120)[seed % 4], (0.03, 0.1, 0.2)[seed % 3]
        values = (
            fid(seed, n, noise) if seed % 2 else 12 * np.exp(noise * np.random.default_rng(seed).standard_t(4, n) / math.sqrt(2))
        )
        found = metric_break(history(values), "metric/fid", "lower", CLOCK)
        alarms, curves = alarms + (found is not None and not found.good), curves + 1
    assert alarms / curves <= 0.02


def test_a_dip_and_a_recovery_are_no_break() -> None:
    values = fid(1)
    values[18:24] *= 10
    found = metric_break(history(values), "metric/fid", "lower", CLOCK)
    assert found is not None and found.good


def test_an_idle_second_half_is_called_converged_and_costed() -> None:
    values = np.concatenate([fid(2, 40, 0.0), np.full(60, 9.0)])
    found = metric_break(history(values), "metric/fid", "lower", CLOCK)
    assert found is not None and found.name == "converged" and found.evidence["share_settled"] > 0.5
    assert metric_break(history(100 * 0.9 ** np.arange(30)), "metric/fid", "lower", CLOCK).name == "healthy"  # type: ignore[union-attr]


def test_short_constant_and_signed_metrics_are_judged_without_fuss() -> None:
    assert metric_break(history(np.array([3.0, 2, 1])), "metric/fid", "lower", CLOCK) is None
    assert metric_break(history(np.full(30, 5.0)), "metric/fid", "lower", CLOCK).good  # type: ignore[union-attr]
    assert metric_break(history(np.zeros(30)), "metric/fid", "higher", CLOCK).good  # type: ignore[union-attr]
    kid = np.concatenate([np.linspace(0.3, 0.0, 20), [-0.001, 0.001] * 5, np.full(10, 0.4)])
    assert metric_break(history(kid), "metric/fid", "lower", CLOCK).since == 30_000  # type: ignore[union-attr]


def test_the_same_curve_gives_the_same_answer_and_chance_has_its_share() -> None:
    values = np.random.default_rng(3).standard_normal(60)
    assert departure(values, 0.2, seed=1) == departure(values, 0.2, seed=1)
    sure = [departure(np.random.default_rng(s).standard_normal(30), 0.2).sure for s in range(60)]
    assert sum(s >= 0.95 for s in sure) <= 6 and max(sure) <= 1 - 1 / (1 + DRAWS)


def test_the_valley_is_isotonic_both_ways() -> None:
    fitted = valley(np.array([5.0, 6, 3, 1, 0, 1, 0.5, 4, 3, 8]))
    turn = int(fitted.argmin())
    assert (np.diff(fitted[: turn + 1]) <= 0).all() and (np.diff(fitted[turn:]) >= 0).all()


def test_d_loss_to_nothing_an_explosion_and_wider_swings_are_found_where_they_begin() -> None:
    after = np.clip((np.arange(2000) - 1300) / 50, 0, None)
    planted = {
        "D overpowers": (collapsing, d_loss() * np.maximum(np.exp(-2 * after), 1e-4)),
        "diverging": (exploding, d_loss() * np.minimum(np.exp(2 * after), 1e5)),
        "oscillating": (swinging, d_loss() + np.minimum(after, 8) * np.sin(np.arange(2000) / 3)),
    }
    for name, (check, values) in planted.items():
        found = check(history(values, "loss/D"), "loss/D", CLOCK)
        assert found is not None and found.name == name and abs(found.since - 1_300_000) < 130_000 and found.sure >= 0.99
        assert "of all steps came after" in found.sentence


def test_a_d_that_wins_from_the_start_is_told() -> None:
    values = d_loss() * 1e-4
    values[:5] = 1.4
    found = collapsing(history(values, "loss/D"), "loss/D", CLOCK)
    assert found is not None and found.name == "D overpowers" and found.since < 40_000


def test_healthy_losses_raise_no_alarm() -> None:
    checks = (collapsing, exploding, frozen, swinging)
    for seed in range(20):
        values = d_loss(seed) * np.linspace(1.4, 0.4, 2000)
        assert all(check(history(values, "loss/D"), "loss/D", CLOCK).good for check in checks)  # type: ignore[union-attr]
    critic = -5 * np.exp(-np.arange(2000) / 400) + 0.1 * np.random.default_rng(0).standard_normal(2000)
    assert collapsing(history(critic, "loss/D"), "loss/D", CLOCK) is None


def test_a_frozen_loss_and_one_that_is_no_number() -> None:
    values = d_loss()
    values[1500:] = 0.6931
    found = frozen(history(values, "loss/D"), "loss/D", CLOCK)
    assert found is not None and found.name == "stalled" and found.since == 1_500_000
    values[1800:] = math.nan
    lost = non_finite(history(values, "loss/D"), "loss/D", CLOCK)
    assert lost is not None and (lost.name, lost.since) == ("non-finite", 1_800_000) and "stayed so" in lost.sentence
    values[1800:] = 0.5
    values[7] = math.inf
    passing = non_finite(history(values, "loss/D"), "loss/D", CLOCK)
    assert passing is not None and "1 of 2,000 values" in passing.sentence


def test_huge_numbers_do_not_disturb() -> None:
    values = d_loss()
    values[1000:] = 1e300
    found = exploding(history(values, "loss/D"), "loss/D", CLOCK)
    assert found is not None and found.name == "diverging" and found.since == 1_000_000


def test_cost_counts_steps_and_time() -> None:
    assert cost(history(np.ones(11), seconds=60), 4000) == {"share": 0.6, "seconds": 360}


def test_examine_asks_everything_that_applies() -> None:
    rows = [{"step": i, "d_loss": 1 + i % 3, "g_loss": 1.0, "fid": 50 - i / 10} for i in range(300)]
    found = examine(log_of(rows, "log"))
    assert found[0].check == "metric" and {(f.check, f.series) for f in found if not f.verdict.good} == {("frozen", "loss/G")}
