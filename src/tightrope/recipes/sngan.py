"""Spectral normalisation: every weight of the critic is divided by its largest singular value, so that its slope stays bounded.

Paper:  Miyato, Kataoka, Koyama & Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018,
        arXiv:1802.05957.
Run:    tightrope train sngan fashion
Expect: garments in outline after 500 moves of G, on a par with `swift` after 1,500 at 16 px. The presets A to F are the paper's
        settings of Adam, for `tightrope bench`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.resnet import Kit, ResNetCritic, ResNetGenerator, flat, mirrored
from tightrope.networks.sngan import SNCritic, SNGenerator, between, bound
from tightrope.objectives import ALL
from tightrope.penalties import clip_, dragan, interpolated, r1


@recipe
class SNGAN:
    """The paper's two pairs of networks with its critic's normalisation, or with what it was compared to (section 4)."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images",)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "z": 4, "batch": 4},
        "published": {"width": 64, "lr": 2e-4, "batch": 64, "ema": 0.0},
        "resnet": {"network": "resnet", "critic_steps": 5, "beta1": 0.0, "beta2": 0.9},
        "A": {"lr": 1e-4, "beta1": 0.5, "beta2": 0.9, "critic_steps": 5},
        "B": {"lr": 1e-4, "beta1": 0.5, "beta2": 0.999, "critic_steps": 1},
        "C": {"lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "critic_steps": 1},
        "D": {"lr": 1e-3, "beta1": 0.5, "beta2": 0.9, "critic_steps": 5},
        "E": {"lr": 1e-3, "beta1": 0.5, "beta2": 0.999, "critic_steps": 5},
        "F": {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "critic_steps": 5},
    }

    network: str = hyper("cnn", "networks of table 3 or of table 4", choices=("cnn", "resnet"))
    objective: str = hyper(
        "hinge",
        "adversarial loss",
        choices=(
            "minimax",
            "non-saturating",
            "least-squares",
            "hinge",
            "wasserstein",
            "relativistic",
            "relativistic-average",
            "kl",
            "reverse-kl",
            "pearson",
            "js",
        ),
    )
    norm: str = hyper("spectral", "normalisation of D", choices=("spectral", "batch", "layer", "weight", "none"))
    penalty: str = hyper("none", "what else bounds D", choices=("none", "wgan-gp", "r1", "dragan", "clip"))
    penalty_weight: float = hyper(10.0, "factor of a gradient penalty (r1: twice the factor)", low=0.0, high=1e4)
    clip: float = hyper(0.01, "largest weight of D where these are clipped", low=1e-6, high=10.0)
    critic_steps: int = hyper(1, "moves of D a move of G", low=1, high=100, paper=5)
    width: int = hyper(16, "channels at the highest resolution (resnet: G has 4, D 2 times as many)", low=1, high=1024, paper=64)
    z: int = hyper(128, "latent dimension", low=1, high=4096)
    lr: float = hyper(1e-3, "learning rate of both players", low=1e-7, high=1.0, paper=2e-4)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    beta2: float = hyper(0.999, "Adam's second decay rate", low=0.0, high=0.99999)
    batch: int = hyper(16, "images of a batch", low=2, high=65536, paper=64)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in images; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        sizes = {"channels": spec.channels, "size": spec.size, "width": self.width}
        if self.network == "cnn":
            return {"G": SNGenerator(self.z, **sizes), "D": SNCritic(**sizes, norm=self.norm)}
        kit = Kit(norm=lambda channels: between(self.norm, channels))
        stages = mirrored(flat(spec.size, 2 * self.width), last=min(8, spec.size // 2), plain=2)
        return {
            "G": ResNetGenerator(self.z, spec.channels, widths=flat(spec.size, 4 * self.width)),
            "D": bound(ResNetCritic(spec.channels, stages=stages, kit=kit), self.norm),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        shared = self.critic_steps == 1
        return alternating(self.d_terms, self.g_terms, self.critic_steps, shared=shared, constrain=self.constrain)

    def constrain(self, nets: Networks) -> None:
        if self.penalty == "clip":
            clip_(nets["D"], self.clip)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        if self.norm == "batch":  # apart: each has its own batch statistics
            on_real, on_fake = nets["D"](batch.real), nets["D"](fake)
        else:
            on_real, on_fake = nets["D"](torch.cat([batch.real, fake])).chunk(2)
        terms = Terms(adversarial=ALL[self.objective].d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)
        if self.penalty in ("wgan-gp", "r1", "dragan"):
            terms["penalty"] = knobs.penalty * self.penalty_weight * self.penalised(nets["D"], batch.real, fake).mean()
        return terms

    def penalised(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        if self.penalty == "r1":
            return r1(critic, real)
        return dragan(critic, real) if self.penalty == "dragan" else interpolated(critic, real, fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        objective = ALL[self.objective]
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        on_real = nets["D"](batch.real).detach() if objective.paired else None
        return Terms(adversarial=objective.g(nets["D"](fake), on_real))
