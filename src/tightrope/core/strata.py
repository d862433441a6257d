"""Samples by the values of their columns, so that the rare can be drawn as often as the frequent. Axes: n samples, b blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int, Int64
from torch import Tensor

from tightrope.core.blocks import Block


class Strata:
    """A stratum is the samples with one value of one one-hot block.

    Memory: four bytes a sample and block.

    Attributes:
        blocks: those whose values are told apart.
        counts: of each block, how many samples have each value.
    """

    def __init__(self, blocks: Sequence[Block], codes: Int[Tensor, "n b"]) -> None:
        """`codes`: the value of each sample in each block, from 0."""
        self.blocks = tuple(blocks)
        self.counts = [torch.bincount(column.long(), minlength=b.size) for b, column in zip(self.blocks, codes.T, strict=True)]
        self._order = torch.empty(codes.shape[1], len(codes), dtype=torch.int32)
        for row, column in zip(self._order, codes.T, strict=True):  # one at a time: the places come in eight bytes each
            row.copy_(column.argsort(stable=True))
        # of all strata, block by block: how many samples, where in the order, and k + the share of the logarithms up to there
        sizes = torch.tensor([block.size for block in self.blocks], dtype=torch.long)
        self._first = sizes.cumsum(0) - sizes
        flat = [torch.zeros(0, dtype=torch.long), *self.counts]
        self._count, self._start = torch.cat(flat), torch.cat([count.cumsum(0) - count for count in flat])
        logarithms = [count.double().log1p().cumsum(0) for count in self.counts]
        self._ends = torch.cat([flat[0].double(), *[k + ends / ends[-1] for k, ends in enumerate(logarithms)]])

    def values(self, blocks: Int64[Tensor, " m"], generator: torch.Generator) -> Int64[Tensor, " m"]:
        """A value of each block (its place in `blocks`) by the logarithm of its frequency (Xu et al. 2019, section 4.3)."""
        chance = torch.rand(len(blocks), generator=generator, dtype=torch.float64)
        return torch.searchsorted(self._ends, blocks + chance, right=True) - self._first[blocks]

    def draw(self, blocks: Int64[Tensor, " m"], values: Int64[Tensor, " m"], generator: torch.Generator) -> Int64[Tensor, " m"]:
        """A sample for each value of a block, drawn with equal chances from those that have it."""
        stratum = self._first[blocks] + values
        within = (torch.rand(len(values), generator=generator, dtype=torch.float64) * self._count[stratum]).long()
        return self._order[blocks, self._start[stratum] + within].long()
