"""Which real samples to show, and how."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.given import beside, pictures_of
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


def sheet(dataset: Dataset, n: int, seed: int = 0) -> UInt8[np.ndarray, "H W 3"]:
    """`n` samples in one picture; where they are made of pictures, half as many, each after the one given (or any one)."""
    index = pick(dataset, n, seed)
    if not dataset.spec.given:
        return dataset.modality.grid(dataset.batch(index))
    index = index[: n // 2]
    data = pictures_of(dataset)
    other = index if dataset.spec.paired else torch.randperm(data.givens, generator=generator(seed, "pick"))[: len(index)]
    return dataset.modality.grid(beside(dataset.batch(index[: len(other)]), data.given(other)), 8)
