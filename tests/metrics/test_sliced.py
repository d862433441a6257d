"""MIND against distances that are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics import sliced
from tightrope.metrics.sliced import monge_distance


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_dimension_is_three_times_the_sorted_gap() -> None:
    x, y = normal(50, 1), normal(50, 1, 1) + 2
    expected = 3 * (x.sort(0).values - y.sort(0).values).square().mean().item()
    assert monge_distance(x, y, directions=5) == pytest.approx(expected)


def test_a_shift_costs_three_times_its_square() -> None:
    """The mean over the sphere of (u . shift)^2 is |shift|^2 / d."""
    x, shift = normal(100, 6), torch.arange(6.0, dtype=torch.float64)
    found = monge_distance(x, x + shift, directions=20_000)
    assert found == pytest.approx(3 * shift.square().sum().item(), rel=0.02)


def test_order_does_not_matter_and_equal_sets_are_at_zero() -> None:
    x, y = normal(80, 6), normal(80, 6, 1)
    assert monge_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-12)
    assert monge_distance(x, y) == monge_distance(y, x) > 0


def test_seeds_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(80, 6).float(), normal(80, 6, 1).float()
    whole = monge_distance(x, y, directions=100)
    assert monge_distance(x, y, directions=100) == whole != monge_distance(x, y, directions=100, seed=1)
    monkeypatch.setattr(sliced, "COLUMNS", 7)
    assert monge_distance(x, y, directions=100) == pytest.approx(whole, rel=1e-9)


def test_bad_input_is_refused() -> None:
    x = normal(10, 3)
    for bad in (x[:9], x[:0], x[:, :2], x * torch.nan):
        with pytest.raises(InputError):
            monge_distance(x, bad)
    with pytest.raises(InputError, match="direction"):
        monge_distance(x, x, directions=0)
