"""The Wasserstein game with a critic whose slope is held at 1 by a gradient penalty between data and samples.

Paper:  Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville, "Improved training of Wasserstein GANs", NeurIPS 2017,
        arXiv:1704.00028.
Run:    tightrope train wgan_gp fashion
Expect: slow on a CPU: five moves of the critic, each with a second derivative, for one of G. After 70 moves of G blots in the
        shape of garments, where `swift` with the same time makes garments.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.schedules import linear
from tightrope.core.spec import DataSpec
from tightrope.networks.resnet import ResNetCritic, ResNetGenerator, flat, mirrored, pyramid
from tightrope.networks.wgan import ConvCritic, ConvGenerator, LayerNormCritic, PerceptronCritic, PerceptronGenerator
from tightrope.objectives import wasserstein
from tightrope.penalties import interpolated


@recipe
class WGANGP:
    """Algorithm 1 with the residual networks for CIFAR-10, those for 64 px, a small convolutional pair, or perceptrons."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("images", "points")
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 4, "z": 4, "batch": 4, "critic_steps": 2},
        "cifar": {"width": 128, "lr": 2e-4, "batch": 64, "ema": 0.0},
        "images-64": {"network": "layer-norm", "width": 16},
        "points": {
            "network": "mlp",
            "width": 512,
            "z": 2,
            "lr": 1e-4,
            "decay": False,
            "beta1": 0.5,
            "penalty_weight": 0.1,
            "batch": 256,
            "ema": 0.0,
        },
    }

    network: str = hyper(
        "resnet",
        "networks: CIFAR-10's, 64 px with layer norm, small, perceptrons",
        choices=("resnet", "layer-norm", "conv", "mlp"),
    )
    width: int = hyper(32, "channels (layer-norm, conv: at the highest resolution; mlp: units)", low=1, high=4096, paper=128)
    z: int = hyper(128, "latent dimension", low=1, high=4096)
    penalty_weight: float = hyper(10.0, "weight of the penalty (lambda)", low=0.0, high=1e4)
    one_sided: bool = hyper(False, "punish only slopes above 1")
    critic_steps: int = hyper(5, "moves of the critic a move of G", low=1, high=100)
    lr: float = hyper(5e-4, "learning rate of both players at the start", low=1e-7, high=1.0, paper=2e-4)
    decay: bool = hyper(True, "the rate falls along a line to 0 at the end of the run")
    beta1: float = hyper(0.0, "Adam's first decay rate", low=0.0, high=0.9999)
    beta2: float = hyper(0.9, "Adam's second decay rate", low=0.0, high=0.99999)
    batch: int = hyper(16, "samples of a batch", low=2, high=65536, paper=64)
    ema: float = hyper(10_000.0, "half-life of G's weight average, in samples; 0 is none", low=0.0, high=1e9, paper=0.0)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        if self.network == "mlp" or spec.modality == "points":
            return {
                "G": PerceptronGenerator(self.z, spec.shape, width=self.width),
                "D": PerceptronCritic(spec.shape, width=self.width),
            }
        if self.network == "conv":
            sizes = {"channels": spec.channels, "size": spec.size, "width": self.width}
            return {"G": ConvGenerator(self.z, **sizes), "D": ConvCritic(**sizes)}
        if self.network == "layer-norm":
            widths = pyramid(spec.size, self.width, most=8)
            return {
                "G": ResNetGenerator(self.z, spec.channels, widths=widths),
                "D": LayerNormCritic(spec.channels, widths=widths),
            }
        widths = flat(spec.size, self.width)
        stages = mirrored(widths, last=min(8, spec.size // 2), plain=2)
        return {
            "G": ResNetGenerator(self.z, spec.channels, widths=widths),
            "D": ResNetCritic(spec.channels, stages=stages, pool="mean"),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, self.critic_steps, shared=False)

    def schedule(self, seen: int, progress: float) -> Knobs:
        return Knobs(lr=linear(1, 0, progress) if self.decay else 1.0, ema=min(self.ema, 0.1 * seen))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        fake = nets["G"](batch.z)  # without a graph: G does not move here
        on_real, on_fake = nets["D"](torch.cat([batch.real, fake])).chunk(2)  # one pass: D mixes no samples
        slopes = interpolated(nets["D"], batch.real, fake, one_sided=self.one_sided)
        return Terms(
            adversarial=wasserstein.d(on_real, on_fake), penalty=knobs.penalty * self.penalty_weight * slopes.mean()
        ).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=wasserstein.g(nets["D"](nets["G"](batch.z)), None))
