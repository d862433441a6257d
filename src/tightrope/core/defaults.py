"""What a recipe need not say: `@recipe` gives its class these where it has none of its own. Axis: N batch, Z latent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.game import Knobs, Networks

ATTRIBUTES: dict[str, Any] = {
    "CONDITIONAL": False,
    "AVERAGED": ("G",),
    "BUFFERS": "average",
    "COMPLETES": False,
    "PLAIN_CRITIC": True,
}


def schedule(self: Any, seen: int, progress: float) -> Knobs:
    """Constant rates; the average's half-life is the field `ema`, where there is one, and at most a tenth of what was seen."""
    return Knobs(ema=min(getattr(self, "ema", 0.0), 0.1 * seen))


def latents(self: Any, n: int, generator: torch.Generator) -> Tensor:
    """Standard normal, (N, Z), with Z the field `z`."""
    return torch.randn(n, self.z, generator=generator)


def drawn(self: Any, dataset: Dataset, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """The samples that came up, and their classes."""
    return index, dataset.labels(index)


def views(self: Any, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The pictures as they are."""
    return real, given


def sample(self: Any, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """G's output; the G of a recipe that is conditional or completes samples is given the labels too."""
    return nets["G"](z, labels) if self.CONDITIONAL or self.COMPLETES else nets["G"](z)


def critic(self: Any, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
    """D itself; the D of a recipe that is conditional or completes samples is given the labels too."""
    return (lambda x: nets["D"](x, labels)) if self.CONDITIONAL or self.COMPLETES else nets["D"]


METHODS = {method.__name__: method for method in (schedule, latents, drawn, views, sample, critic)}


def complete(cls: type) -> None:
    """Give a recipe's class every default that it does not define."""
    for name, value in {**ATTRIBUTES, **METHODS}.items():
        if not hasattr(cls, name):
            setattr(cls, name, value)
