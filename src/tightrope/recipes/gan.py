"""The original adversarial game between two multi-layer perceptrons, with the minimax or the non-saturating loss.

Paper:  Goodfellow et al., "Generative adversarial nets", NeurIPS 2014, arXiv:1406.2661.
Run:    tightrope train gan fashion
Expect: recognisable garments with isolated noise pixels; most of the modes of ring8 missing (the paper's own failure).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.mlp import MLPCritic, MLPGenerator
from tightrope.objectives import ALL


@recipe
class GAN:
    """Rectifier generator against a maxout discriminator, as in the paper's code for MNIST."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images", "points")
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 16, "d_width": 8, "batch": 8, "z": 4},
        "points": {"width": 128, "d_width": 128, "pieces": 1, "lr": 1e-3, "batch": 256, "z": 16},
    }

    objective: str = hyper("non-saturating", "adversarial loss", choices=("minimax", "non-saturating"))
    width: int = hyper(1200, "units of each of G's two hidden layers", low=1, high=16384)
    d_width: int = hyper(240, "units of each of D's two hidden layers", low=1, high=16384)
    pieces: int = hyper(5, "affine maps a maxout unit of D; 1 makes leaky rectifiers", low=1, high=16)
    dropout: float = hyper(0.0, "share of D's hidden units dropped", low=0.0, high=0.9, paper=0.5)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    lr: float = hyper(2e-4, "learning rate of both players (the paper: momentum SGD at 0.1)", low=1e-7, high=1.0)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(100, "samples of a batch", low=2, high=65536)
    ema: float = hyper(0.0, "half-life of G's weight average, in samples; 0 is none, as in the paper", low=0.0, high=1e9)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        return {
            "G": MLPGenerator(self.z, spec.shape, width=self.width, depth=2),
            "D": MLPCritic(spec.shape, width=self.d_width, depth=2, pieces=self.pieces, dropout=self.dropout),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, on_fake = nets["D"](batch.real), nets["D"](fake)
        return Terms(adversarial=ALL[self.objective].d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        return Terms(adversarial=ALL[self.objective].g(nets["D"](fake), None))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, self.z, generator=generator) * 2 - 1
