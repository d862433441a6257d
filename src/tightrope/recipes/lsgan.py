"""Least squares in place of the logistic loss: samples on the right side of the border, but far from it, still get a gradient.

Paper:  Mao et al., "Least squares generative adversarial networks", ICCV 2017, arXiv:1611.04076.
Run:    tightrope train lsgan fashion
Expect: half a minute of a CPU core (24,000 images of fashion, one seed): Frechet distance 5.8 by fashion-cnn, sneakers and
        sandals ragged. Points: 8 of 8 modes of ring8 and 82 % good after 420,000 points, 23 of 25 of grid25 after 670,000.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.mlp import MLPCritic, MLPGenerator
from tightrope.objectives import least_squares


@recipe
class LSGAN:
    """Equation 9: targets of 0 and 1 for D, of 1 for G. DCGAN's networks (the paper's have stride-1 layers between)."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images", "points")
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "z": 4, "batch": 4},
        "points": {"width": 128, "z": 2, "lr": 1e-3, "batch": 256},
    }

    width: int = hyper(32, "channels at the highest resolution (points: units of a hidden layer)", low=1, high=1024, paper=64)
    z: int = hyper(100, "latent dimension", low=1, high=4096, paper=1024)
    lr: float = hyper(5e-4, "learning rate of both players", low=1e-7, high=1.0, paper=1e-3)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(16, "samples of a batch", low=2, high=65536, paper=64)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in samples; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        if spec.modality == "points":
            return {
                "G": MLPGenerator(self.z, spec.shape, width=self.width, depth=3),
                "D": MLPCritic(spec.shape, width=self.width, depth=3),
            }
        return {
            "G": DCGANGenerator(self.z, channels=spec.channels, size=spec.size, width=self.width),
            "D": DCGANCritic(channels=spec.channels, size=spec.size, width=self.width),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, on_fake = nets["D"](batch.real), nets["D"](fake)
        return Terms(adversarial=least_squares.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        return Terms(adversarial=least_squares.g(nets["D"](fake), None))
