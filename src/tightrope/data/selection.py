"""Which real samples to show."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.seeds import generator


def pick(dataset: Dataset, n: int, seed: int = 0) -> Int64[Tensor, " n"]:
    """`n` different indices (all, if there are fewer), the same for the same seed; classes take turns if there are any."""
    order = torch.randperm(len(dataset), generator=generator(seed, "pick"))
    labels = dataset.labels(order)
    if labels is None:
        return order[:n]
    # position of each sample within its class, in shuffled order: sorting by it deals the classes out in turn
    within = torch.empty_like(labels)
    for label in range(len(dataset.spec.classes)):
        mine = labels == label
        within[mine] = torch.arange(int(mine.sum()))
    turn = within * len(dataset.spec.classes) + labels
    return order[turn.argsort(stable=True)[:n]]
