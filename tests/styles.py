"""A toy in two halves: w is linear in z and the class, each of four layers adds three patterns that are linear in its style.

Paper:  none; written for the tests of steering (the halves are those of Karras et al. 2019, arXiv:1812.04948).
Run:    tightrope train tests/styles.py DATA
Expect: not reproduced here.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from levels import Linear
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.labels import weights
from tightrope.core.spec import DataSpec
from tightrope.objectives import non_saturating

Z, W, LAYERS, SIDE = 6, 5, 4, 8


class Mapping(nn.Module):
    w_avg: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(Z + classes, W)
        self.register_buffer("w_avg", torch.full((W,), 0.25))

    def forward(self, z: Tensor, c: Tensor | None, truncation_psi: float = 1, truncation_cutoff: int | None = None) -> Tensor:
        z = z / z.square().mean(1, keepdim=True).sqrt()
        ws = self.fc(z if c is None else torch.cat([z, c], 1))[:, None].repeat(1, LAYERS, 1)
        near = self.w_avg.lerp(ws, truncation_psi)
        return torch.cat([near[:, :truncation_cutoff], ws[:, LAYERS if truncation_cutoff is None else truncation_cutoff :]], 1)


class Layer(nn.Module):
    """Adds patterns by its style; it has a matrix of its own, as a modulated convolution has."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.affine = nn.Linear(W, 3)
        draw = torch.Generator().manual_seed(index)
        self.affine.weight.data = torch.randn(3, W, generator=draw) * torch.tensor([2.0, 1.0, 0.5])[:, None] * (index + 1)
        self.patterns = nn.Parameter(torch.randn(3, SIDE * SIDE, generator=draw) * 0.05)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return x + self.affine(w) @ self.patterns


class Synthesis(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer(index) for index in range(LAYERS)])

    def forward(self, ws: Tensor, noise_mode: str = "random") -> Tensor:
        x = ws.new_zeros(len(ws), SIDE * SIDE)
        for layer, w in zip(self.layers, ws.unbind(1), strict=True):
            x = layer(x, w)
        return torch.tanh(x).unflatten(1, (1, SIDE, SIDE))


class Halves(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = Z, classes, W, LAYERS
        self.mapping, self.synthesis = Mapping(classes), Synthesis()

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return self.synthesis(self.mapping(z, c), noise_mode="const")


@recipe
class Toy:
    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {}}

    by_class: bool = hyper(False, "make samples by class")
    z: int = hyper(6, "latent dimension", low=6, high=6)
    lr: float = hyper(1e-6, "learning rate", low=1e-9, high=1.0)
    batch: int = hyper(8, "images of a batch", low=2, high=64)

    @property
    def CONDITIONAL(self) -> bool:
        return self.by_class

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        return {"G": Halves(len(spec.classes) if self.by_class else 0), "D": Linear(spec.shape)}

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, shared=False)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=non_saturating.d(nets["D"](batch.real), nets["D"](nets["G"](batch.z))))

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=non_saturating.g(nets["D"](nets["G"](batch.z)), None))

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return nets["G"](z, None if labels is None else weights(labels, nets["G"].c_dim))
