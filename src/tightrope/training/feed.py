"""The feed: batches as a pure function of (seed, number of the draw), so that a resumed run sees what the straight one saw."""

from __future__ import annotations

import torch
from torch import Tensor

from tightrope.core import seeds
from tightrope.core.data import Dataset
from tightrope.core.game import Batch, Recipe
from tightrope.core.given import pictures_of
from tightrope.training.engine import Engine


class Feed:
    """Draws batches. Every epoch is a fresh permutation; batches run across its border, so none is short.

    All processes draw the same global batch and take their own slice of it: two processes train on what one would.
    """

    def __init__(self, recipe: Recipe, dataset: Dataset, engine: Engine, seed: int) -> None:
        self.recipe, self.dataset, self.engine, self.seed = recipe, dataset, engine, seed
        self.mine = engine.share(recipe.batch)
        self._orders: dict[int, Tensor] = {}  # epoch -> permutation, two at most

    def draw(self, number: int, round: int) -> Batch:
        """The batch of draw `number` (counted from 0 over the whole run)."""
        size = self.recipe.batch
        whole = self._indices(number * size, size)
        chance = seeds.generator(self.seed, "drawn", number)
        whole, known = self.recipe.drawn(self.dataset, whole, chance)  # of all, so that it does not depend on the split
        index, labels = whole[self.mine], None if known is None else known[self.mine]
        if self.dataset.spec.given:  # crops, flips and partners: also of all
            dice = seeds.generator(self.seed, "given", number)
            pictures = self.recipe.views(*pictures_of(self.dataset).drawn(whole, dice), dice)
            real, z = (x[self.mine] for x in pictures)
        else:
            real = self.dataset.batch(index)
            z = self.recipe.latents(size, seeds.generator(self.seed, "z", number))[self.mine]
        return Batch(
            real=self.engine.bring(real),
            z=self.engine.bring(z),
            labels=None if labels is None else self.engine.bring(labels),
            round=round,
        )

    def _indices(self, start: int, size: int) -> Tensor:
        length = len(self.dataset)
        first, last = start // length, (start + size - 1) // length
        orders = torch.cat([self._order(epoch) for epoch in range(first, last + 1)])
        return orders[start - first * length : start - first * length + size]

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            self._orders = {e: o for e, o in self._orders.items() if e == epoch - 1}
            length = len(self.dataset)
            self._orders[epoch] = torch.randperm(length, generator=seeds.generator(self.seed, "order", epoch))
        return self._orders[epoch]
