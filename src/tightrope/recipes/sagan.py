"""Self-attention in both players, spectral normalisation in both, and a faster rate for the critic instead of more of its steps.

Paper:  Zhang, Goodfellow, Metaxas & Odena, "Self-attention generative adversarial networks", ICML 2019, arXiv:1805.08318.
Run:    tightrope train sagan fashion
Expect: nine of ten classes of fashion after 270 moves of G. The paper's ImageNet scores are not reproduced here.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.layers.normalisation import ConditionalBatchNorm2d
from tightrope.networks.resnet import SPECTRAL, ResNetCritic, ResNetGenerator, mirrored, pyramid
from tightrope.objectives import hinge


@recipe
class SAGAN:
    """Sections 3 and 4: the projection game with attention at one resolution."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    CONDITIONAL: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 2, "z": 4, "batch": 4, "attention": 8},
        "images-16": {"attention": 8},
        "imagenet-128": {"width": 64, "attention": 32, "lr_g": 1e-4, "lr_d": 4e-4, "batch": 256, "ema": 0.0},
    }

    width: int = hyper(
        16, "channels at the highest resolution; they double with every halving, 16 times at most", low=1, high=1024, paper=64
    )
    attention: int = hyper(
        16, "resolution of the self-attention in both players, in pixels; 0 is none", low=0, high=256, paper=32
    )
    z: int = hyper(128, "latent dimension", low=1, high=4096)
    lr_g: float = hyper(1e-3, "learning rate of G", low=1e-7, high=1.0, paper=1e-4)
    lr_d: float = hyper(2e-3, "learning rate of D", low=1e-7, high=1.0, paper=4e-4)
    beta1: float = hyper(0.0, "Adam's first decay rate", low=0.0, high=0.9999)
    beta2: float = hyper(0.9, "Adam's second decay rate", low=0.0, high=0.99999)
    batch: int = hyper(16, "images of a batch", low=2, high=65536, paper=256)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        k = spec.labelled("sagan")
        by_class = dataclasses.replace(SPECTRAL, norm=lambda channels: ConditionalBatchNorm2d(channels, k))
        widths = pyramid(spec.size, self.width)
        stages = mirrored(widths, attention=self.attention)
        return {
            "G": ResNetGenerator(self.z, spec.channels, widths=widths, kit=by_class, classes=k, attention=self.attention),
            "D": ResNetCritic(spec.channels, stages=stages, kit=SPECTRAL, classes=k),
        }

    def optimizers(self) -> dict[str, Adam]:
        rates = {"G": self.lr_g, "D": self.lr_d}
        return {player: Adam(lr=lr, beta1=self.beta1, beta2=self.beta2) for player, lr in rates.items()}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

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
