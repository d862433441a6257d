"""Diversity within a set: closed forms, and what collapse does to it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics import diversity
from tightrope.metrics.diversity import (
    birthday_support,
    duplicate_scale,
    mean_pairwise_distance,
    near_duplicates,
    pair_diversity,
    vendi,
    vendi_bandwidth,
)
from toys import normal, numbers


def test_mean_pairwise_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mean_pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0]])) == pytest.approx(5)
    x = numbers(400, 6, 1)
    assert mean_pairwise_distance(x) == pytest.approx(0.974890849047965, rel=1e-9)  # scipy 1.17.1, pdist
    monkeypatch.setattr(diversity, "BLOCK", (7, 33))
    assert mean_pairwise_distance(x + 100) == pytest.approx(0.974890849047965, rel=1e-5)
    assert mean_pairwise_distance(x[:1].expand(50, -1)) == 0


def test_near_duplicates_and_support() -> None:
    real = normal(500, 16, 1)
    scale = duplicate_scale(real)
    fresh, few = normal(500, 16, 2), normal(50, 16, 3)[torch.randint(50, (500,), generator=torch.Generator().manual_seed(0))]
    jittered = few + 1e-2 * normal(500, 16, 4)
    assert not near_duplicates(fresh, scale).any() and birthday_support(fresh, scale).pairs == 0
    assert near_duplicates(jittered, scale).double().mean() > 0.99
    assert birthday_support(jittered, scale).samples == pytest.approx(50, rel=0.1)


def test_support_by_hand() -> None:
    points = torch.tensor([[0.0], [0.1], [5.0], [9.0], [9.1], [9.2]])
    assert birthday_support(points, 0.15) == (6 * 5 / 2 / 3, 3)
    assert birthday_support(points, 0.0) == (15, 0)
    assert near_duplicates(points, 0.15).tolist() == [True, True, False, True, True, True]
    assert duplicate_scale(torch.tensor([[0.0], [4.0], [8.0]])) == 1


def test_vendi_counts_what_is_different() -> None:
    assert vendi(torch.eye(4).repeat(5, 1)) == pytest.approx(4)
    assert vendi(100 * torch.eye(4).repeat(5, 1), bandwidth=1.0) == pytest.approx(4)
    assert vendi(torch.ones(7, 3), bandwidth=1.0) == pytest.approx(1) == vendi(torch.ones(7, 3))
    uneven = torch.eye(2)[[0, 0, 0, 1]]
    assert vendi(uneven) == pytest.approx(math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)))


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_vendi_by_the_smaller_matrix(shape: tuple[int, int]) -> None:
    x = torch.nn.functional.normalize(normal(*shape, 1).double())
    share = torch.linalg.eigvalsh(x @ x.T / len(x)).clamp(min=1e-300)
    assert vendi(x) == pytest.approx((-share * share.log()).sum().exp().item(), rel=1e-9)


def test_vendi_falls_with_shrinkage() -> None:
    x = normal(300, 8, 1)
    bandwidth = vendi_bandwidth(x)
    assert vendi(0.5 * x, bandwidth) < 0.8 * vendi(0.8 * x, bandwidth) < 0.8 * vendi(x, bandwidth)
    pairs = torch.pdist(x.double())
    assert bandwidth == pytest.approx(pairs.median().item() / 2)


def test_pair_diversity() -> None:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().flatten(1).sum(1)

    x = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    assert pair_diversity(distance, x, pairs=100) == (1, 0)
    x = numbers(30, 4, 1)
    first = pair_diversity(distance, x, pairs=2_000, seed=3)
    expected = (x[:, None] - x[None]).abs().sum(-1).sum().item() / (30 * 29)
    assert first.mean == pytest.approx(expected, abs=4 * first.standard_error)
    assert pair_diversity(distance, x, pairs=2_000, seed=3) == first != pair_diversity(distance, x, pairs=2_000, seed=4)
    with pytest.raises(InputError, match="finite number a pair"):
        pair_diversity(lambda a, b: distance(a, b) * torch.nan, x)
    with pytest.raises(InputError, match="at least 2"):
        pair_diversity(distance, x[:1])


def test_bad_input() -> None:
    x = normal(10, 3, 0)
    for function in (
        mean_pairwise_distance,
        duplicate_scale,
        vendi_bandwidth,
        lambda x: near_duplicates(x, 1.0),
        lambda x: birthday_support(x, 1.0),
    ):
        with pytest.raises(InputError, match="n >= 2"):
            function(x[:1])
        with pytest.raises(InputError, match="NaN or an infinity"):
            function(x * torch.nan)
    for scale in (-1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="scale"):
            near_duplicates(x, scale)
    with pytest.raises(InputError, match="above 0"):
        vendi(x, bandwidth=0.0)
    with pytest.raises(InputError, match="no direction"):
        vendi(torch.zeros(3, 2))
    with pytest.raises(InputError, match="distance 0"):
        vendi_bandwidth(torch.ones(9, 2))
