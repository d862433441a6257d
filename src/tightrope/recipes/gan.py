"""The original adversarial game between two multi-layer perceptrons, with any loss, packing, unrolling or top-k.

Paper:  Goodfellow et al., "Generative adversarial nets", NeurIPS 2014, arXiv:1406.2661; packing: Lin et al., "PacGAN", NeurIPS
        2018, arXiv:1712.04086; unrolling: Metz et al., "Unrolled generative adversarial networks", ICLR 2017, arXiv:1611.02163;
        top-k: Sinha et al., "Top-k training of GANs", NeurIPS 2020, arXiv:2002.06224.
Run:    tightrope train gan fashion
Expect: recognisable garments with isolated noise pixels, after minutes; on emoji one grey after 21,600 images. Points in half a
        minute of a CPU core: 7 of 8 modes of ring8 touched, 2 of them well; 20 of 25 of grid25. `tightrope bench ring8` plays
        PacGAN's protocol. "unrolled" is not reproduced here: no mode of ring8 after 2,600 of the paper's 25,000 rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.mlp import MLPCritic, MLPGenerator
from tightrope.networks.shapes import packed
from tightrope.objectives import ALL
from tightrope.objectives.shaping import pack, top_k, unrolled


@recipe
class GAN:
    """Rectifier generator against a maxout discriminator, as in the paper's code for MNIST.

    "pacgan" is PacGAN's game for points (its table 1) with packs of 2: in its protocol a batch is 100 packs.
    """

    MODALITIES: ClassVar[tuple[str, ...]] = ("images", "points")
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "toy": {"width": 16, "d_width": 8, "batch": 8, "z": 4},
        "points": {"width": 128, "d_width": 128, "pieces": 1, "lr": 1e-3, "batch": 256, "z": 16},
        "pacgan": {
            "pack": 2,
            "width": 400,
            "depth": 4,
            "norm": True,
            "d_width": 200,
            "d_depth": 3,
            "init": 0.02,
            "z": 2,
            "latent": "normal",
            "lr": 1e-4,
            "beta1": 0.8,
            "batch": 200,
        },
        "unrolled": {
            "unroll": 5,
            "width": 128,
            "d_width": 128,
            "pieces": 1,
            "z": 256,
            "latent": "normal",
            "lr": 1e-3,
            "d_lr": 0.1,
            "batch": 512,
        },
    }

    objective: str = hyper(
        "non-saturating",
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
    pack: int = hyper(1, "samples that D judges together (PacGAN); must divide the batch", low=1, high=64)
    unroll: int = hyper(0, "steps of D that G's loss looks ahead (unrolled GAN); 0 is none", low=0, high=100)
    unroll_lr: float = hyper(0.1, "rate of these imagined steps, plain gradient descent", low=1e-7, high=100.0)
    top_k: float = hyper(1.0, "share of a batch that G learns from, those D takes for the most real", low=0.01, high=1.0)
    width: int = hyper(1200, "units of each of G's hidden layers", low=1, high=16384)
    depth: int = hyper(2, "hidden layers of G", low=1, high=16)
    norm: bool = hyper(False, "batch normalisation in G")
    d_width: int = hyper(240, "units of each of D's hidden layers", low=1, high=16384)
    d_depth: int = hyper(2, "hidden layers of D", low=1, high=16)
    pieces: int = hyper(5, "affine maps a maxout unit of D; 1 makes leaky rectifiers", low=1, high=16)
    dropout: float = hyper(0.0, "share of D's hidden units dropped", low=0.0, high=0.9, paper=0.5)
    init: float = hyper(0.0, "standard deviation of the initial weights; 0 is He's rule", low=0.0, high=1.0)
    z: int = hyper(100, "latent dimension", low=1, high=4096)
    latent: str = hyper("uniform", "distribution of the latents", choices=("normal", "uniform"))
    lr: float = hyper(2e-4, "learning rate of both players (the paper: momentum SGD at 0.1)", low=1e-7, high=1.0)
    d_lr: float = hyper(1.0, "factor of D's learning rate", low=0.001, high=1000.0)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    batch: int = hyper(100, "samples of a batch", low=2, high=65536)
    ema: float = hyper(0.0, "half-life of G's weight average, in samples; 0 is none, as in the paper", low=0.0, high=1e9)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        shown = packed(spec.shape, self.pack, self.batch)
        unit: dict[str, Any] = {"pieces": self.pieces, "dropout": self.dropout}
        return {
            "G": MLPGenerator(self.z, spec.shape, width=self.width, depth=self.depth, norm=self.norm, sd=self.init),
            "D": MLPCritic(shown, width=self.d_width, depth=self.d_depth, sd=self.init, **unit),
        }

    def optimizers(self) -> dict[str, Adam]:
        return {"G": Adam(lr=self.lr, beta1=self.beta1), "D": Adam(lr=self.lr * self.d_lr, beta1=self.beta1)}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms)

    def critic(self, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        return nets["D"] if self.pack == 1 else lambda x: nets["D"](pack(x, self.pack))

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        batch.made["fake"] = nets["G"](batch.z)
        fake = batch.made["fake"].detach()
        on_real, on_fake = (nets["D"](pack(x, self.pack)) for x in (batch.real, fake))
        return Terms(adversarial=ALL[self.objective].d(on_real, on_fake)).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        objective = ALL[self.objective]
        critic: Callable[..., Tensor] = nets["D"]
        made = batch.made["fake"] if "fake" in batch.made else nets["G"](batch.z)
        real, fake = pack(batch.real, self.pack), pack(made, self.pack)
        if self.unroll:
            critic = unrolled(nets["D"], lambda d: objective.d(d(real), d(fake)), self.unroll, self.unroll_lr)
        on_fake = critic(fake)
        if self.top_k < 1:
            on_fake = top_k(on_fake, max(1, round(self.top_k * len(on_fake))))
        on_real = critic(real)[: len(on_fake)] if objective.paired else None
        return Terms(adversarial=objective.g(on_fake, on_real))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        if self.latent == "normal":
            return torch.randn(n, self.z, generator=generator)
        return torch.rand(n, self.z, generator=generator) * 2 - 1
