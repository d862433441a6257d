"""The critic estimates the earth mover's distance between data and samples; clipped weights keep its slope bounded.

Paper:  Arjovsky, Chintala & Bottou, "Wasserstein GAN", ICML 2017, arXiv:1701.07875.
Run:    tightrope train wgan fashion
Expect: slow: blurred garments after 250 moves of G, each after five to 25 of the critic. The rate is ten times the paper's,
        whose 5e-5 is for days of training.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from tightrope.core.game import Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.rules import RMSprop
from tightrope.core.spec import DataSpec
from tightrope.networks.wgan import PerceptronCritic, PerceptronGenerator, WGANCritic, WGANGenerator
from tightrope.objectives import wasserstein
from tightrope.penalties import clip_


@recipe
class WGAN:
    """Algorithm 1, with the critic's longer turns of the authors' code: at the start, and every 500th move of G."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images", "points")
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "z": 4, "batch": 4, "critic_steps": 2, "long_turn": 3, "early": 1},
        "published": {"width": 64, "lr": 5e-5, "long_turn": 100, "batch": 64, "ema": 0.0},
        "points": {"generator": "mlp", "width": 512, "z": 2, "batch": 256},
    }

    generator: str = hyper("dcgan", "dcgan, without batch normalisation, or perceptrons", choices=("dcgan", "plain", "mlp"))
    width: int = hyper(16, "channels at the highest resolution (mlp: units)", low=1, high=4096, paper=64)
    extra: int = hyper(0, "3x3 layers added to both players at the highest resolution", low=0, high=16)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    lr: float = hyper(5e-4, "learning rate of both players", low=1e-7, high=1.0, paper=5e-5)
    clip: float = hyper(0.01, "largest weight of the critic", low=1e-6, high=10.0)
    critic_steps: int = hyper(5, "moves of the critic a move of G", low=1, high=1000)
    long_turn: int = hyper(25, "moves of the critic in its longer turns", low=1, high=10_000, paper=100)
    early: int = hyper(25, "moves of G at the start before each of which the critic has a longer turn", low=0, high=100_000)
    batch: int = hyper(32, "samples of a batch", low=2, high=65536, paper=64)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in samples; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        if self.generator == "mlp" or spec.modality == "points":
            return {
                "G": PerceptronGenerator(self.z, spec.shape, width=self.width),
                "D": PerceptronCritic(spec.shape, width=self.width),
            }
        sizes = {"channels": spec.channels, "size": spec.size, "width": self.width, "extra": self.extra}
        return {"G": WGANGenerator(self.z, **sizes, norm=self.generator == "dcgan"), "D": WGANCritic(**sizes)}

    def optimizers(self) -> dict[str, RMSprop]:
        return {player: RMSprop(lr=self.lr) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, self.turn, shared=False, constrain=self.constrain)

    def turn(self, round: int) -> int:
        """Moves of the critic in a round."""
        return self.long_turn if round < self.early or round % 500 == 0 else self.critic_steps

    def constrain(self, nets: Networks) -> None:
        clip_(nets["D"], self.clip)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = nets["G"](batch.z)  # without a graph: G does not move here
        on_real, on_fake = nets["D"](batch.real), nets["D"](fake)  # apart: each has its own batch statistics
        return Terms(adversarial=wasserstein.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=wasserstein.g(nets["D"](nets["G"](batch.z)), None))
