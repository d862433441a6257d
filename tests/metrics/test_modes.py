"""The mode report on points whose answer is known by counting."""

from __future__ import annotations

import math

import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.metrics.modes import mode_report, stacked_modes

GRID = torch.cartesian_prod(*[torch.tensor([-4.0, -2, 0, 2, 4])] * 2)


def test_every_centre_once() -> None:
    report = mode_report(GRID.repeat(100, 1), GRID, 0.05)
    assert report.captured == 25 and report.high_quality == 1.0
    assert report.reverse_kl == pytest.approx(0, abs=1e-12)


def test_one_mode_and_noise() -> None:
    far = GRID[:20] + torch.tensor([0.2, 0.0])  # 4 sigma from their centres: neither captured nor of high quality
    report = mode_report(torch.cat([GRID[:1].repeat(60, 1), far]), GRID, 0.05)
    assert report.captured == 1 and report.high_quality == 0.75
    assert report.reverse_kl == pytest.approx(math.log(25))


def test_unequal_shares() -> None:
    centres = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    points = torch.cat([centres[:1].repeat(3, 1), centres[1:2]])
    expected = 0.75 * math.log(0.75 * 4) + 0.25 * math.log(0.25 * 4)
    report = mode_report(points, centres, 0.01)
    assert report.captured == 2 and report.reverse_kl == pytest.approx(expected)


def test_three_sigma_is_the_border() -> None:
    centre = torch.zeros(1, 2, dtype=torch.float64)
    inside, outside = torch.tensor([[0.2999, 0.0]]), torch.tensor([[0.0, 0.3001]])
    assert mode_report(torch.cat([inside, outside]), centre, 0.1).high_quality == 0.5


def test_none_of_high_quality_is_the_largest_divergence() -> None:
    report = mode_report(GRID + 1, GRID, 0.05)
    assert report == (0, 0.0, math.log(25))


def test_a_perfect_sampler_reaches_its_ceilings() -> None:
    draw = torch.Generator().manual_seed(0)
    which = torch.randint(25, (50_000,), generator=draw)
    points = GRID[which] + 0.05 * torch.randn(50_000, 2, generator=draw)
    report = mode_report(points, GRID, 0.05)
    assert report.captured == 25
    assert report.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    assert report.reverse_kl == pytest.approx(24 / 100_000, rel=1)


def test_wrong_points_are_refused() -> None:
    with pytest.raises(InputError, match="expected"):
        mode_report(torch.zeros(4, 3), GRID, 0.05)
    with pytest.raises(InputError, match="expected"):
        mode_report(torch.zeros(0, 2), GRID, 0.05)
    with pytest.raises(InputError, match="NaN"):
        mode_report(torch.tensor([[float("nan"), 0.0]]), GRID, 0.05)


EVERY = torch.cartesian_prod(*[torch.arange(10)] * 3)


def test_every_stack_once() -> None:
    report = stacked_modes(EVERY)
    assert report.captured == 1_000 and report.reverse_kl == pytest.approx(0, abs=1e-12)


def test_stacks_that_lack_modes() -> None:
    report = stacked_modes(EVERY[EVERY[:, 1] < 5].to(torch.uint8))
    assert report.captured == 500 and report.reverse_kl == pytest.approx(math.log(2))
    one = stacked_modes(torch.tensor([[9, 9, 9]] * 7))
    assert one.captured == 1 and one.reverse_kl == pytest.approx(math.log(1_000))
    two_kinds = stacked_modes(torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]]), kinds=2)
    expected = math.log(8) - 1.5 * math.log(2)
    assert two_kinds.captured == 3 and two_kinds.reverse_kl == pytest.approx(expected)


def test_a_perfect_sampler_of_stacks_has_the_stated_divergence() -> None:
    draw = torch.Generator().manual_seed(0)
    report = stacked_modes(torch.randint(10, (26_000, 3), generator=draw))
    assert report.captured == 1_000
    assert report.reverse_kl == pytest.approx(report.perfect_reverse_kl, rel=0.15)


def test_wrong_stacks_are_refused() -> None:
    for bad in (EVERY[:0], EVERY[:, :2], EVERY.float(), EVERY[0]):
        with pytest.raises(InputError, match="whole numbers"):
            stacked_modes(bad)
    for bad in (EVERY - 1, EVERY + 1):
        with pytest.raises(InputError, match="classes lie in"):
            stacked_modes(bad)
