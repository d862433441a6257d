"""One of WGAN-GP's random architectures, trained as a GAN or as a WGAN with gradient penalty.

Paper:  Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, arXiv:1704.00028, section 5.1.
Run:    tightrope bench architectures
Expect: the benchmark's table.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.variants import VariantCritic, VariantGenerator, draw
from tightrope.objectives import non_saturating, wasserstein
from tightrope.penalties import interpolated


@recipe
class Variant:
    """DCGAN's rates (Radford et al. 2015) for the GAN, those of the paper's algorithm 1 for WGAN-GP, both times `faster`."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"architecture": 3, "shrink": 32, "z": 4, "batch": 4}}

    architecture: int = hyper(0, "which of the random architectures", low=0, high=1_000_000)
    penalty: bool = hyper(False, "WGAN-GP instead of the plain game")
    shrink: int = hyper(8, "the published filters (32, 64, 128) are divided by this", low=1, high=32)
    faster: float = hyper(5.0, "factor of both players' published learning rates", low=0.01, high=100.0, paper=1.0)
    critic_steps: int = hyper(5, "moves of the critic a round, WGAN-GP", low=1, high=100)
    weight: float = hyper(10.0, "of the gradient penalty", low=0.0, high=1e4)
    z: int = hyper(64, "latent dimension", low=1, high=4096, paper=128)
    batch: int = hyper(16, "images of a batch", low=2, high=65536, paper=64)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        g, d = (dataclasses.replace(side, filters=side.filters // self.shrink) for side in draw(self.architecture))
        return {
            "G": VariantGenerator(g, self.z, spec.channels, spec.size),
            "D": VariantCritic(d, spec.channels, spec.size, per_sample=self.penalty),
        }

    def optimizers(self) -> dict[str, Adam]:
        rule = Adam(lr=1e-4, beta1=0.0, beta2=0.9) if self.penalty else Adam(lr=2e-4, beta1=0.5, beta2=0.999)
        return {player: dataclasses.replace(rule, lr=self.faster * rule.lr) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, self.critic_steps if self.penalty else 1, shared=False)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = nets["G"](batch.z).detach()
        objective = wasserstein if self.penalty else non_saturating
        on_real, on_fake = nets["D"](batch.real), nets["D"](fake)
        terms = Terms(adversarial=objective.d(on_real, on_fake))
        if self.penalty:
            terms["penalty"] = self.weight * interpolated(nets["D"], batch.real, fake).mean()
        return terms.watch(real=on_real, fake=on_fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        objective = wasserstein if self.penalty else non_saturating
        return Terms(adversarial=objective.g(nets["D"](nets["G"](batch.z)), None))
