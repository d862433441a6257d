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
        self.counts: list[Int64[Tensor, " k"]] = []
        self._starts: list[Int64[Tensor, " k"]] = []
        self._order: list[Int[Tensor, " n"]] = []
        for block, column in zip(self.blocks, codes.T, strict=True):
            count = torch.bincount(column.long(), minlength=block.size)
            self.counts.append(count)
            self._starts.append(count.cumsum(0) - count)
            self._order.append(column.argsort(stable=True).to(torch.int32))

    def draw(self, block: int, values: Int64[Tensor, " m"], generator: torch.Generator) -> Int64[Tensor, " m"]:
        """A sample for each value of a block (its place in `blocks`), drawn with equal chances from those that have it."""
        count = self.counts[block][values]
        within = (torch.rand(len(values), generator=generator, dtype=torch.float64) * count).long()
        return self._order[block][self._starts[block][values] + within].long()
