"""Intervals on numbers whose truth is known. benchmarks/intervals.py counts on real images how often they hold it."""

from __future__ import annotations

import statistics

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.frechet import frechet_from_features
from tightrope.metrics.intervals import (
    bootstrap,
    extrapolate,
    frechet_infinity,
    frechet_interval,
    groups,
    jackknife,
    share_interval,
)
from tightrope.metrics.kernel import unbiased_kernel_distance


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_wilson() -> None:
    """Figures of the formula by hand: 0 of 10 ends at z^2 / (10 + z^2)."""
    none, all_of_them, half = share_interval(0, 10), share_interval(10, 10), share_interval(50, 100)
    assert none == pytest.approx((0, 0, 0.27753), abs=1e-5) and all_of_them == pytest.approx((1, 0.72247, 1), abs=1e-5)
    assert half == pytest.approx((0.5, 0.40383, 0.59617), abs=1e-5)
    for bad in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(InputError, match="no share"):
            share_interval(*bad)


def test_bootstrap_of_a_mean() -> None:
    x = normal(400, 1)
    found = bootstrap(lambda z: z.mean().item(), x)
    half = 1.96 * x.std().item() / 20
    assert found.value == x.mean().item() and found == bootstrap(lambda z: z.mean().item(), x)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.15 * half)
    for bad in ({"resamples": 10}, {}):
        with pytest.raises(InputError):
            bootstrap(lambda z: 0.0, x if bad else x[:0], **bad)


def mean_gap(real: list[Tensor], fake: list[Tensor]) -> float:
    return (torch.cat(real).mean() - torch.cat(fake).mean()).item()


def squared_gap(real: list[Tensor], fake: list[Tensor]) -> float:
    return (torch.cat(real).double().mean(0) - torch.cat(fake).double().mean(0)).square().sum().item()


def test_jackknife_of_a_linear_statistic_is_the_textbook_s() -> None:
    x, y = normal(2_000, 1), normal(1_000, 1, 1) * 2
    found = jackknife(mean_gap, groups(x, 100), groups(y, 100))
    half = 1.97 * (x.var() / 2_000 + y.var() / 1_000).sqrt().item()
    assert (found.plain.high - found.plain.low) / 2 == pytest.approx(half, rel=0.15)
    assert found.corrected.value == pytest.approx(found.plain.value, abs=1e-6)


def test_jackknife_takes_the_bias_of_a_quadratic_statistic_away() -> None:
    """It becomes the U-statistic of the groups' means; exactly, for equal groups."""
    x, y = normal(200, 5), normal(200, 5, 1) + 0.1
    found = jackknife(squared_gap, groups(x, 20), groups(y, 20)).corrected.value
    means = [torch.stack([part.double().mean(0) for part in groups(z, 20)]) for z in (x, y)]
    within = [(m.sum(0).square().sum() - m.square().sum()).item() / 380 for m in means]
    exact = sum(within) - 2 * (means[0].mean(0) @ means[1].mean(0)).item()
    assert found == pytest.approx(exact, rel=1e-6)


def test_it_serves_other_distances() -> None:
    def statistic(real: list[Tensor], fake: list[Tensor]) -> float:
        return unbiased_kernel_distance(torch.cat(real), torch.cat(fake))

    found = jackknife(statistic, groups(normal(300, 6), 10), groups(normal(300, 6, 1) + 0.3, 10))
    assert 0 < found.plain.low < found.plain.value < found.plain.high
    half = (found.plain.high - found.plain.low) / 2
    assert abs(found.corrected.value - found.plain.value) < half / 2  # there was no bias to take away


def test_frechet_intervals_hold_the_truth() -> None:
    """Draws of equal Gaussians: the distance has an expectation at this n, and is 0 at infinite n."""
    pairs = [(normal(300, 8, 2 * i), normal(300, 8, 2 * i + 1)) for i in range(10)]
    found = [frechet_interval(*pair) for pair in pairs]
    truth = statistics.fmean(f.plain.value for f in found)
    assert sum(f.plain.low <= truth <= f.plain.high for f in found) >= 9
    assert sum(f.corrected.low <= 0 <= f.corrected.high for f in found) >= 9
    assert abs(statistics.fmean(f.corrected.value for f in found)) < truth / 5
    assert found[0].plain.value == pytest.approx(frechet_from_features(*pairs[0]), rel=1e-9)


def test_the_line_to_infinity() -> None:
    sizes = [100, 150, 300, 900]
    line = extrapolate(sizes, [2 + 50 / n for n in sizes])
    assert line == pytest.approx((2, 50, 1))
    assert extrapolate(sizes, [3.0] * 4) == pytest.approx((3, 0, 1))
    x, y = normal(1_500, 8), normal(1_500, 8, 1) + 0.5
    found = frechet_infinity(x, y)
    assert found.low < 8 * 0.25 < found.high and found.high - found.low < 1


def test_groups_deal_out_every_sample_once() -> None:
    parts = groups(torch.arange(103).float()[:, None], 10)
    assert sorted(map(len, parts)) == [10] * 7 + [11] * 3
    assert torch.cat(parts).flatten().sort().values.tolist() == list(range(103))


def test_bad_input_is_refused() -> None:
    x = normal(400, 3)
    for bad in (x[:39], x[:, :2], x * torch.nan):
        for interval in (frechet_interval, frechet_infinity):
            with pytest.raises(InputError):
                interval(x, bad)
    with pytest.raises(InputError, match="more samples"):
        groups(x[:3], 4)
    with pytest.raises(InputError, match="parts"):
        jackknife(mean_gap, groups(x, 4), groups(x, 4))
    for sizes, values in (([1, 2], [1, 2]), ([5, 5, 5], [1, 2, 3]), ([1, 2, 3], [1, 2, float("nan")]), ([0, 1, 2], [1, 2, 3])):
        with pytest.raises(InputError, match="extrapolate"):
            extrapolate(sizes, values)
