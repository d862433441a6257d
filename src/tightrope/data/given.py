"""Real samples that a program hands over in memory: tensors, arrays, torch data sets and loaders become a `core.data.Dataset`.

Axes: N samples, C channels, H W pixels, d coordinates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.data import Modality
from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.core.spec import DataSpec
from tightrope.data.images import Images
from tightrope.data.points import Points

SLACK = 1e-3  # by how much pixels may leave their range, for rounding
WANTED = "a tensor (N, 1 or 3, H, W) in [-1, 1] or (N, d), an array like it, a torch Dataset of such samples, or a DataLoader"


class Given:
    """Samples in memory; see `core.data.Dataset`. Points stay in their own units."""

    def __init__(self, values: Float[Tensor, "N *x"]) -> None:
        self.values, self.name = values, "given"
        self.licence: str | None = None
        digest = hashlib.sha256(repr(tuple(values.shape)).encode())
        digest.update(values.numpy().astype("<f4").tobytes())
        self.fingerprint, self.source = digest.hexdigest(), dict[str, Any]()
        images = values.ndim == 4
        self.spec = DataSpec(modality="images" if images else "points", shape=tuple(values.shape[1:]), count=len(values))
        self.modality: Modality = Images() if images else Points()

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *x"]:
        return self.values[index]

    def labels(self, index: Int64[Tensor, " n"]) -> None:
        """None: classes are not asked for."""


def given(data: Any, most: int) -> Given:
    """At most `most` samples, drawn evenly through the data where its length is known, else the first.

    Raises:
        InputError: what is given is no such data, or its numbers are out of range or not finite.
    """
    values = _gather(data, most)
    if values.ndim not in (2, 4) or not values.is_floating_point():
        raise InputError(f"data: found {values.dtype} of the shape {tuple(values.shape)}; give {WANTED}.")
    values = values.detach().to("cpu", torch.float32).contiguous()
    if not torch.isfinite(values).all():
        raise InputError("data: holds values that are not finite (NaN or infinity); remove those samples.")
    if values.ndim == 4 and values.abs().max() > 1 + SLACK:
        low, high = values.min().item(), values.max().item()
        raise InputError(f"data: pixels from {low:g} to {high:g}; scale them to [-1, 1], the range of the generator's tanh.")
    return Given(values)


def _gather(data: Any, most: int) -> Tensor:
    if isinstance(data, np.ndarray):
        data = torch.from_numpy(data)
    if isinstance(data, Tensor):
        return data[_spread(len(data), most)] if data.ndim else data
    if hasattr(data, "spec") and hasattr(data, "batch"):  # one of this package's own
        return data.batch(_spread(len(data), most))
    samples = data.dataset if isinstance(data, torch.utils.data.DataLoader) else data  # without starting its workers
    found = [_sample(item) for item in _items(samples, most)]
    if not found or any(item.shape != found[0].shape for item in found):
        raise InputError(f"data: {'samples of different shapes' if found else 'no samples'}; give {WANTED}.")
    return torch.stack(found)


def _items(samples: Any, most: int) -> Iterator[Any]:
    if hasattr(samples, "__len__") and hasattr(samples, "__getitem__"):
        return (samples[int(i)] for i in _spread(len(samples), most))
    if isinstance(samples, Iterable):
        return islice(iter(samples), most)
    raise InputError(f"data: is a {type(samples).__name__}; give {WANTED}.")


def _sample(item: Any) -> Tensor:
    """The sample of an item: itself, or the first of (sample, label)."""
    first = item[0] if isinstance(item, (tuple, list)) and item else item
    if isinstance(first, np.ndarray):
        first = torch.from_numpy(first)
    if not isinstance(first, Tensor):
        raise InputError(f"data: its items are {type(first).__name__}; give tensors, or tuples that begin with one.")
    return first


def _spread(length: int, most: int) -> Int64[Tensor, " n"]:
    """min(length, most) indices, rising: one drawn from each of as many equal stretches, for data in order of class."""
    n = min(length, most)
    edges = torch.arange(n + 1) * length // max(n, 1)
    return edges[:-1] + (torch.rand(n, generator=generator(0, "given"), dtype=torch.float64) * edges.diff()).long()
