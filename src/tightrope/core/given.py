"""Where latents come from: a recipe draws them; where samples are made of pictures, the data gives those.

Axes: N batch.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from tightrope.core.data import Dataset, Translatable
from tightrope.core.game import Recipe
from tightrope.core.spec import DataSpec


def pictures_of(dataset: Dataset) -> Translatable:
    """The data, seen as what gives pictures; only where `spec.given` is not empty."""
    return cast(Translatable, dataset)


def latents(recipe: Recipe, spec: DataSpec, n: int, generator: torch.Generator) -> Tensor:
    """Latents without any data: where pictures are given, noise of their shape, (N, *given), in [-1, 1]."""
    if spec.given:
        return torch.rand(n, *spec.given, generator=generator) * 2 - 1
    return recipe.latents(n, generator)


def bound(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe, with the pictures of the data for latents where there are any."""
    return cast(Recipe, Bound(recipe, dataset)) if dataset.spec.given else recipe


def beside(made: Tensor, given: Tensor, wanted: Tensor | None = None) -> Tensor:
    """Pictures in the order given, made, wanted, given ..., all as large and of as many channels as those made."""
    size, channels = made.shape[-2:], made.shape[1]
    given = torch.nn.functional.interpolate(given, size=size, mode="nearest")
    given = given.mean(1, keepdim=True) if channels == 1 else given[:, :channels].expand(-1, channels, -1, -1)
    row = [given, made] if wanted is None else [given, made, wanted]
    return torch.stack(row, 1).flatten(0, 1)


class Bound:
    """A recipe whose latents are the pictures that its data gives; everything else is the recipe's."""

    def __init__(self, inner: Recipe, dataset: Dataset) -> None:
        self.inner, self.dataset = inner, dataset

    def __getattr__(self, name: str) -> Any:
        if name == "inner" or name.startswith("__"):  # a copy in the making
            raise AttributeError(name)
        return getattr(self.inner, name)

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Any pictures given, (N, *given), none twice while there are enough."""
        data = pictures_of(self.dataset)
        index = torch.cat([torch.randperm(data.givens, generator=generator) for _ in range(-(-n // data.givens))])
        return data.given(index[:n])
