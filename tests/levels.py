"""A toy that makes images of a class by their brightness: class k is grey of level k, latents add a little.

Paper:  none; written for the tests of classes (the objective is Goodfellow et al. 2014, arXiv:1406.2661).
Run:    tightrope train tests/levels.py DATA
Expect: not reproduced here.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.labels import weights
from tightrope.core.spec import DataSpec
from tightrope.objectives import non_saturating

NAMES = ("Dark night", "Dusk", "Dawn", "Bright/day")
SIDE = 8


class Grey(nn.Module):
    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.shape = shape
        self.levels = nn.Parameter(torch.linspace(-0.75, 0.75, classes))
        self.pattern = nn.Parameter(torch.randn(4, int(np.prod(shape)), generator=torch.Generator().manual_seed(0)) * 0.03)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        level = weights(labels, len(self.levels)) @ self.levels
        return (level[:, None] + z @ self.pattern).unflatten(1, self.shape)


class Linear(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layer = nn.Linear(int(np.prod(shape)), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1)).squeeze(1)


@recipe
class Levels:
    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    CONDITIONAL: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {}}

    uniform: bool = hyper(False, "latents from -1 to 1 instead of normal ones")
    lr: float = hyper(1e-6, "learning rate", low=1e-9, high=1.0)
    batch: int = hyper(8, "images of a batch", low=2, high=64)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        return {"G": Grey(spec.shape, spec.labelled("levels")), "D": Linear(spec.shape)}

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, shared=False)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = nets["G"](batch.z, batch.labels)
        return Terms(adversarial=non_saturating.d(nets["D"](batch.real), nets["D"](fake)))

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=non_saturating.g(nets["D"](nets["G"](batch.z, batch.labels)), None))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, 4, generator=generator) * 2 - 1 if self.uniform else torch.randn(n, 4, generator=generator)


def shades(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Real images, uint8 (n, SIDE, SIDE), and their classes."""
    labels = np.arange(n) % len(NAMES)
    z = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    images = Grey((1, SIDE, SIDE), len(NAMES))(z, torch.from_numpy(labels)).detach()
    return ((images[:, 0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy(), labels
