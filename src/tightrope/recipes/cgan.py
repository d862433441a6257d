"""The first GAN that makes samples of a class asked for: the label is concatenated to what both players see.

Paper:  Mirza & Osindero, "Conditional generative adversarial nets", 2014, arXiv:1411.1784.
Run:    tightrope train cgan fashion
Expect: half a minute of a CPU core (24,000 images of fashion, one seed): 74 % of the samples read as the class asked for (93 % of
        real ones are), Frechet distance 2.3 by fashion-cnn. On emoji the class is barely heard so early (33 %). The paper's
        perceptrons (--networks-of mlp) give one picture a class after as many images.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.dcgan import DCGANCritic, DCGANGenerator
from tightrope.networks.mlp import LabelledMLPCritic, LabelledMLPGenerator
from tightrope.objectives import non_saturating


@recipe
class CGAN:
    """Equation 2. With perceptrons the label has a hidden layer of its own in both players, concatenated to the other's, as in
    the paper. With convolutions it is concatenated to the latent in G, and joins D's input as one constant plane a class.
    """

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    CONDITIONAL: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "z": 4, "batch": 4},
        "mnist": {"networks_of": "mlp", "lr": 2e-4, "batch": 100, "ema": 0.0},
    }

    networks_of: str = hyper("dcgan", "family of the networks", choices=("dcgan", "mlp"), paper="mlp")
    width: int = hyper(32, "dcgan: channels at the highest resolution", low=1, high=1024)
    units: int = hyper(1200, "mlp: units of G's joint layer, a fifth of it in D", low=6, high=16384)
    dropout: float = hyper(0.5, "mlp: share of D's hidden units dropped", low=0.0, high=0.9)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    lr: float = hyper(
        5e-4, "learning rate of both players (the paper: SGD with momentum from 0.1)", low=1e-7, high=1.0, paper=0.1
    )
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(32, "images of a batch", low=2, high=65536, paper=100)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        k = spec.labelled("cgan")
        if self.networks_of == "mlp":
            return {
                "G": LabelledMLPGenerator(self.z, k, spec.shape, width=self.units),
                "D": LabelledMLPCritic(spec.shape, k, width=max(1, self.units // 5), dropout=self.dropout),
            }
        return {
            "G": DCGANGenerator(self.z, channels=spec.channels, size=spec.size, width=self.width, classes=k),
            "D": DCGANCritic(channels=spec.channels, size=spec.size, width=self.width, classes=k),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z, batch.labels)
        fake = batch.made["fake"].detach()
        on_real, on_fake = nets["D"](batch.real, batch.labels), nets["D"](fake, batch.labels)
        return Terms(adversarial=non_saturating.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z, batch.labels)
        return Terms(adversarial=non_saturating.g(nets["D"](fake, batch.labels), None))
