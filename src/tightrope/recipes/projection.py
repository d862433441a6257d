"""A critic that weighs its features by a learned vector of the class, against a generator with batch normalisation by class.

Paper:  Miyato & Koyama, "cGANs with projection discriminator", ICLR 2018, arXiv:1802.05637.
Run:    tightrope train projection fashion
Expect: every class recognisable after 350 moves of G: half a minute of one core on fashion. The paper's ImageNet scores
        are not reproduced here.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.layers.normalisation import ConditionalBatchNorm2d
from tightrope.networks.resnet import Kit, ResNetCritic, ResNetGenerator, mirrored, pyramid
from tightrope.networks.sngan import bound
from tightrope.objectives import hinge


@recipe
class Projection:
    """Section 4: residual networks, hinge loss, spectral normalisation in D alone, batch normalisation by class in G."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    CONDITIONAL: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 2, "z": 4, "batch": 4, "critic_steps": 2},
        "imagenet-128": {"width": 64, "critic_steps": 5, "lr": 2e-4, "batch": 256, "ema": 0.0},
    }

    width: int = hyper(
        16, "channels at the highest resolution; they double with every halving, 16 times at most", low=1, high=1024, paper=64
    )
    z: int = hyper(128, "latent dimension", low=1, high=4096)
    critic_steps: int = hyper(1, "moves of D a move of G", low=1, high=100, paper=5)
    lr: float = hyper(1e-3, "learning rate of both players", low=1e-7, high=1.0, paper=2e-4)
    beta1: float = hyper(0.0, "Adam's first decay rate", low=0.0, high=0.9999)
    beta2: float = hyper(0.9, "Adam's second decay rate", low=0.0, high=0.99999)
    batch: int = hyper(16, "images of a batch", low=2, high=65536, paper=256)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        k = spec.labelled("projection")
        by_class = Kit(norm=lambda channels: ConditionalBatchNorm2d(channels, k))
        widths = pyramid(spec.size, self.width)
        return {
            "G": ResNetGenerator(self.z, spec.channels, widths=widths, kit=by_class, classes=k),
            "D": bound(ResNetCritic(spec.channels, stages=mirrored(widths), classes=k), "spectral"),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, self.critic_steps, shared=self.critic_steps == 1)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        assert batch.labels is not None
        batch.made["fake"] = nets["G"](batch.z, batch.labels)
        fake = batch.made["fake"].detach()
        shown, labels = torch.cat([batch.real, fake]), torch.cat([batch.labels, batch.labels])
        on_real, on_fake = nets["D"](shown, labels).chunk(2)  # one pass: D mixes no samples
        return Terms(adversarial=hinge.d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z, batch.labels)
        return Terms(adversarial=hinge.g(nets["D"](fake, batch.labels), None))
