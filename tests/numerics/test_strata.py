"""Draws: samples by the values of their columns, numbers that a latent determines."""

from __future__ import annotations

import torch

from tightrope.core.blocks import Block
from tightrope.core.strata import Strata
from tightrope.networks.layers import dice
from toys import normal

CODES = torch.tensor([[0, 1], [0, 0], [2, 1], [0, 1], [2, 0], [0, 1]])  # of the first block, value 1 is of no sample


def strata() -> Strata:
    sizes = (3, 2)
    blocks = [Block(column=str(i), kind="onehot", role="category", start=3 * i, stop=3 * i + n) for i, n in enumerate(sizes)]
    return Strata(blocks, CODES.int())


def test_values_come_by_the_logarithm_of_their_frequency() -> None:
    found, n = strata(), 40_000
    values = found.values(torch.tensor([0, 1]).repeat(n), torch.Generator().manual_seed(0)).view(n, 2)
    for block, count in enumerate(([4, 0, 2], [2, 4])):
        wanted = torch.tensor(count).double().log1p()
        shares = torch.bincount(values[:, block], minlength=len(count)) / n
        assert torch.allclose(shares.double(), wanted / wanted.sum(), atol=0.01)
        assert found.counts[block].tolist() == count
    assert not (values[:, 0] == 1).any()


def test_samples_are_drawn_evenly_from_those_with_the_value() -> None:
    blocks, values = torch.tensor([0, 1, 0, 1]).repeat(3_000), torch.tensor([2, 1, 0, 0]).repeat(3_000)
    rows = strata().draw(blocks, values, torch.Generator().manual_seed(0))
    assert torch.equal(CODES[rows, blocks], values)
    for block, value in ((0, 2), (1, 1), (0, 0), (1, 0)):
        mine = torch.bincount(rows[(blocks == block) & (values == value)], minlength=6)
        there = CODES[:, block] == value
        assert (mine[there] > 0.8 * 3_000 / there.sum()).all()


def test_numbers_of_a_latent_do_not_depend_on_the_batch_nor_on_how_many_are_asked_for() -> None:
    z = normal(4_000, 5, 0)
    many = dice.uniform(z, 9)
    assert torch.equal(dice.uniform(z[7:9], 9), many[7:9])
    for skip in range(9):
        for m in range(1, 10 - skip):
            assert torch.equal(dice.uniform(z, m, skip), many[:, skip : skip + m])
    assert many.min() > 0
    assert many.max() < 1
    assert (many.mean(0) - 0.5).abs().max() < 0.02
    assert (many.var(0) - 1 / 12).abs().max() < 0.005
    assert (torch.corrcoef(many.T) - torch.eye(9)).abs().max() < 0.06
