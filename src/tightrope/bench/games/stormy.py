"""One game of the storm: classic losses between random networks, at rates that nobody chose.

In the manner of the wide search of Lucic et al. 2018, arXiv:1711.10337 (rates, beta1, repeats, clip, weights of penalties; six
games), and of the random architectures of Gulrajani et al. 2017, arXiv:1704.00028, section 5.1 (depth, width, nonlinearity and
normalisation of each player). Run: `tightrope bench storm`. Every move counts for the clock, G's too, so that a budget is a
number of moves. Axes: N batch, Z latent.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.shapes import widened
from tightrope.networks.sngan import bound
from tightrope.networks.variants import ACTIVATIONS, Side, VariantCritic, VariantGenerator
from tightrope.objectives import ALL
from tightrope.penalties import clip_, dragan, interpolated

GAMES = ("minimax", "non-saturating", "least-squares", "wgan", "wgan-gp", "dragan")
LOSSES = {"wgan": "wasserstein", "wgan-gp": "wasserstein", "dragan": "non-saturating"}
NORMS = ("none", "batch", "layer", "spectral")


class Perceptron(nn.Module):
    """Linear layers with normalisation and nonlinearity between them; He's rule, kinks of the first layer all over the data."""

    def __init__(self, inputs: int, outputs: int, *, width: int, depth: int, activation: str, norm: str) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth, outputs]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.norms = nn.ModuleList(kinds[norm](width) if norm in kinds else nn.Identity() for _ in range(depth))
        self.activation = ACTIVATIONS[activation]
        for place, linear in enumerate(self.linears):
            gain = math.sqrt(2) if place < depth else 1.0
            nn.init.normal_(linear.weight, 0.0, gain / math.sqrt(linear.in_features))  # type: ignore[arg-type]
            nn.init.zeros_(linear.bias)  # type: ignore[arg-type]
        nn.init.uniform_(self.linears[0].bias, -1.0, 1.0)  # type: ignore[arg-type]
        bound(self, norm)

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        for linear, norm in zip(self.linears[:-1], self.norms, strict=True):
            x = self.activation(norm(linear(x)))
        return self.linears[-1](x)


class PointCritic(Perceptron):
    """With one logit a sample."""

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, " n"]:
        return widened(super().forward(x).squeeze(1))


@recipe
class Stormy:
    """The defaults are nobody's recipe: the benchmark draws every field."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images", "points")
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"g_width": 8, "d_width": 8, "batch": 4, "z": 4}}

    game: str = hyper(
        "non-saturating",
        "which of the classic games",
        choices=("minimax", "non-saturating", "least-squares", "wgan", "wgan-gp", "dragan"),
    )
    lr_g: float = hyper(2e-4, "learning rate of G", low=1e-7, high=1.0)
    lr_d: float = hyper(2e-4, "learning rate of D", low=1e-7, high=1.0)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    critic_steps: int = hyper(1, "moves of D a move of G", low=1, high=100)
    clip: float = hyper(0.01, "largest weight of D (wgan)", low=1e-6, high=10.0)
    weight: float = hyper(10.0, "of the penalty (wgan-gp, dragan)", low=0.0, high=1e4)
    g_depth: int = hyper(4, "layers of G", low=1, high=64)
    d_depth: int = hyper(4, "layers of D", low=1, high=64)
    g_width: int = hyper(128, "units of G's hidden layers (images: channels at the highest resolution)", low=1, high=4096)
    d_width: int = hyper(128, "units of D's hidden layers (images: channels at the highest resolution)", low=1, high=4096)
    g_activation: str = hyper("relu", "nonlinearity of G", choices=("relu", "leaky", "softplus", "tanh"))
    d_activation: str = hyper("leaky", "nonlinearity of D", choices=("relu", "leaky", "softplus", "tanh"))
    g_norm: bool = hyper(False, "batch normalisation in G")
    d_norm: str = hyper(
        "none",
        "normalisation of D; batch becomes layer where a penalty is on slopes",
        choices=("none", "batch", "layer", "spectral"),
    )
    z: int = hyper(2, "latent dimension", low=1, high=4096)
    batch: int = hyper(128, "samples of a batch", low=2, high=65536)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        norm = "layer" if self.d_norm == "batch" and self.game in ("wgan-gp", "dragan") else self.d_norm
        if spec.modality == "points":
            g: dict[str, Any] = {"width": self.g_width, "depth": self.g_depth, "activation": self.g_activation}
            d: dict[str, Any] = {"width": self.d_width, "depth": self.d_depth, "activation": self.d_activation}
            return {
                "G": Perceptron(self.z, spec.channels, **g, norm="batch" if self.g_norm else "none"),
                "D": PointCritic(spec.channels, 1, **d, norm=norm),
            }
        side = Side(self.g_activation, self.g_depth, self.g_norm, self.g_width)
        other = Side(self.d_activation, self.d_depth, norm in ("batch", "layer"), self.d_width)
        return {
            "G": VariantGenerator(side, self.z, spec.channels, spec.size),
            "D": bound(VariantCritic(other, spec.channels, spec.size, per_sample=norm == "layer"), norm),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=lr, beta1=self.beta1) for player, lr in (("G", self.lr_g), ("D", self.lr_d))}

    def phases(self) -> tuple[Phase, ...]:
        constrain = {"constrain": self.constrain} if self.game == "wgan" else {}
        shared = self.critic_steps == 1
        found = alternating(self.d_terms, self.g_terms, self.critic_steps, shared=shared, **constrain)
        return tuple(dataclasses.replace(phase, clock=True) for phase in found)

    def constrain(self, nets: Networks) -> None:
        clip_(nets["D"], self.clip)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake, critic = batch.made["fake"].detach(), nets["D"]
        on_real, on_fake = critic(batch.real), critic(fake)
        terms = Terms(adversarial=ALL[LOSSES.get(self.game, self.game)].d(on_real, on_fake))
        if self.game in ("wgan-gp", "dragan"):
            slopes = interpolated(critic, batch.real, fake) if self.game == "wgan-gp" else dragan(critic, batch.real)
            terms["penalty"] = knobs.penalty * self.weight * slopes.mean()
        return terms.watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        return Terms(adversarial=ALL[LOSSES.get(self.game, self.game)].g(nets["D"](fake), None))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        if self.z > 2:
            return torch.randn(n, self.z, generator=generator)
        return torch.rand(n, self.z, generator=generator) * 2 - 1
